from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Tlg
from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds import SeedSource, gsm_symbolic
from tracelift_groups.store import read_manifest

REQUEST = " Give the result as your final answer. Do not include units."


def item(question: str, solution: str, answer: object = "40") -> dict[str, Any]:
    return {"question": question + REQUEST, "answer": answer, "metadata": {"answer_cot": solution}}


@pytest.fixture
def generator() -> None:
    pytest.importorskip("reasoning_gym", reason='pip install -e ".[synthetic]"')


def test_an_item_becomes_a_seed_with_its_solution() -> None:
    seed = gsm_symbolic.read(item("How many?", "8*5=40 eggs\n#### 40"), 3, "here")
    assert seed == Seed(
        source="gsm-symbolic",
        domain="math",
        problem="How many?",
        answer="40",
        reasoning="8*5=40 eggs",
        author="template",
        where="here",
    )


def test_whole_floats_are_written_as_integers_and_nothing_else() -> None:
    solution = "20*1.05=21.0 and $3.00, 0.05, 10.04 and 1.0.0; so 7.0.\n#### 21.0"
    seed = gsm_symbolic.read(item("For €17.0 each?", solution, "21.0"), 3, "")
    assert isinstance(seed, Seed)
    assert seed.problem == "For €17 each?"
    assert seed.reasoning == "20*1.05=21 and $3.00, 0.05, 10.04 and 1.0.0; so 7."
    assert seed.answer == "21"


@pytest.mark.parametrize("template", sorted(gsm_symbolic.FAULTY))
def test_faulty_templates_are_rejected_with_what_is_wrong(template: int) -> None:
    rejected = gsm_symbolic.read(item("How many?", "40=40\n#### 40"), template, "here")
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.where) == ("faulty_template", "here")
    assert rejected.detail == gsm_symbolic.FAULTY[template]


@pytest.mark.parametrize(
    ("question", "solution"),
    [("Add 0.6666666666666666 litres", "6*2=12"), ("Add 2/3", "6 * 0.6666666666666666 = 4")],
)
def test_rounding_noise_is_rejected_with_the_figure(question: str, solution: str) -> None:
    rejected = gsm_symbolic.read(item(question, f"{solution}\n#### 4"), 46, "")
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.detail) == ("rounding_noise", "the figure 0.6666666666666666")


@pytest.mark.usefixtures("generator")
def test_the_same_seed_draws_the_same_and_a_longer_draw_begins_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = list(islice(gsm_symbolic.seeds(7), 40))
    monkeypatch.setattr(gsm_symbolic, "_BLOCK", 16)
    assert list(islice(gsm_symbolic.seeds(7), 40)) == first
    other = list(islice(gsm_symbolic.seeds(8), 40))
    assert not {one.problem for one in first} & {one.problem for one in other}


@pytest.mark.usefixtures("generator")
def test_the_source_is_bounded_and_its_draw_is_told_apart() -> None:
    short = SeedSource("gsm-symbolic", limit=3)
    assert len(list(short)) == 3
    assert list(short) == list(short)
    endless = SeedSource("gsm-symbolic")
    assert len(list(endless)) == gsm_symbolic.DEFAULT_LIMIT
    assert endless.options == SeedSource("gsm-symbolic", limit=1000).options
    assert endless.options != SeedSource("gsm-symbolic", draw=1).options
    assert endless.options != short.options
    assert endless.options["generator"].startswith("reasoning-gym ")


@pytest.mark.usefixtures("generator")
def test_most_of_what_is_drawn_becomes_groups(tlg: Tlg, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = tlg("build", "--source", "gsm-symbolic", "--limit", 120, "--seed", 3, "--out", run)
    assert done.returncode == 0, done.stderr
    assert "has no end" not in done.stderr
    manifest = read_manifest(run)
    assert manifest is not None
    counts = manifest["counts"]
    assert counts["groups"] + counts["rejected"] == counts["seeds_read"] == 120
    assert counts["groups"] >= 90
    assert manifest["build"]["source"]["draw"] == 3


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym.arithmetic.gsm_symbolic", None)
    with pytest.raises(UserError, match=r"needs the package reasoning-gym - pip install"):
        next(gsm_symbolic.items(0))


@pytest.mark.usefixtures("generator")
def test_a_draw_without_a_limit_is_said_to_be_one(tlg: Tlg) -> None:
    done = tlg("preview", "--source", "gsm-symbolic", "--groups", 1)
    assert done.returncode == 0, done.stderr
    assert "gsm-symbolic has no end: 1000 problems" in done.stderr
