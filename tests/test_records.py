"""Records: what each refuses, and the little that they work out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tracelift_groups.records import Certificate, Group, Record, Rejected, Rubric, Seed, Trace

RUBRIC = Rubric.of({"a": 4, "b": 4})
CERTIFICATE: dict[str, Any] = {
    "kind": "slip",
    "operator": "by hand",
    "severity": "minor",
    "step": 0,
    "start": 2,
    "end": 5,
    "before": "two",
    "after": "six",
    "answer_before": "2",
    "answer_after": "6",
    "answer_changed": True,
    "method": "symbolic",
}
REFERENCE: dict[str, Any] = {
    "trace_id": "g/s0",
    "role": "reference",
    "text": "A two.\nB.",
    "steps": ("A two.", "B."),
    "rubric": RUBRIC,
    "author": "human",
}
FLAWED: dict[str, Any] = {
    **REFERENCE,
    "trace_id": "g/slip",
    "role": "flawed",
    "kind": "slip",
    "text": "A six.\nB.",
    "steps": ("A six.", "B."),
    "certificate": CERTIFICATE,
    "author": "rule",
    "parent_id": "g/s0",
}
TWIN: dict[str, Any] = {**REFERENCE, "trace_id": "g/s1", "role": "twin", "parent_id": "g/s0"}
GROUP: dict[str, Any] = {
    "group_id": "g",
    "source": "test",
    "domain": "math",
    "problem": "p",
    "traces": (REFERENCE, TWIN, FLAWED),
}
SEED: dict[str, Any] = {"source": "test", "domain": "math", "problem": "p"}
REJECTED: dict[str, Any] = {"seed_id": None, "where": "f:1", "reason": "r", "detail": "d"}
WHOLE: list[tuple[type[Record], dict[str, Any]]] = [
    (Seed, SEED),
    (Rubric, {"labels": {"a": 1}, "total": 0.25}),
    (Certificate, CERTIFICATE),
    (Trace, FLAWED),
    (Group, GROUP),
    (Rejected, REJECTED),
]


def refusal(model: type[Record], fields: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        model.model_validate(fields)
    return str(error.value)


@pytest.mark.parametrize(("model", "fields"), WHOLE)
def test_a_whole_record_is_taken_and_comes_back_from_json(
    model: type[Record], fields: dict[str, Any]
) -> None:
    record = model.model_validate(fields)
    assert model.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize(("model", "fields"), WHOLE)
def test_unknown_keys_are_refused_by_name(model: type[Record], fields: dict[str, Any]) -> None:
    assert "colour" in refusal(model, {**fields, "colour": "red"})


@pytest.mark.parametrize(("model", "fields"), WHOLE)
def test_records_are_frozen(model: type[Record], fields: dict[str, Any]) -> None:
    record = model.model_validate(fields)
    name = next(iter(fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, name, fields[name])


@pytest.mark.parametrize(
    ("model", "fields", "name"),
    [
        (Seed, {**SEED, "domain": "physics"}, "domain"),
        (Seed, {**SEED, "problem": ""}, "problem"),
        (Rubric, {"labels": {"a": 5}, "total": 1.0}, "labels.a"),
        (Rubric, {"labels": {"a": -1}, "total": 1.0}, "labels.a"),
        (Rubric, {"labels": {"a": 4}, "total": 1.5}, "total"),
        (Certificate, {**CERTIFICATE, "severity": "awful"}, "severity"),
        (Certificate, {**CERTIFICATE, "step": -1}, "step"),
        (Certificate, {**CERTIFICATE, "method": "felt"}, "method"),
        (Certificate, {**CERTIFICATE, "verdict": "refuted"}, "verdict"),
        (Certificate, {**CERTIFICATE, "propagation": "both"}, "propagation"),
        (Trace, {**REFERENCE, "role": "other"}, "role"),
        (Trace, {**REFERENCE, "text": "", "steps": ("",)}, "text"),
        (Trace, {**REFERENCE, "steps": ()}, "steps"),
    ],
)
def test_values_out_of_range_are_refused_by_field(
    model: type[Record], fields: dict[str, Any], name: str
) -> None:
    assert name in refusal(model, fields).split("\n")[1]


def test_a_span_may_be_empty_but_not_turned_around() -> None:
    assert Certificate.model_validate({**CERTIFICATE, "end": 2, "after": ""}).end == 2
    message = refusal(Certificate, {**CERTIFICATE, "end": 1})
    assert "span ends (1) before it starts (2)" in message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**REFERENCE, "kind": "slip"},
         "g/s0: a kind belongs to flawed traces, and to all of them"),
        ({**FLAWED, "kind": None}, "g/slip: a kind belongs to flawed traces, and to all of them"),
        ({**FLAWED, "kind": "leap"}, "g/slip: certificate of kind slip, not leap"),
        ({**REFERENCE, "certificate": CERTIFICATE}, "g/s0: certificate of kind slip, not None"),
        ({**FLAWED, "text": "A two.\nB.", "steps": ("A two.", "B.")},
         "g/slip: the certificate's span is not its text"),
        ({**REFERENCE, "steps": ("A two.",)}, "g/s0: the steps do not make up the text"),
        ({**REFERENCE, "steps": ("B.", "A two.")}, "g/s0: the steps do not make up the text"),
    ],
)  # fmt: skip
def test_a_trace_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    assert message in refusal(Trace, fields)


def test_steps_may_lose_the_spaces_around_them() -> None:
    assert Trace.model_validate({**REFERENCE, "text": " A  two. B.\n"}).steps == ("A two.", "B.")


@pytest.mark.parametrize(
    ("traces", "message"),
    [
        ((REFERENCE, TWIN, TWIN), "g: two traces share an id"),
        ((TWIN,), "g: a group has exactly one reference"),
        ((), "g: a group has exactly one reference"),
        ((REFERENCE, {**REFERENCE, "trace_id": "g/s9"}), "g: a group has exactly one reference"),
        ((REFERENCE, {**TWIN, "parent_id": "g/s7"}), "g/s1: parent g/s7 is no sound trace"),
        ((REFERENCE, FLAWED, {**TWIN, "parent_id": "g/slip"}),
         "g/s1: parent g/slip is no sound trace"),
    ],
)  # fmt: skip
def test_a_group_that_contradicts_itself_is_refused(
    traces: tuple[dict[str, Any], ...], message: str
) -> None:
    assert message in refusal(Group, {**GROUP, "traces": traces})


def test_sound_traces_are_reference_and_twins() -> None:
    group = Group.model_validate(GROUP)
    assert [trace.sound for trace in group.traces] == [True, True, False]
    assert group.reference.trace_id == "g/s0"


def test_a_rubrics_total_is_the_mean_of_its_labels() -> None:
    assert Rubric.of({"a": 4, "b": 3, "c": 1}).total == pytest.approx(8 / 12, abs=1e-6)
    assert Rubric.of({"a": 0}).total == 0.0


def test_equal_problems_have_equal_ids_whatever_the_spaces() -> None:
    one = Seed(source="test", domain="math", problem="How many cats?")
    same = Seed(source="test", domain="math", problem=" How  many\ncats? ", answer="3", where="x:1")
    other = Seed(source="test", domain="math", problem="How many dogs?")
    # sha256 of "How many cats?"
    assert one.seed_id == same.seed_id == "test-d182c9fc66f7"
    assert other.seed_id != one.seed_id
    assert one.model_copy(update={"source": "gsm8k"}).seed_id == "gsm8k-d182c9fc66f7"
