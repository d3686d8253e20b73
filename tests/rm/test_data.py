from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.formats import write_tracelift
from tracelift_groups.records import Group, Rubric, Trace
from tracelift_groups.rm.data import TRAIN, VALIDATION, encode_groups, read_split, without_kinds
from tracelift_groups.rm.recipe import Sample
from tracelift_groups.rm.text import Subject, TextEncoder, input_text
from tracelift_groups.rm.tokenizer import train_tokenizer

MATH = (
    "problem_understanding",
    "solution_strategy",
    "step_coherence",
    "calculation_correctness",
    "answer_support",
)
CODE = ("task_understanding", "plan_quality", "step_coherence", "action_support", "non_leakage")


def trace(name: str, text: str, kind: str | None, labels: dict[str, int]) -> Trace:
    role = "flawed" if kind else "reference" if name == "r" else "twin"
    return Trace(
        trace_id=name,
        role=role,  # type: ignore[arg-type]
        kind=kind,
        text=text,
        steps=(text,),
        rubric=Rubric.of(labels),
        author="rule",
    )


def group(texts: dict[str, str], names: tuple[str, ...] = MATH, domain: str = "math") -> Group:
    traces = []
    for name, text in texts.items():
        flawed = name.startswith("f")
        # A different label for each dimension, given in another order than the heads'.
        labels = {d: (n if flawed else 4) for n, d in reversed(list(enumerate(names)))}
        traces.append(trace(name, text, "arithmetic_error" if flawed else None, labels))
    return Group(
        group_id="g",
        source="test",
        domain=domain,  # type: ignore[arg-type]
        problem="How many?",
        traces=tuple(traces),
    )


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([input_text(Subject("How many?"), "One and two are 3.")], 300)


def encoder(tokenizer: Any, limit: int = 500) -> TextEncoder:
    return TextEncoder(tokenizer, limit, append_eos=True)


def test_labels_stand_in_the_order_of_the_heads(tokenizer: Any) -> None:
    for names, domain in ((MATH, "math"), (CODE, "code")):
        made = group({"r": "1 + 1 = 2", "f": "1 + 1 = 3"}, names, domain)
        encoded = encode_groups([made], encoder(tokenizer), sample=None)
        assert encoded.groups[0].labels_GD == ((4, 4, 4, 4, 4), (0, 1, 2, 3, 4))
        assert encoded.groups[0].sound_G == (True, False)
        assert encoded.groups[0].total_G == (1.0, 0.5)
        assert encoded.dimensions == {domain: list(names)}


def test_traces_that_do_not_fit_are_dropped_and_counted(tokenizer: Any) -> None:
    long = " ".join(["and so on"] * 60)
    made = group({"r": "1 + 1 = 2", "f": "1 + 1 = 3", "fl": long, "t": long})
    encoded = encode_groups([made], encoder(tokenizer, 120), sample=None)
    assert len(encoded.groups[0].ids_G) == 2
    assert encoded.counts["traces_too_long"] == 2
    assert encoded.counts["traces"] == 2


def test_a_group_left_without_a_flawed_trace_is_dropped_and_counted(tokenizer: Any) -> None:
    made = group({"r": "1 + 1 = 2", "f": " ".join(["and so on"] * 60)})
    encoded = encode_groups([made], encoder(tokenizer, 120), sample=None)
    assert not encoded.groups
    assert encoded.counts["groups_too_small"] == 1


def test_a_flawed_trace_that_reads_like_a_sound_one_is_dropped(tokenizer: Any) -> None:
    class Blind(TextEncoder):  # a tokenizer may be blind to what tells two texts apart
        def encode(self, texts: Any) -> list[list[int]]:
            return super().encode([text.replace("3", "2") for text in texts])

    made = group({"r": "1 + 1 = 2", "f": "1 + 1 = 3", "f2": "1 + 1 = 4"})
    encoded = encode_groups([made], Blind(tokenizer, 500, append_eos=True), sample=None)
    assert encoded.counts["traces_alike"] == 1
    assert encoded.groups[0].sound_G == (True, False)


def test_kinds_are_left_out(tokenizer: Any) -> None:
    made = group({"r": "1 + 1 = 2", "t": "1 + 1 is 2", "f": "1 + 1 = 3"})
    other = trace("g", "2", "unsupported_leap", dict.fromkeys(MATH, 1))
    made = made.model_copy(update={"traces": (*made.traces, other)})
    (kept,) = without_kinds([made], ("unsupported_leap", "unit_mismatch"))
    assert [one.trace_id for one in kept.traces] == ["r", "t", "f"]
    assert list(without_kinds([made], ())) == [made]


def test_a_sample_needs_enough_traces(tokenizer: Any) -> None:
    made = group({"r": "1 + 1 = 2", "f": "1 + 1 = 3", "f2": "1 + 1 = 4"})
    for flawed, groups in ((2, 1), (3, 0)):
        sample = Sample(sound=1, flawed=flawed)
        encoded = encode_groups([made], encoder(tokenizer), sample=sample)
        assert len(encoded.groups) == groups


def test_another_number_of_dimensions_is_refused(tokenizer: Any) -> None:
    made = group({"r": "1 + 1 = 2", "f": "1 + 1 = 3"}, MATH[:4])
    with pytest.raises(UserError, match="has not the 5 dimensions"):
        encode_groups([made], encoder(tokenizer), sample=None)


def test_a_file_without_splits_is_dealt_by_problem(tmp_path: Path) -> None:
    draw = random.Random(0)
    groups = [
        group({"r": "1 + 1 = 2", "f": "1 + 1 = 3"}).model_copy(
            update={"group_id": f"g{n}", "problem": f"How many are {n} and {draw.random()}?"}
        )
        for n in range(300)
    ]
    path = tmp_path / "groups.jsonl"
    write_tracelift(path, groups)
    held_out = {g.problem for g in read_split(path, VALIDATION)}
    kept = {g.problem for g in read_split(path, TRAIN)}
    assert 15 <= len(held_out) <= 50
    assert not held_out & kept
    assert len(held_out | kept) == 300
    # A problem stays where it is when the file grows or is reordered.
    write_tracelift(path, groups[100:])
    assert {g.problem for g in read_split(path, VALIDATION)} <= held_out


def test_a_run_folder_gives_its_own_splits(sample_run: Path) -> None:
    found = {
        split: [g.group_id for g in read_split(sample_run, split)] for split in (TRAIN, VALIDATION)
    }
    assert found[TRAIN]
    assert found[VALIDATION]
    assert not set(found[TRAIN]) & set(found[VALIDATION])


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        list(read_split(tmp_path / "none.jsonl", TRAIN))
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    with pytest.raises(UserError, match=r"not a run folder, \.parquet or \.jsonl"):
        list(read_split(other, TRAIN))
