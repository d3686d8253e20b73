from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED_DATA, write_jsonl
from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected
from tracelift_groups.rm.traces import JudgedTrace, read_traces, without_answer_sentence

SVAMP = SHARED_DATA / "derived" / "svamp_model_cots.jsonl"

PROCESSBENCH = {
    "id": "gsm8k-0",
    "generator": "Qwen2-7B-Instruct",
    "problem": "How many?",
    "steps": ["Two and two.", "2 + 2 = 5.", "So 5."],
    "final_answer_correct": False,
    "label": 1,
}
MR_GSM8K = {
    "uuid": "u",
    "question": "How many?",
    "ground_truth_answer": "4",
    "model_output_steps": ["2 + 2 = 4", "4 + 1 = 5"],
    "model_output_answer_correctness": "wrong",
    "model_output_solution_correctness": "wrong",
    "model_output_solution_first_error_step": 2,
    "question_type": "reversed",
}
PRMBENCH = {
    "original_question": "How many?",
    "modified_question": "How many now?",
    "original_process": ["2 + 2 = 4", "So 4."],
    "modified_process": ["2 + 2 = 4", "Hence 5.", "So 5."],
    "modified_steps": [2, 3],
    "error_steps": [3, 2],
    "classification": "confidence",
}


def read(path: Path, layout: str) -> tuple[list[JudgedTrace], list[Rejected]]:
    found = list(read_traces(path, layout))
    return (
        [one for one in found if isinstance(one, JudgedTrace)],
        [one for one in found if isinstance(one, Rejected)],
    )


def test_our_own_layout(tmp_path: Path) -> None:
    rows: list[object] = [
        {"problem": "p", "reasoning": "1 + 1 = 2. The answer is 2.", "correct": True},
        {"question": "q", "reasoning": "1 + 1 = 3.", "correct": False, "model": "m"},
    ]
    traces, bad = read(write_jsonl(tmp_path / "t.jsonl", rows), "traces")
    assert not bad
    assert traces == [
        JudgedTrace("p", "1 + 1 = 2.", True, "t.jsonl:1"),
        JudgedTrace("q", "1 + 1 = 3.", False, "t.jsonl:2", tag="m"),
    ]


@pytest.mark.parametrize("as_list", [True, False])
def test_processbench(tmp_path: Path, as_list: bool) -> None:
    path = tmp_path / "gsm8k.json"
    sound = {**PROCESSBENCH, "label": -1}
    if as_list:
        path.write_text(json.dumps([PROCESSBENCH, sound]))
    else:
        write_jsonl(path, [PROCESSBENCH, sound])
    (flawed, right), bad = read(path, "processbench")
    assert not bad
    assert (flawed.correct, flawed.first_error, flawed.tag) == (False, 1, "Qwen2-7B-Instruct")
    assert flawed.reasoning == "Two and two.\n2 + 2 = 5.\nSo 5."
    assert flawed.steps == tuple(PROCESSBENCH["steps"])  # type: ignore[arg-type]
    assert (right.correct, right.first_error) == (True, None)
    assert right.where == "gsm8k.json:2"


def test_mr_gsm8k_counts_steps_from_1(tmp_path: Path) -> None:
    right = {
        **MR_GSM8K,
        "model_output_solution_correctness": "correct",
        "model_output_solution_first_error_step": "N/A",
    }
    path = write_jsonl(tmp_path / "m.jsonl", [MR_GSM8K, right])
    (flawed, sound), bad = read(path, "mr-gsm8k")
    assert not bad
    assert (flawed.correct, flawed.first_error, flawed.tag) == (False, 1, "reversed")
    assert (sound.correct, sound.first_error) == (True, None)


def test_prmbench_gives_the_original_and_the_modified_process(tmp_path: Path) -> None:
    unharmed = {**PRMBENCH, "error_steps": [], "classification": "multi_solutions"}
    path = write_jsonl(tmp_path / "p.jsonl", [PRMBENCH, unharmed])
    traces, bad = read(path, "prmbench")
    assert not bad
    assert [(one.problem, one.correct, one.first_error) for one in traces] == [
        ("How many?", True, None),
        ("How many now?", False, 1),  # the first of steps 2 and 3, from 0
        ("How many?", True, None),
        ("How many now?", True, None),
    ]


@pytest.mark.parametrize(
    ("layout", "row", "words"),
    [
        ("traces", {"problem": "p", "reasoning": "r", "correct": 1}, "'correct' is 1"),
        ("traces", {"problem": "p", "correct": True}, "'reasoning' is missing"),
        ("traces", {"reasoning": "r", "correct": True}, "'problem' is missing"),
        ("traces", ["no", "object"], "a JSON list"),
        ("processbench", {**PROCESSBENCH, "label": 3}, "'label' is 3"),
        ("processbench", {**PROCESSBENCH, "label": True}, "'label' is True"),
        ("processbench", {**PROCESSBENCH, "steps": []}, "'steps' is no list"),
        ("processbench", {**PROCESSBENCH, "steps": ["a", " "]}, "'steps' has a step"),
        (
            "mr-gsm8k",
            {**MR_GSM8K, "model_output_solution_first_error_step": "N/A"},
            "first_error_step' is 'N/A'",
        ),
        ("mr-gsm8k", {**MR_GSM8K, "model_output_solution_correctness": True}, "correctness' is"),
        ("prmbench", {**PRMBENCH, "error_steps": [4]}, "'error_steps' is [4]"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(
    tmp_path: Path, layout: str, row: Any, words: str
) -> None:
    traces, (bad,) = read(write_jsonl(tmp_path / "bad.jsonl", [row]), layout)
    assert not traces
    assert bad.where == "bad.jsonl:1"
    assert words in bad.detail


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        list(read_traces(tmp_path / "gone.jsonl", "traces"))


@pytest.mark.parametrize(
    ("reasoning", "left"),
    [
        ("5 + 5 = 10. The answer is 10.", "5 + 5 = 10."),
        ("5 + 5 = 10\nSo, the final answer is $10.50.", "5 + 5 = 10"),
        ("The answer is 10.", "The answer is 10."),
        ("The answer is in the text. 5 + 5 = 10.", "The answer is in the text. 5 + 5 = 10."),
        ("He knows the answer is 10.", "He knows the answer is 10."),
    ],
)
def test_the_closing_answer_is_no_reasoning(reasoning: str, left: str) -> None:
    assert without_answer_sentence(reasoning) == left


@pytest.mark.real_data
@pytest.mark.skipif(not SVAMP.is_file(), reason="no shared data")
def test_real_chains_are_read_whole() -> None:
    traces, bad = read(SVAMP, "traces")
    assert not bad
    assert (len(traces), sum(not one.correct for one in traces)) == (6000, 1595)
    assert len({one.tag for one in traces}) == 6
