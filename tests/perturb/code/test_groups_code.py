"""Code groups: assembled, rechecked, tampered with, and refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.perturb.code.programs import ROWS
from tracelift_groups import groups
from tracelift_groups.groups import make_group
from tracelift_groups.perturb.checks import recheck
from tracelift_groups.perturb.code.engine import Engine
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.records import Group, Rejected, Seed, Trace
from tracelift_groups.rubric import flawed_rubric


def seed(number: int = 3, **fields: Any) -> Seed:
    row = ROWS[number]
    base = {"source": "test", "domain": "code", "problem": row["problem"], "where": "f:7",
            "reasoning": row["reasoning"], "reference_solution": row["solution"],
            "tests": json.dumps(row["tests"])}  # fmt: skip
    return Seed.model_validate({**base, **fields})


@pytest.fixture(scope="module")
def made(runs: Runs) -> Callable[[int], Group]:
    """The group of a bundled problem, made once."""
    known: dict[int, Group] = {}

    def group(number: int) -> Group:
        if number not in known:
            one = make_group(seed(number), 0)
            assert isinstance(one, Group)
            known[number] = one
        return known[number]

    return group


NUMBERS = (3, 5, 20)


@pytest.mark.parametrize("number", NUMBERS)
def test_invariants_of_a_group(number: int, made: Callable[[int], Group]) -> None:
    group = made(number)
    templates = {template.id: template for template in load_templates("code")}
    sound = {trace.trace_id: trace for trace in group.traces if trace.sound}
    assert group.traces[0] is group.reference
    assert 1 <= len(sound) - 1 <= 3
    texts = ["".join(trace.text.split()) for trace in group.traces]
    assert len(set(texts)) == len(texts)
    flawed = [trace for trace in group.traces if not trace.sound]
    assert len(flawed) >= groups.MIN_FLAWED
    assert len({trace.kind for trace in flawed}) >= groups.MIN_KINDS_CODE
    programs = [
        one.certificate.program for one in flawed if one.certificate and one.certificate.program
    ]
    assert len(set(programs)) == len(programs)
    for trace in sound.values():
        assert set(trace.rubric.labels.values()) == {4}
    for trace in flawed:
        certificate = trace.certificate
        assert certificate is not None
        assert trace.parent_id in sound
        assert trace.text[certificate.start : certificate.end] == certificate.after
        assert certificate.step < len(trace.steps)
        assert trace.rubric == flawed_rubric(
            templates[certificate.kind], certificate, len(trace.steps)
        )
        assert trace.rubric.total < 1
    for trace in group.traces:
        assert "```" not in trace.text
        assert trace.text.count("`") % 2 == 0


@pytest.mark.parametrize("number", NUMBERS)
def test_a_group_is_confirmed_again(number: int, made: Callable[[int], Group]) -> None:
    assert recheck(made(number)) == []


def test_the_same_seed_gives_the_same_bytes_and_the_run_seed_changes_them(
    made: Callable[[int], Group],
) -> None:
    again, other = make_group(seed(5, where="g:1"), 0), make_group(seed(5), 1)
    assert isinstance(again, Group)
    assert isinstance(other, Group)
    assert again.model_dump_json() == made(5).model_dump_json()
    assert other.model_dump_json() != made(5).model_dump_json()
    assert other.reference == made(5).reference


def with_trace(group: Group, old: Trace, **changes: Any) -> Group:
    new = old.model_copy(update=changes)
    traces = tuple(new if trace is old else trace for trace in group.traces)
    return group.model_copy(update={"traces": traces})


def executed(group: Group) -> Trace:
    """A flawed trace with a program and a span that is not empty."""
    return next(
        trace for trace in group.traces
        if trace.certificate and trace.certificate.program and trace.certificate.after
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "vague_pseudo_solution"), ("severity", "mild"), ("step", 99), ("start", 0),
        ("before", "nothing"), ("answer_changed", False), ("method", "symbolic"),
        ("expected", "-77"), ("input", "-77"), ("got", "-77"), ("quantity", "7"),
    ],
)  # fmt: skip
def test_a_certificate_that_was_tampered_with_is_found(
    field: str, value: object, made: Callable[[int], Group]
) -> None:
    trace = executed(made(3))
    assert trace.certificate is not None
    assert getattr(trace.certificate, field) != value
    forged = trace.certificate.model_copy(update={field: value})
    wrong = recheck(with_trace(made(3), trace, certificate=forged))
    assert len(wrong) == 1
    assert wrong[0].startswith(trace.trace_id)
    assert field in wrong[0]


def test_a_program_that_was_tampered_with_is_found(made: Callable[[int], Group]) -> None:
    trace = executed(made(3))
    assert trace.certificate is not None
    for program in (made(3).reference_solution, f"{trace.certificate.program}\n# more", None):
        forged = trace.certificate.model_copy(update={"program": program})
        assert recheck(with_trace(made(3), trace, certificate=forged))


def test_a_program_that_does_not_parse_is_found(made: Callable[[int], Group]) -> None:
    trace = executed(made(3))
    assert trace.certificate is not None
    forged = trace.certificate.model_copy(update={"program": "def f(:"})
    assert recheck(with_trace(made(3), trace, certificate=forged))


def test_texts_that_were_tampered_with_are_found(made: Callable[[int], Group]) -> None:
    group = made(3)
    for trace in group.traces:
        if trace.kind == "vague_pseudo_solution":
            continue
        forged = f"{trace.text} It is quick, too."
        wrong = recheck(with_trace(group, trace, text=forged))
        assert wrong, trace.trace_id
    flawed = executed(group)
    assert recheck(with_trace(group, flawed, text=group.reference.text))
    twin = next(trace for trace in group.traces if trace.role == "twin")
    assert recheck(with_trace(group, twin, text=flawed.text))


@pytest.mark.parametrize(
    "added",
    [
        " It is quick, too.",
        " A bus can not be taken.",
    ],
)
def test_a_vague_text_that_was_tampered_with_is_found(
    added: str, made: Callable[[int], Group]
) -> None:
    vague = next(t for t in made(5).traces if t.kind == "vague_pseudo_solution")
    assert recheck(with_trace(made(5), vague, text=f"{vague.text}{added}"))


def test_too_few_flaws_and_kinds_are_named(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, made: Callable[[int], Group]
) -> None:
    flaws = Engine.flaws
    monkeypatch.setattr(Engine, "flaws", lambda *arguments: flaws(*arguments)[:2])
    few = make_group(seed(), 0)
    assert isinstance(few, Rejected)
    assert (few.reason, few.detail[:13]) == ("too_few_flaws", "2 of at least")
    monkeypatch.setattr(Engine, "flaws", lambda *arguments: flaws(*arguments)[:1] * 4)
    alike = make_group(seed(), 0)
    assert isinstance(alike, Rejected)
    assert alike.reason == "too_few_kinds"
    monkeypatch.setattr(Engine, "twins", lambda _: [])
    bare = make_group(seed(), 0)
    assert isinstance(bare, Rejected)
    assert bare.reason == "no_twin"


def test_a_reference_that_was_tampered_with_is_found(made: Callable[[int], Group]) -> None:
    solution = made(3).reference_solution
    assert solution is not None
    for program in (solution.replace("first > last", "first < last"), "def f(:", ""):
        assert recheck(made(3).model_copy(update={"reference_solution": program}))


WORDS = "We go through the numbers one by one and add each of them to what there is. " * 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reasoning": None}, "no_reasoning"),
        ({"reasoning": " \n"}, "no_reasoning"),
        ({"reasoning": "We add.\n```python\nprint(1)\n```"}, "thin_reasoning"),
        ({"reference_solution": None}, "no_program"),
        ({"reference_solution": "  "}, "no_program"),
        ({"reference_solution": "def f(:"}, "program_does_not_parse"),
        ({"reference_solution": "def rain_totals(rain, periods):\n    return 0\n"},
         "reference_wrong_answer"),
        ({"reference_solution": "def rain_totals(rain, periods):\n    return rain[-9]\n"},
         "reference_runtime_error"),
        ({"tests": None}, "no_tests"),
        ({"tests": "[]"}, "unusable_tests"),
        ({"tests": '{"test_code": "assert"}'}, "unusable_tests"),
        ({"reasoning": WORDS[:70]}, "thin_reasoning"),
    ],
)  # fmt: skip
def test_a_seed_that_cannot_serve_is_rejected_with_its_reason(
    fields: dict[str, Any], reason: str, runs: Runs
) -> None:
    rejected = make_group(seed(**fields), 0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert rejected.detail
    assert (rejected.seed_id, rejected.where) == (seed().seed_id, "f:7")
