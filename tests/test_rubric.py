"""Labels, worked out by hand from the templates."""

from __future__ import annotations

from typing import Any

import pytest

from tracelift_groups.perturb.template import load_templates
from tracelift_groups.records import Certificate
from tracelift_groups.rubric import flawed_rubric, position_of, sound_rubric

TEMPLATES = {template.id: template for template in load_templates("math")}
DIMENSIONS = tuple(TEMPLATES["arithmetic_error"].rubric.labels)
LAST, STEPS = 3, 4


def certificate(kind: str, **facts: Any) -> Certificate:
    base: dict[str, Any] = {
        "kind": kind,
        "operator": "by hand",
        "severity": "moderate",
        "step": LAST,
        "start": 0,
        "end": 1,
        "before": "x",
        "after": "y",
        "answer_before": "1",
        "answer_after": "2",
        "answer_changed": True,
        "method": "symbolic",
    }
    return Certificate(**{**base, **facts})


def test_a_sound_trace_has_full_marks() -> None:
    rubric = sound_rubric(DIMENSIONS)
    assert list(rubric.labels) == list(DIMENSIONS)
    assert set(rubric.labels.values()) == {4}
    assert rubric.total == 1.0


@pytest.mark.parametrize(
    ("step", "steps", "position"),
    [
        (0, 1, "late"),
        (0, 2, "early"),
        (1, 2, "late"),
        (0, 3, "early"),
        (1, 3, "middle"),
        (2, 3, "late"),
        (0, 4, "early"),
        (1, 4, "middle"),
        (2, 4, "late"),
        (3, 10, "middle"),
        (2, 10, "early"),
        (6, 10, "late"),
    ],
)
def test_the_third_of_the_trace_that_a_step_lies_in(step: int, steps: int, position: str) -> None:
    assert position_of(step, steps) == position


@pytest.mark.parametrize(
    ("kind", "facts", "labels"),
    [
        ("arithmetic_error", {"propagation": "propagated"}, [4, 4, 3, 1, 1]),
        ("arithmetic_error", {"propagation": "propagated", "severity": "minor"}, [4, 4, 3, 2, 1]),
        ("arithmetic_error", {"propagation": "propagated", "severity": "severe"}, [4, 4, 3, 0, 1]),
        ("arithmetic_error",
         {"propagation": "local", "severity": "minor", "answer_changed": False}, [4, 4, 1, 2, 2]),
        ("arithmetic_error", {"propagation": "local"}, [4, 4, 1, 1, 1]),
        ("missing_condition", {}, [1, 2, 3, 4, 1]),
        ("missing_condition", {"severity": "minor"}, [2, 2, 3, 4, 1]),
        ("missing_condition", {"severity": "severe"}, [1, 1, 3, 4, 1]),
        ("missing_condition", {"severity": "severe", "step": 0}, [1, 1, 2, 4, 1]),
        ("missing_condition", {"step": 1}, [1, 2, 3, 4, 1]),
        ("premature_answer", {}, [2, 2, 2, 4, 0]),
        ("premature_answer", {"severity": "minor"}, [3, 2, 2, 4, 1]),
        ("premature_answer", {"severity": "severe"}, [2, 1, 2, 4, 0]),
        ("unit_mismatch", {}, [2, 2, 2, 3, 1]),
        ("unit_mismatch", {"severity": "minor"}, [3, 2, 2, 3, 1]),
        ("unit_mismatch", {"severity": "severe"}, [1, 2, 2, 3, 1]),
        ("unit_mismatch", {"severity": "severe", "step": 0}, [1, 2, 2, 3, 0]),
        ("unsupported_leap", {"answer_changed": False}, [4, 3, 1, 4, 2]),
        ("unsupported_leap", {"severity": "minor"}, [4, 3, 2, 4, 3]),
        ("unsupported_leap", {"severity": "severe"}, [4, 3, 0, 4, 1]),
        ("wrong_operation", {}, [2, 1, 3, 4, 1]),
        ("wrong_operation", {"severity": "minor", "step": 0}, [3, 1, 3, 4, 0]),
        ("wrong_operation", {"severity": "severe"}, [2, 0, 3, 4, 1]),
    ],
)  # fmt: skip
def test_labels_of_a_flaw(kind: str, facts: dict[str, Any], labels: list[int]) -> None:
    rubric = flawed_rubric(TEMPLATES[kind], certificate(kind, **facts), STEPS)
    assert rubric.labels == dict(zip(DIMENSIONS, labels, strict=True))
    assert rubric.total == pytest.approx(sum(labels) / 20)


def test_labels_stay_within_zero_and_four() -> None:
    template = TEMPLATES["wrong_operation"]
    for by, label in ((-9, 0), (9, 4)):
        moves = ({"severity": "moderate", "labels": dict.fromkeys(DIMENSIONS, by)},)
        rule = type(template.rubric)(
            labels=template.rubric.labels, severity=template.rubric.severity, moves=moves
        )
        moved = template.model_copy(update={"rubric": rule})
        rubric = flawed_rubric(moved, certificate("wrong_operation"), STEPS)
        assert set(rubric.labels.values()) == {label}
        assert rubric.total == label / 4


def test_a_move_wants_every_condition_that_it_names() -> None:
    template = TEMPLATES["wrong_operation"]
    move = {"severity": "moderate", "position": "late", "answer_changed": True,
            "labels": {"answer_support": 3}}  # fmt: skip
    rule = type(template.rubric)(
        labels=template.rubric.labels, severity=template.rubric.severity, moves=(move,)
    )
    moved = template.model_copy(update={"rubric": rule})

    def support(**facts: Any) -> int:
        return flawed_rubric(moved, certificate("wrong_operation", **facts), STEPS).labels[
            "answer_support"
        ]

    assert support() == 4
    assert support(severity="minor") == 1
    assert support(step=0) == 1
    assert support(answer_changed=False) == 1
