from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Tlg, write_jsonl
from tracelift_groups.errors import UserError
from tracelift_groups.formats import from_tracelift, read_tracelift, to_tracelift
from tracelift_groups.tables import read_groups

RUBRIC = dict.fromkeys(
    ("problem_understanding", "solution_strategy", "step_coherence", "calculation_correctness",
     "answer_support"), 4,
)  # fmt: skip


def foreign(**changes: object) -> dict[str, object]:
    """A row in the published system's layout, as that system writes it."""
    row: dict[str, object] = {
        "problem_id": "math_gsm8k_000123",
        "source": "gsm8k",
        "task_type": "math",
        "problem": "How many?",
        "reference_solution": "3",
        "positive_pool": [
            {"reasoning": "She has 1 + 2 = 3.", "rubric": {**RUBRIC, "total": 1.0}},
            {"reasoning": "There are 2 + 1 = 3.", "rubric": {**RUBRIC, "total": 0.98}},
        ],
        "negative_bank": [
            {
                "reasoning": "She has 1 + 2 = 4.\nSo four.",
                "negative_kind": "arithmetic_error",
                "rubric": {**RUBRIC, "calculation_correctness": 1, "total": 0.4},
            }
        ],
        "metadata": {"judge": "some-model", "nested": {"a": [1, 2]}},
    }
    row.update(changes)
    return row


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata": None},
        {"metadata": {}},
        {"tests": ["assert f(1) == 2"], "task_type": "code", "reference_solution": "def f(): 1"},
        {"tests_or_constraints": "n <= 10", "task_type": "code"},
        {"tests": None},
        {"difficulty": "easy"},
    ],
)
def test_a_foreign_row_comes_back_as_it_was(changes: dict[str, object]) -> None:
    row = foreign(**changes)
    assert to_tracelift(from_tracelift(row, "f:1")) == row


def test_a_foreign_row_becomes_a_group() -> None:
    group = from_tracelift(foreign(), "f:1")
    assert [trace.role for trace in group.traces] == ["reference", "twin", "flawed"]
    assert group.answer == "3"
    assert group.traces[2].kind == "arithmetic_error"
    assert group.traces[2].steps == ("She has 1 + 2 = 4.", "So four.")
    assert group.traces[1].rubric.total == 0.98


def test_our_groups_come_back_equal(sample_run: Path) -> None:
    groups = list(read_groups(str(sample_run / "groups" / "train.parquet")))
    for group in groups:
        row = json.loads(json.dumps(to_tracelift(group)))
        assert from_tracelift(row, "f:1") == group


def test_the_layout_is_the_published_one(sample_run: Path) -> None:
    group = next(iter(read_groups(str(sample_run / "groups" / "train.parquet"))))
    row = to_tracelift(group)
    assert {"problem_id", "source", "task_type", "problem", "reference_solution"} <= set(row)
    assert set(row["positive_pool"][0]) == {"reasoning", "rubric"}
    assert set(row["positive_pool"][0]["rubric"]) == {*RUBRIC, "total"}
    assert set(row["negative_bank"][0]) == {"reasoning", "negative_kind", "rubric"}
    assert row["reference_solution"] == group.answer


def test_there_and_back_by_command_gives_the_same_file(
    tlg: Tlg, sample_run: Path, tmp_path: Path
) -> None:
    one, middle, two = (tmp_path / name for name in ("1.jsonl", "2.parquet", "3.jsonl"))
    assert tlg("convert", sample_run, "--to", "tracelift", "-o", one).returncode == 0
    assert tlg("convert", one, "--to", "groups", "-o", middle).returncode == 0
    assert tlg("convert", middle, "--to", "tracelift", "-o", two).returncode == 0
    assert one.read_bytes() == two.read_bytes()
    assert list(read_groups(str(middle))) == list(read_tracelift(one))


def test_one_split_only(tlg: Tlg, sample_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.jsonl"
    done = tlg("convert", sample_run, "--to", "tracelift", "-o", out, "--split", "validation")
    assert done.returncode == 0
    groups = list(read_tracelift(out))
    assert groups
    assert {group.split for group in groups} == {"validation"}
    done = tlg("convert", sample_run, "--to", "tracelift", "-o", out, "--split", "nope")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"problem": "p"}, "'problem_id'"),
        (foreign(positive_pool=[]), "exactly one reference"),
        (foreign(negative_bank=[{"reasoning": "x", "rubric": {}}]), "'negative_kind'"),
        (foreign(task_type="poetry"), "domain"),
    ],
)
def test_a_row_that_is_no_group_is_named(
    tmp_path: Path, row: dict[str, object], words: str
) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [foreign(), row])
    with pytest.raises(UserError, match=r"rows.jsonl:2: no group") as told:
        list(read_tracelift(file))
    assert words in str(told.value)


def test_a_failing_conversion_leaves_no_half_file(tlg: Tlg, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [foreign(), {"problem": "p"}])
    done = tlg("convert", file, "--to", "tracelift", "-o", tmp_path / "out.jsonl")
    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
