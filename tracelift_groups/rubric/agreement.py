"""How far judges can be trusted: agreement, saturation, and whether they see the flaws."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np

# A score above this counts as full marks; the published judge gave 95.5 % of its scores so.
SATURATED = 0.95
WARN_SHARE = 0.8
WARN_FLAWED_SHARE = 0.5


class JudgeStatistics:
    """Gathers what judges said of the traces of a run, group by group."""

    def __init__(self) -> None:
        self._raters: dict[tuple[str, int], int] = {}
        self._scores: dict[str, list[dict[int, int]]] = {}
        self._totals: list[float] = []
        self._flawed: list[bool] = []
        self._pairs = self._right = 0.0

    def add(self, group: dict[str, Any]) -> None:
        """Count a dumped group."""
        sound: list[float] = []
        flawed: list[float] = []
        for trace in group["traces"]:
            if not trace["judgements"]:
                continue
            total = trace["rubric"]["total"]
            is_flawed = trace["role"] == "flawed"
            (flawed if is_flawed else sound).append(total)
            self._totals.append(total)
            self._flawed.append(is_flawed)
            self._add_scores(trace["judgements"])
        for one, other in product(sound, flawed):
            self._pairs += 1
            self._right += 1.0 if one > other else 0.5 if one == other else 0.0

    def _add_scores(self, judgements: Iterable[dict[str, Any]]) -> None:
        unit: dict[str, dict[int, int]] = {}
        for said in judgements:
            key = (said["judge"], said["sample"])
            rater = self._raters.setdefault(key, len(self._raters))
            for name, score in said["scores"].items():
                unit.setdefault(name, {})[rater] = score
        for name, scores in unit.items():
            self._scores.setdefault(name, []).append(scores)

    def summary(self) -> dict[str, Any] | None:
        """The figures for manifest and card; None where no judge said anything.

        ``agreement`` is Krippendorff's alpha for interval data, per dimension: 1 is perfect, 0 is
        chance; None with a single rater, or where all scores are equal. ``saturated`` are shares
        of totals above ``SATURATED``. ``ordered`` is the share of (sound, flawed) pairs of a group
        with the sound trace higher; ties count half.
        """
        if not self._totals:
            return None
        totals, flawed = np.array(self._totals), np.array(self._flawed)
        full = totals > SATURATED
        share = float(full.mean())
        flawed_share = float(full[flawed].mean()) if flawed.any() else 0.0
        return {
            "raters": [f"{judge} #{sample}" for judge, sample in self._raters],
            "traces": len(totals),
            "agreement": {name: self._alpha(units) for name, units in self._scores.items()},
            "mean_total": round(float(totals.mean()), 4),
            "saturated": round(share, 4),
            "saturated_flawed": round(flawed_share, 4),
            "ordered": round(self._right / self._pairs, 4) if self._pairs else None,
            "warning": _warning(share, flawed_share),
        }

    def _alpha(self, units: list[dict[int, int]]) -> float | None:
        data = np.full((len(self._raters), len(units)), np.nan)
        for column, scores in enumerate(units):
            for rater, score in scores.items():
                data[rater, column] = score
        return alpha(data)


def alpha(ratings: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Krippendorff's alpha for interval data.

    Args:
        ratings: Raters x units; NaN where a rater did not rate.

    Returns:
        At most 1; None where no unit has two ratings, or all ratings are equal.
    """
    import krippendorff

    paired = ratings[:, (~np.isnan(ratings)).sum(axis=0) > 1]
    values = paired[~np.isnan(paired)]
    if not values.size or np.all(values == values[0]):
        return None
    return round(
        float(krippendorff.alpha(reliability_data=paired, level_of_measurement="interval")), 4
    )


def _warning(share: float, flawed_share: float) -> str | None:
    if share > WARN_SHARE or flawed_share > WARN_FLAWED_SHARE:
        return (
            f"the judge is saturated: {share:.1%} of all totals and {flawed_share:.1%} of those of "
            f"flawed traces are above {SATURATED}"
        )
    return None
