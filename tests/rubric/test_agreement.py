"""Agreement against its definition and published figures; saturation; the order of pairs."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import numpy as np
import pytest

from tracelift_groups.rubric.agreement import JudgeStatistics, alpha

NONE = float("nan")
# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section E: four observers,
# twelve units. For interval data he gives 0.849.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]


def by_definition(ratings: list[list[float]]) -> float:
    """1 - observed / expected disagreement, over all ordered pairs of values, squared distance."""
    units = [
        [value for value in unit if not np.isnan(value)] for unit in zip(*ratings, strict=True)
    ]
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    observed = sum(
        sum((one - two) ** 2 for one, two in permutations(unit, 2)) / (len(unit) - 1)
        for unit in units
    ) / len(values)
    expected = sum((one - two) ** 2 for one, two in permutations(values, 2)) / (
        len(values) * (len(values) - 1)
    )
    return 1 - observed / expected


def test_the_published_example() -> None:
    assert alpha(np.array(KRIPPENDORFF)) == pytest.approx(0.849, abs=5e-4)
    assert by_definition(KRIPPENDORFF) == pytest.approx(0.849, abs=5e-4)


def test_by_hand() -> None:
    # Observed (1 + 1) / 4 = 1/2; expected over 0, 1, 10, 10: (2*1 + 4*100 + 4*81) / 12 = 121/2.
    assert alpha(np.array([[0.0, 10.0], [1.0, 10.0]])) == pytest.approx(1 - 1 / 121, abs=5e-5)


def test_as_the_definition_has_it() -> None:
    draw = Random(5)
    for _ in range(20):
        ratings = [
            [NONE if draw.random() < 0.2 else float(draw.randint(0, 10)) for _ in range(8)]
            for _ in range(3)
        ]
        assert alpha(np.array(ratings)) == pytest.approx(by_definition(ratings), abs=1e-4)


@pytest.mark.parametrize(
    ("ratings", "value"),
    [
        ([[1.0, 5.0, 9.0], [1.0, 5.0, 9.0]], 1.0),
        ([[1.0, 2.0, 3.0]], None),
        ([[1.0, NONE], [NONE, 2.0]], None),
        ([[7.0, 7.0], [7.0, 7.0]], None),
        ([[7.0, 7.0, 3.0], [7.0, 7.0, NONE]], None),  # the 3 stands alone
    ],
)
def test_limits(ratings: list[list[float]], value: float | None) -> None:
    assert alpha(np.array(ratings)) == value


def trace(role: str, total: float, *judgements: tuple[str, int, dict[str, int]]) -> dict[str, Any]:
    said = [{"judge": judge, "sample": n, "scores": scores} for judge, n, scores in judgements]
    return {"role": role, "rubric": {"total": total}, "judgements": said or None}


def judged(role: str, total: float) -> dict[str, Any]:
    return trace(role, total, ("j", 0, {"d": round(total * 10)}))


def told(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    statistics = JudgeStatistics()
    for traces in groups:
        statistics.add({"traces": traces})
    summary = statistics.summary()
    assert summary is not None
    return summary


def test_without_judges_there_is_nothing_to_tell() -> None:
    statistics = JudgeStatistics()
    statistics.add({"traces": [trace("reference", 1.0), trace("flawed", 0.5)]})
    assert statistics.summary() is None


def test_agreement_is_by_dimension_and_over_all_groups() -> None:
    points = {"a": [(9, 8), (3, 4), (5, 5)], "b": [(9, 1), (1, 9), (5, 5)]}
    groups = [
        [
            trace(
                "reference",
                0.5,
                ("x", 0, {name: given[unit][0] for name, given in points.items()}),
                ("y", 0, {name: given[unit][1] for name, given in points.items()}),
            )
        ]
        for unit in range(3)
    ]
    summary = told(*groups)
    assert summary["raters"] == ["x #0", "y #0"]
    assert summary["traces"] == 3
    for name, given in points.items():
        table = [[float(one[rater]) for one in given] for rater in range(2)]
        assert summary["agreement"][name] == pytest.approx(by_definition(table), abs=1e-4)
    assert summary["agreement"]["a"] > 0.8
    assert summary["agreement"]["b"] < 0


def test_a_rater_that_failed_once_is_not_mixed_up_with_another() -> None:
    summary = told(
        [trace("reference", 1, ("x", 0, {"d": 9}), ("y", 0, {"d": 8}))],
        [trace("reference", 1, ("y", 0, {"d": 2}))],
        [trace("reference", 1, ("y", 0, {"d": 4}), ("x", 0, {"d": 3}))],
    )
    table = [[9.0, NONE, 3.0], [8.0, 2.0, 4.0]]
    assert summary["agreement"] == {"d": pytest.approx(by_definition(table), abs=1e-4)}
    samples = told([trace("reference", 1, ("x", 0, {"d": 9}), ("x", 1, {"d": 8}))])
    assert samples["raters"] == ["x #0", "x #1"]


@pytest.mark.parametrize(
    ("sound", "flawed", "ordered"),
    [
        ([1.0], [0.5], 1.0),
        ([0.5], [1.0], 0.0),
        ([0.7], [0.7], 0.5),
        ([1.0, 0.6], [0.6, 0.8, 0.2], 4.5 / 6),
    ],
)
def test_the_share_of_pairs_in_order(
    sound: list[float], flawed: list[float], ordered: float
) -> None:
    traces = [judged("reference", total) for total in sound]
    traces += [judged("flawed", total) for total in flawed]
    assert told(traces)["ordered"] == pytest.approx(ordered, abs=1e-4)


def test_pairs_are_of_one_group() -> None:
    assert told([judged("reference", 0.1)], [judged("flawed", 0.9)])["ordered"] is None


@pytest.mark.parametrize(
    ("full_sound", "low_sound", "full_flawed", "low_flawed", "warned"),
    [
        (8, 2, 0, 0, False),  # 0.8 of all
        (9, 2, 0, 0, True),
        (3, 0, 5, 5, False),  # 0.5 of the flawed
        (3, 0, 6, 5, True),
        (10, 0, 0, 10, False),
    ],
)
def test_a_judge_that_gives_full_marks_is_warned_of(
    full_sound: int, low_sound: int, full_flawed: int, low_flawed: int, warned: bool
) -> None:
    traces = [judged("reference", 0.96)] * full_sound + [judged("twin", 0.95)] * low_sound
    traces += [judged("flawed", 1.0)] * full_flawed + [judged("flawed", 0.3)] * low_flawed
    summary = told(traces)
    full, flawed = full_sound + full_flawed, full_flawed + low_flawed
    assert summary["saturated"] == pytest.approx(full / len(traces), abs=1e-4)
    assert summary["saturated_flawed"] == pytest.approx(full_flawed / max(1, flawed), abs=1e-4)
    assert (summary["warning"] is not None) is warned
    if warned:
        assert "the judge is saturated" in summary["warning"]
