"""Finds the first wrong step of a trace from the scores of its prefixes.

``prefix_T[t]`` is the score of the text up to and with step t. Two readings:

* *below*: the first prefix that scores below a threshold; none, and the trace is called sound;
* *drop*: a trace whose whole text scores below a threshold is called flawed, at the step that
  lowered the score most. The first step is compared with the mean first prefix of all traces. A
  model trained on whole traces finds every prefix wanting; this reading allows for that.

ProcessBench's F1 is the harmonic mean of two accuracies: of flawed traces, those whose first wrong
step is named exactly; of sound ones, those called sound (Zheng et al. 2024, and the published
evaluation code). Thresholds there are chosen on the GSM8K part; here three are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tracelift_groups.rm.metrics import Floats, Ints, halves

SOUND = -1
_CANDIDATES = 200


class Location(NamedTuple):
    """A trace with the scores of its prefixes."""

    prefix_T: Floats
    first_error: int | None


class Located(NamedTuple):
    """How well first errors were found. ``f1`` is the harmonic mean of the two accuracies."""

    reading: str
    threshold: str
    """at 0.5; best (on these very traces); held out (chosen on the other half of the problems)."""
    cut: float
    error_accuracy: float
    correct_accuracy: float
    f1: float


Reading = Callable[[Sequence[Location], float], Ints]


def locate(traces: Sequence[Location], problem_N: Ints) -> tuple[Located, ...]:
    """Measure both readings with each choice of threshold."""
    truth_N = np.array([SOUND if t.first_error is None else t.first_error for t in traces])
    half_N = halves(problem_N)
    start = float(np.mean([trace.prefix_T[0] for trace in traces]))
    readings: dict[str, Reading] = {
        "below": first_below,
        "drop": lambda chosen, cut: largest_drop(chosen, cut, start),
    }
    found = []
    for name, reading in readings.items():
        best = _best_cut(reading, traces, truth_N)
        for threshold, cut in (("at 0.5", 0.5), ("best", best)):
            named_N = reading(traces, cut)
            found.append(Located(name, threshold, cut, *process_f1(named_N, truth_N)))
        named_N = np.full(len(traces), SOUND)
        cuts = []
        for half in (0, 1):
            others = np.flatnonzero(half_N != half).tolist()
            here = np.flatnonzero(half_N == half).tolist()
            if others and here:
                cut = _best_cut(reading, [traces[i] for i in others], truth_N[others])
                named_N[here] = reading([traces[i] for i in here], cut)
                cuts.append(cut)
        if cuts:
            accuracies = process_f1(named_N, truth_N)
            found.append(Located(name, "held out", float(np.mean(cuts)), *accuracies))
    return tuple(found)


def first_below(traces: Sequence[Location], cut: float) -> Ints:
    """The first step whose prefix scores below the cut, or -1."""
    return np.array(
        [int(np.argmax(low)) if (low := t.prefix_T < cut).any() else SOUND for t in traces],
        dtype=np.int64,
    )


def largest_drop(traces: Sequence[Location], cut: float, start: float) -> Ints:
    """The step that lowers the score most, where the whole text scores below the cut; else -1."""
    return np.array(
        [
            int(np.argmin(np.diff(t.prefix_T, prepend=start))) if t.prefix_T[-1] < cut else SOUND
            for t in traces
        ],
        dtype=np.int64,
    )


class Accuracies(NamedTuple):
    """Accuracy on flawed traces, on sound ones, and their harmonic mean; NaN without a class."""

    error: float
    correct: float
    f1: float


def process_f1(named_N: Ints, truth_N: Ints) -> Accuracies:
    """ProcessBench's F1 of named first errors, -1 meaning none."""
    flawed_N = truth_N != SOUND
    hit_N = named_N == truth_N
    error = float(hit_N[flawed_N].mean()) if flawed_N.any() else float("nan")
    correct = float(hit_N[~flawed_N].mean()) if not flawed_N.all() else float("nan")
    both = error + correct
    return Accuracies(error, correct, 2 * error * correct / both if both else 0.0)


def _best_cut(reading: Reading, traces: Sequence[Location], truth_N: Ints) -> float:
    """The cut with the highest F1, of 200 spread over the scores that occur; first of equals."""
    seen = np.unique(np.concatenate([trace.prefix_T for trace in traces]))
    cuts = np.unique(np.quantile(seen, np.linspace(0, 1, _CANDIDATES)))
    figures = [process_f1(reading(traces, float(cut)), truth_N).f1 for cut in cuts]
    return float(cuts[int(np.argmax(np.nan_to_num(figures, nan=-1.0)))])
