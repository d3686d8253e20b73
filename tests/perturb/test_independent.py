"""A build's certificates against a checker that shares no code with the package."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.perturb.independent import Complaint, check_group

_ROOT = Path(__file__).parents[2]
_GSM8K = _ROOT.parent / "shared/data/derived/gsm8k_train_minus_heldout.jsonl"

_PARENT = (
    "The trays hold 6 * 14 = 84 rolls.\n"
    "After the sale 84 - 50 = 34 rolls are left.\n"
    "With 11 more there are 34 + 11 = 45 rolls."
)


def _build(out: Path, *options: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tracelift_groups", "build", *options, "--out", str(out)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = (out / "groups" / f"{name}.parquet" for name in ("train", "validation"))
    return [row for part in parts if part.exists() for row in pq.read_table(part).to_pylist()]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return _build(tmp_path_factory.mktemp("build") / "sample", "--source", "sample")


def _listed(found: list[Complaint]) -> str:
    return "\n".join(f"{x.trace_id}: {x.what}" for x in found)


def test_every_certificate_of_the_sample_is_borne_out(sample: list[dict[str, Any]]) -> None:
    assert len(sample) > 50
    assert sum(t["role"] == "flawed" for row in sample for t in row["traces"]) > 200
    found = [x for row in sample for x in check_group(row)]
    assert not found, _listed(found)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.skipif(not _GSM8K.exists(), reason="needs ../shared/data")
def test_nearly_every_certificate_of_gsm8k_is_borne_out(tmp_path: Path) -> None:
    rows = _build(tmp_path / "gsm8k", "--source", "gsm8k", "--seeds", str(_GSM8K), "--limit", "400")
    assert len(rows) > 300
    traces = Counter(t["kind"] or t["role"] for row in rows for t in row["traces"])
    found = [x for row in rows for x in check_group(row)]
    doubtful = Counter(kind for _, kind in {(x.trace_id, x.kind) for x in found})
    for kind, count in traces.items():
        # prose that no small parser reads: algebra, clock times, "4=6*15"
        assert doubtful[kind] <= 0.04 * count, _listed([x for x in found if x.kind == kind])


def _trace(name: str, text: str, certificate: dict[str, Any] | None = None) -> dict[str, Any]:
    role = "reference" if name == "s0" else "twin" if name.startswith("s") else "flawed"
    return {
        "trace_id": f"g/{name}",
        "role": role,
        "kind": certificate["kind"] if certificate else None,
        "text": text,
        "steps": text.split("\n"),
        "certificate": certificate,
        "parent_id": None if role == "reference" else "g/s0",
    }


def _flaw(name: str, kind: str, text: str, span: str, before: str, **more: Any) -> dict[str, Any]:
    start = text.index(span)
    certificate: dict[str, Any] = {
        "kind": kind,
        "operator": "",
        "step": text[:start].count("\n"),
        "start": start,
        "end": start + len(span),
        "before": before,
        "after": span,
        "answer_before": "45",
        "answer_after": text.rstrip(".").split()[-2],
        "propagation": None,
        "claimed": None,
        "expected": None,
        "quantity": None,
    } | more
    certificate["answer_changed"] = certificate["answer_after"] != "45"
    return _trace(name, text, certificate)


@pytest.fixture
def group() -> dict[str, Any]:
    """A group without a fault, written by hand."""
    slip = _PARENT.replace("14 = 84", "14 = 74").replace("84 - 50 = 34", "74 - 50 = 24")
    slip = slip.replace("34 + 11 = 45", "24 + 11 = 35")
    swapped = _PARENT.replace("34 + 11 = 45", "34 - 11 = 23")
    dropped = _PARENT.replace("After the sale 84 - 50 = 34 rolls are left.\n", "")
    dropped = dropped.replace("34 + 11 = 45", "84 + 11 = 95")
    leap = _PARENT.replace("84 - 50 = 34", "34")
    early = _PARENT.replace("34 + 11 = 45", "34")
    return {
        "group_id": "g",
        "problem": "A baker fills 6 trays with 14 rolls each, sells 50 rolls and bakes 11 more. "
        "How many rolls are there?",
        "answer": "45",
        "traces": [
            _trace("s0", _PARENT),
            _trace("s1", _PARENT.replace("6 * 14 = 84", "14 times 6 is 84")),
            _flaw(
                "arithmetic_error", "arithmetic_error", slip, "74", "84",
                propagation="propagated", claimed="74", expected="84",
            ),
            _flaw("wrong_operation", "wrong_operation", swapped, "34 - 11 = 23", "34 + 11 = 45"),
            _flaw(
                "missing_condition", "missing_condition", dropped, "84 + 11 = 95", "34 + 11 = 45",
                quantity="50",
            ),
            _flaw("unsupported_leap", "unsupported_leap", leap, "34", "84 - 50 = 34"),
            _flaw("premature_answer", "premature_answer", early, "34 rolls.", "34 + 11 = 45"),
        ],
    }  # fmt: skip


def _found(group: dict[str, Any], name: str) -> str:
    return _listed([x for x in check_group(group) if x.trace_id in (f"g/{name}", "g")])


def _of(group: dict[str, Any], name: str) -> dict[str, Any]:
    return next(t for t in group["traces"] if t["trace_id"] == f"g/{name}")


def _retold(trace: dict[str, Any], old: str, new: str) -> None:
    assert old in trace["text"]
    trace["text"] = trace["text"].replace(old, new)
    trace["steps"] = trace["text"].split("\n")


def test_a_faultless_group_passes(group: dict[str, Any]) -> None:
    assert not check_group(group), _listed(check_group(group))


def test_a_wrong_span_is_noticed(group: dict[str, Any]) -> None:
    certificate = _of(group, "arithmetic_error")["certificate"]
    certificate["start"] += 1
    certificate["end"] += 1
    assert "after is not the span" in _found(group, "arithmetic_error")


def test_a_span_outside_the_false_equation_is_noticed(group: dict[str, Any]) -> None:
    trace = _of(group, "arithmetic_error")
    start = trace["text"].rindex("74")
    trace["certificate"] |= {"start": start, "end": start + 2, "step": 1}
    assert "not in the false equation" in _found(group, "arithmetic_error")


def test_a_wrong_step_is_noticed(group: dict[str, Any]) -> None:
    _of(group, "wrong_operation")["certificate"]["step"] = 0
    assert "the span is not in the step" in _found(group, "wrong_operation")


def test_a_second_false_equation_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "arithmetic_error"), "24 + 11 = 35", "24 + 11 = 36")
    assert "2 false equations, not 1" in _found(group, "arithmetic_error")


@pytest.mark.parametrize("name", ["s1", "wrong_operation", "missing_condition", "unsupported_leap"])
def test_a_false_equation_is_noticed_where_none_belongs(group: dict[str, Any], name: str) -> None:
    trace = _of(group, name)
    trace |= {"text": trace["text"] + "\nTo check: 8 - 5 = 2.", "steps": [*trace["steps"], ""]}
    assert "1 false equations, not 0: 8 - 5 = 2" in _found(group, name)


def test_an_error_that_is_none_is_noticed(group: dict[str, Any]) -> None:
    trace = _of(group, "arithmetic_error")
    for old, new in (("74", "84"), ("24", "34"), ("35", "45")):
        _retold(trace, old, new)
    assert "0 false equations, not 1" in _found(group, "arithmetic_error")


def test_a_slip_that_is_not_carried_through_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "arithmetic_error"), "74 - 50 = 24", "84 - 50 = 34")
    _retold(_of(group, "arithmetic_error"), "24 + 11 = 35", "34 + 11 = 45")
    assert "propagated, but the value is not used" in _found(group, "arithmetic_error")


def test_a_local_slip_that_is_carried_through_is_noticed(group: dict[str, Any]) -> None:
    _of(group, "arithmetic_error")["certificate"]["propagation"] = "local"
    assert "local, but more was changed" in _found(group, "arithmetic_error")


def test_changed_operands_are_noticed(group: dict[str, Any]) -> None:
    trace = _of(group, "wrong_operation")
    _retold(trace, "34 - 11 = 23", "50 - 11 = 39")
    trace["certificate"] |= {"after": "50 - 11 = 39", "answer_after": "39"}
    assert "operands changed" in _found(group, "wrong_operation")


def test_a_quantity_that_is_still_there_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "missing_condition"), "hold", "hold, the 50 aside,")
    assert "quantity '50' is still there" in _found(group, "missing_condition")


def test_another_lost_quantity_is_noticed(group: dict[str, Any]) -> None:
    trace = _of(group, "missing_condition")
    text = "The trays hold 6 * 6 = 36 rolls.\nWith 11 more there are 36 + 11 = 47 rolls."
    trace |= {"text": text, "steps": text.splitlines()}
    assert "other given operands lost: 14" in _found(group, "missing_condition")


def test_a_value_that_is_still_derived_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "unsupported_leap"), "With", "Taking 84 - 50 = 34 again, with")
    assert "the value is still derived" in _found(group, "unsupported_leap")


def test_a_given_value_is_no_leap(group: dict[str, Any]) -> None:
    group["problem"] += " The baker has 34 rolls in mind."
    assert "the value is given" in _found(group, "unsupported_leap")


def test_a_value_that_no_step_derives_is_noticed(group: dict[str, Any]) -> None:
    trace = _of(group, "premature_answer")
    _retold(trace, "there are 34", "there are 33")
    trace["certificate"] |= {"after": "33 rolls.", "answer_after": "33"}
    assert "no intermediate one" in _found(group, "premature_answer")


def test_an_unchanged_answer_is_noticed(group: dict[str, Any]) -> None:
    _of(group, "wrong_operation")["certificate"] |= {"answer_after": "45", "answer_changed": False}
    found = _found(group, "wrong_operation")
    assert "the answer does not change" in found
    assert "answer_after 45 but it ends on 23" in found


def test_another_answer_than_the_text_ends_on_is_noticed(group: dict[str, Any]) -> None:
    _of(group, "premature_answer")["certificate"]["answer_after"] = "11"
    assert "answer_after is not the last number" in _found(group, "premature_answer")


def test_a_value_left_over_from_the_parent_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "missing_condition"), "With 11", "Taking 34 and 11 into account, with 11")
    assert "stale number in prose 34" in _found(group, "missing_condition")


def test_a_twin_that_ends_elsewhere_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "s1"), "34 + 11 = 45", "34 + 14 = 48")
    assert "a twin that ends on another value" in _found(group, "s1")


def test_a_twin_that_loses_a_step_is_noticed(group: dict[str, Any]) -> None:
    _retold(_of(group, "s1"), "14 times 6 is 84", "84")
    assert "a twin without the reference's operand 6, 14" in _found(group, "s1")


def test_a_duplicate_text_is_noticed(group: dict[str, Any]) -> None:
    twin = copy.deepcopy(_of(group, "s1"))
    group["traces"].append(twin | {"trace_id": "g/s2"})
    assert "same text as g/s1" in _found(group, "s2")


@pytest.mark.parametrize(
    ("words", "what"),
    [("incorrectly 6", "give-away"), ("<<6*14=84>>6", "annotations"), ("#### 6", "annotations")],
)
def test_wording_that_gives_the_label_away_is_noticed(
    group: dict[str, Any], words: str, what: str
) -> None:
    _retold(_of(group, "unsupported_leap"), "6", words)
    assert what in _found(group, "unsupported_leap")


def test_too_few_traces_are_noticed(group: dict[str, Any]) -> None:
    group["traces"] = group["traces"][:5]
    assert "role counts" in _found(group, "g")
