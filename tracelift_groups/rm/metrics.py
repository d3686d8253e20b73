"""Figures of merit of a reward model, as pure functions of scores and labels.

Axis suffixes: ``_N`` one value a trace, ``_C`` one a cluster (a problem), ``_B`` one a bootstrap
draw. A score orders traces, higher meaning sounder; only calibration and saturation read it as a
probability. Ties count half everywhere. What needs both classes and has one gives NaN.

Intervals are 95 % percentile bootstrap intervals that resample problems, not traces: the traces
of one problem share its text and are no independent draws (Cameron, Gelbach and Miller 2008,
"Bootstrap-based improvements for inference with clustered errors").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

DRAWS = 1000
SATURATED = 0.95


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Wins(NamedTuple):
    """What each trace adds to a ratio: ``sum(won_N) / sum(of_N)`` over any choice of traces."""

    won_N: Floats
    of_N: Floats


class Bin(NamedTuple):
    """Traces whose score lies in [low, high), the last bin closed above."""

    low: float
    high: float
    traces: int
    mean_score: float
    share_sound: float


class Threshold(NamedTuple):
    """A cut, and how well "flawed below it" does. F1 is that of finding the flawed traces."""

    threshold: float
    accuracy: float
    f1: float


def pair_wins(score_N: Floats, sound_N: Bools, group_N: Ints) -> Wins:
    """Per flawed trace: how many sound traces of its group are above it, of how many.

    Sound traces get zero of zero. The ratio over all traces is the pair accuracy, over the traces
    of one kind that kind's.
    """
    wins = Wins(np.zeros(len(score_N)), np.zeros(len(score_N)))
    for members in _groups(group_N):
        sound = score_N[members[sound_N[members]]]
        for index in members[~sound_N[members]]:
            wins.won_N[index] = (sound > score_N[index]).sum() + 0.5 * (
                sound == score_N[index]
            ).sum()
            wins.of_N[index] = len(sound)
    return wins


def top_wins(score_N: Floats, sound_N: Bools, group_N: Ints) -> Wins:
    """Per group, at its first trace: the share of sound traces among those on top, of one.

    Groups without a sound or without a flawed trace say nothing and get zero of zero.
    """
    wins = Wins(np.zeros(len(score_N)), np.zeros(len(score_N)))
    for members in _groups(group_N):
        sound = sound_N[members]
        if sound.any() and not sound.all():
            top = score_N[members] == score_N[members].max()
            wins.won_N[members[0]] = sound[top].mean()
            wins.of_N[members[0]] = 1.0
    return wins


def group_tau(score_N: Floats, total_N: Floats, group_N: Ints) -> Wins:
    """Per group, at its first trace: Kendall's tau-b of scores and rubric totals, of one.

    Groups whose totals are all equal have no order to find and get zero of zero.
    """
    wins = Wins(np.zeros(len(score_N)), np.zeros(len(score_N)))
    for members in _groups(group_N):
        if np.ptp(total_N[members]) > 0:
            wins.won_N[members[0]] = kendall_tau(score_N[members], total_N[members])
            wins.of_N[members[0]] = 1.0
    return wins


def kendall_tau(first_N: Floats, second_N: Floats) -> float:
    """Kendall's tau-b in [-1, 1]: concordant less discordant pairs, corrected for ties.

    Returns:
        0 where one side is constant: it orders nothing.
    """
    above = np.triu_indices(len(first_N), 1)
    signs = np.sign(first_N[:, None] - first_N)[above]
    others = np.sign(second_N[:, None] - second_N)[above]
    scale = np.sqrt(float((signs != 0).sum()) * float((others != 0).sum()))
    return float((signs * others).sum() / scale) if scale else 0.0


def auc(score_N: Floats, sound_N: Bools, weight_N: Floats | None = None) -> float:
    """Chance that a sound trace is above a flawed one, over all traces of all problems."""
    weight_N = np.ones(len(score_N)) if weight_N is None else weight_N
    return _weighted_auc(_ranks(score_N), sound_N, weight_N)


def spearman(first_N: Floats, second_N: Floats) -> float:
    """Spearman's rank correlation in [-1, 1]; 0 where one side is constant."""
    ranks, others = _mid_ranks(first_N), _mid_ranks(second_N)
    if not len(ranks) or not np.ptp(ranks) or not np.ptp(others):
        return 0.0
    return float(np.corrcoef(ranks, others)[0, 1])


def calibration_bins(score_N: Floats, sound_N: Bools, bins: int = 10) -> list[Bin]:
    """Sort scores in [0, 1] into equal bins; empty bins are left out."""
    at_N = np.minimum((score_N * bins).astype(np.int64), bins - 1)
    found = []
    for number in range(bins):
        here = at_N == number
        if here.any():
            found.append(
                Bin(
                    low=number / bins,
                    high=(number + 1) / bins,
                    traces=int(here.sum()),
                    mean_score=float(score_N[here].mean()),
                    share_sound=float(sound_N[here].mean()),
                )
            )
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean over traces of |mean score - share of sound traces| of their bin, in [0, 1]."""
    total = sum(one.traces for one in bins)
    gaps = sum(one.traces * abs(one.mean_score - one.share_sound) for one in bins)
    return gaps / total if total else float("nan")


def saturation(score_N: Floats) -> float:
    """Share of scores above 0.95: a judge that gives everything full marks ranks nothing."""
    return float((score_N > SATURATED).mean()) if len(score_N) else float("nan")


def best_threshold(score_N: Floats, sound_N: Bools) -> Threshold:
    """The cut with the highest accuracy on these very traces; the lowest of equals.

    Chosen and measured on the same traces, so better than it will be elsewhere: see
    :func:`held_out_threshold`.
    """
    order = np.argsort(score_N, kind="stable")
    score, sound = score_N[order], sound_N[order]
    # With the cut before position i, traces 0..i-1 are called flawed.
    hits = np.concatenate([[0], np.cumsum(~sound)]) + sound.sum()
    hits = hits - np.concatenate([[0], np.cumsum(sound)])
    allowed = np.concatenate([[True], score[1:] > score[:-1], [True]])
    cut = int(np.argmax(np.where(allowed, hits, -1)))
    if cut == 0:  # nothing lies below the lowest score
        threshold = score[0]
    elif cut == len(score):
        threshold = np.nextafter(score[-1], np.inf)
    else:
        threshold = (score[cut - 1] + score[cut]) / 2
    return threshold_at(score_N, sound_N, float(threshold))


def threshold_at(score_N: Floats, sound_N: Bools, threshold: float) -> Threshold:
    """Accuracy and F1 of calling flawed what scores below a given cut."""
    called_N = score_N < threshold
    caught = int((called_N & ~sound_N).sum())
    positives = int(called_N.sum()) + int((~sound_N).sum())
    return Threshold(
        threshold=threshold,
        accuracy=float((called_N == ~sound_N).mean()),
        f1=2 * caught / positives if positives else float("nan"),
    )


def held_out_threshold(score_N: Floats, sound_N: Bools, cluster_N: Ints) -> Threshold:
    """Like :func:`best_threshold`, each half of the problems cut where the other half says.

    The threshold given is the mean of the two. A single problem has no other half: NaN.
    """
    half_N = halves(cluster_N)
    if len(np.unique(half_N)) < 2:
        return Threshold(float("nan"), float("nan"), float("nan"))
    called_N = np.zeros(len(score_N), dtype=bool)
    cuts = []
    for half in (0, 1):
        cut = best_threshold(score_N[half_N != half], sound_N[half_N != half]).threshold
        called_N[half_N == half] = score_N[half_N == half] < cut
        cuts.append(cut)
    found = threshold_at(np.where(called_N, 0.0, 1.0), sound_N, 0.5)
    return found._replace(threshold=float(np.mean(cuts)))


def halves(cluster_N: Ints) -> Ints:
    """Deal problems into two halves, 0 and 1, in the order in which they first appear."""
    _, first, inverse = np.unique(cluster_N, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[inverse] % 2


def ratio(wins: Wins, cluster_N: Ints, *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """``sum(won) / sum(of)`` with its interval."""
    cluster_N = _numbered(cluster_N)
    won_C = np.bincount(cluster_N, wins.won_N)
    of_C = np.bincount(cluster_N, wins.of_N)
    keep = of_C > 0
    won_C, of_C = won_C[keep], of_C[keep]
    if not len(won_C):
        return Estimate(float("nan"), float("nan"), float("nan"))
    counts_BC = _draw(len(won_C), draws, seed)
    return _estimate(won_C.sum() / of_C.sum(), (counts_BC @ won_C) / (counts_BC @ of_C))


def auc_estimate(
    score_N: Floats, sound_N: Bools, cluster_N: Ints, *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """:func:`auc` with its interval."""
    rank_N = _ranks(score_N)
    return bootstrap(
        cluster_N,
        lambda weight_N: _weighted_auc(rank_N, sound_N, weight_N),
        draws=draws,
        seed=seed,
    )


def bootstrap(
    cluster_N: Ints, statistic: Callable[[Floats], float], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Interval of any statistic that takes a weight per trace.

    A draw takes as many problems as there are, with replacement: a trace's weight is how often
    its problem was drawn.
    """
    cluster_N = _numbered(cluster_N)
    value = statistic(np.ones(len(cluster_N)))
    clusters = int(cluster_N.max()) + 1 if len(cluster_N) else 0
    if not clusters:
        return Estimate(value, float("nan"), float("nan"))
    drawn = [statistic(count_C[cluster_N]) for count_C in _draw(clusters, draws, seed)]
    return _estimate(value, np.array(drawn))


def _draw(clusters: int, draws: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws)
    return drawn.astype(np.float64)


def _estimate(value: float, drawn_B: Floats) -> Estimate:
    drawn_B = drawn_B[np.isfinite(drawn_B)]
    if not len(drawn_B):
        return Estimate(float(value), float("nan"), float("nan"))
    low, high = np.quantile(drawn_B, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))


def _weighted_auc(rank_N: Ints, sound_N: Bools, weight_N: Floats) -> float:
    """AUC of ranks that count distinct scores from 0; O(N), so that a draw need not sort."""
    size = int(rank_N.max()) + 1 if len(rank_N) else 0
    sound_R = np.bincount(rank_N, weight_N * sound_N, minlength=size)
    flawed_R = np.bincount(rank_N, weight_N * ~sound_N, minlength=size)
    pairs = sound_R.sum() * flawed_R.sum()
    below_R = np.cumsum(flawed_R) - flawed_R
    return float((sound_R * (below_R + 0.5 * flawed_R)).sum() / pairs) if pairs else float("nan")


def _ranks(score_N: Floats) -> Ints:
    return np.unique(score_N, return_inverse=True)[1].astype(np.int64)


def _mid_ranks(value_N: Floats) -> Floats:
    _, inverse, count = np.unique(value_N, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[inverse]


def _numbered(cluster_N: Ints) -> Ints:
    return np.unique(cluster_N, return_inverse=True)[1].astype(np.int64)


def _groups(group_N: Ints) -> list[Ints]:
    order = np.argsort(group_N, kind="stable")
    starts = np.flatnonzero(np.diff(group_N[order])) + 1
    return list(np.split(order, starts)) if len(order) else []
