"""Measures a judge of reasoning on groups, or on reasoning that somebody else judged.

A judge is anything that gives items a score in [0, 1]: a model folder, or a server. Beside its
figures stand those of the cheap baselines, on the same traces with the same intervals.

Groups are asked about order: does a sound trace stand above a flawed one of the same problem?
Judged traces, where a problem may have one trace, are also asked across problems: AUC, and how
well a cut tells flawed from sound. The cut is given twice: the best on these very traces, which
flatters, and chosen on the other half of the problems, which does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tracelift_groups.records import Group
from tracelift_groups.rm import metrics
from tracelift_groups.rm.baselines import Baseline, Text
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.judge import ScoreItems
from tracelift_groups.rm.locate import Located, Location, locate
from tracelift_groups.rm.metrics import Bin, Bools, Estimate, Floats, Ints, Threshold, Wins
from tracelift_groups.rm.traces import JudgedTrace


@dataclass(frozen=True)
class Shape:
    """What the scores are like as numbers, whatever order they give."""

    expected_calibration_error: float
    bins: tuple[Bin, ...]
    saturation: float
    """Share of scores above 0.95."""
    mean_sound: float
    mean_flawed: float
    length_correlation: float
    """Spearman's, of score and characters, over all traces."""
    swap_delta: Estimate | None
    """Mean score of sound traces less that of the same text under another problem."""
    swap_above: Estimate | None
    """Share of sound traces that score higher under their own problem."""


@dataclass(frozen=True)
class GroupFigures:
    """How a judge orders the traces of groups."""

    judge: str
    pairs: Estimate
    """Share of (sound, flawed) pairs of a group in the right order."""
    top: Estimate
    """Share of groups with a sound trace on top."""
    tau: Estimate
    """Kendall's tau-b of scores and rubric totals, mean over groups."""
    by_kind: Mapping[str, Estimate]
    """Pair accuracy by kind of flaw."""


@dataclass(frozen=True)
class GroupReport:
    """A judge and the baselines on groups; the judge's figures come first."""

    groups: int
    traces: int
    by_kind: Mapping[str, int]
    """Flawed traces of each kind."""
    figures: tuple[GroupFigures, ...]
    shape: Shape


@dataclass(frozen=True)
class TraceFigures:
    """How a judge tells flawed from sound among judged traces."""

    judge: str
    auc: Estimate
    within: Estimate
    """Share of (sound, flawed) pairs of one problem in the right order."""
    best: Threshold
    """The best cut on these very traces."""
    held_out: Threshold
    """The cut of each half of the problems chosen on the other."""
    auc_by_tag: Mapping[str, Estimate]


@dataclass(frozen=True)
class TraceReport:
    """A judge and the baselines on judged traces; the judge's figures come first."""

    problems: int
    traces: int
    flawed: int
    figures: tuple[TraceFigures, ...]
    shape: Shape
    located: tuple[Located, ...]
    """First errors found by scoring prefixes, where the file names them."""


class _Columns(NamedTuple):
    items: list[Item]
    sound_N: Bools
    group_N: Ints
    problem_N: Ints

    @property
    def texts(self) -> list[Text]:
        return [Text(item.problem, item.reasoning) for item in self.items]


def evaluate_groups(
    judge: ScoreItems,
    groups: Sequence[Group],
    baselines: Mapping[str, Baseline],
    *,
    name: str = "RM",
) -> GroupReport:
    """Measure a judge on groups.

    Args:
        judge: Items to scores.
        groups: At least one, each with its traces.
        baselines: Cheap scores to stand beside it, by name.
        name: What the judge is called in the report.
    """
    traces = [trace for group in groups for trace in group.traces]
    columns = _Columns(
        items=[
            Item(group.problem, trace.text, group.domain, group.tests)
            for group in groups
            for trace in group.traces
        ],
        sound_N=np.array([trace.sound for trace in traces]),
        group_N=np.repeat(np.arange(len(groups)), [len(group.traces) for group in groups]),
        problem_N=_numbers([group.problem for group in groups for _ in group.traces]),
    )
    kind_N = np.array([trace.kind or "" for trace in traces])
    total_N = np.array([trace.rubric.total for trace in traces])
    scores = _scores(judge, columns, baselines, name)
    return GroupReport(
        groups=len(groups),
        traces=len(traces),
        by_kind={kind: int((kind_N == kind).sum()) for kind in _kinds(kind_N)},
        figures=tuple(
            _group_figures(who, score_N, columns, kind_N, total_N)
            for who, score_N in scores.items()
        ),
        shape=_shape(judge, scores[name], columns),
    )


def evaluate_traces(
    judge: ScoreItems,
    traces: Sequence[JudgedTrace],
    baselines: Mapping[str, Baseline],
    *,
    name: str = "RM",
) -> TraceReport:
    """Measure a judge on judged traces; see :func:`evaluate_groups`."""
    problem_N = _numbers([trace.problem for trace in traces])
    columns = _Columns(
        items=[Item(trace.problem, trace.reasoning) for trace in traces],
        sound_N=np.array([trace.correct for trace in traces]),
        group_N=problem_N,
        problem_N=problem_N,
    )
    tag_N = np.array([trace.tag for trace in traces])
    scores = _scores(judge, columns, baselines, name)
    return TraceReport(
        problems=len(set(problem_N.tolist())),
        traces=len(traces),
        flawed=int((~columns.sound_N).sum()),
        figures=tuple(
            _trace_figures(who, score_N, columns, tag_N) for who, score_N in scores.items()
        ),
        shape=_shape(judge, scores[name], columns),
        located=_located(judge, traces, problem_N),
    )


def _scores(
    judge: ScoreItems, columns: _Columns, baselines: Mapping[str, Baseline], name: str
) -> dict[str, Floats]:
    texts = columns.texts
    scores = {name: np.asarray(judge(columns.items), dtype=np.float64)}
    scores |= {who: np.asarray(score(texts)) for who, score in baselines.items()}
    return scores


def _group_figures(
    who: str, score_N: Floats, columns: _Columns, kind_N: np.ndarray, total_N: Floats
) -> GroupFigures:
    group_N, cluster_N = columns.group_N, columns.problem_N
    wins = metrics.pair_wins(score_N, columns.sound_N, group_N)
    return GroupFigures(
        judge=who,
        pairs=metrics.ratio(wins, cluster_N),
        top=metrics.ratio(metrics.top_wins(score_N, columns.sound_N, group_N), cluster_N),
        tau=metrics.ratio(metrics.group_tau(score_N, total_N, group_N), cluster_N),
        by_kind={
            kind: metrics.ratio(_only(wins, kind_N == kind), cluster_N) for kind in _kinds(kind_N)
        },
    )


def _trace_figures(who: str, score_N: Floats, columns: _Columns, tag_N: np.ndarray) -> TraceFigures:
    sound_N, problem_N = columns.sound_N, columns.problem_N
    wins = metrics.pair_wins(score_N, sound_N, columns.group_N)
    by_tag = {}
    for tag in sorted(set(tag_N.tolist()) - {""}):
        here = tag_N == tag
        if 0 < sound_N[here].sum() < here.sum():
            by_tag[tag] = metrics.auc_estimate(score_N[here], sound_N[here], problem_N[here])
    return TraceFigures(
        judge=who,
        auc=metrics.auc_estimate(score_N, sound_N, problem_N),
        within=metrics.ratio(wins, problem_N),
        best=metrics.best_threshold(score_N, sound_N),
        held_out=metrics.held_out_threshold(score_N, sound_N, problem_N),
        auc_by_tag=by_tag,
    )


def _shape(judge: ScoreItems, score_N: Floats, columns: _Columns) -> Shape:
    sound_N = columns.sound_N
    bins = metrics.calibration_bins(score_N, sound_N)
    length_N = np.array([float(len(item.reasoning)) for item in columns.items])
    delta, above = _swapped(judge, score_N, columns)
    return Shape(
        expected_calibration_error=metrics.expected_calibration_error(bins),
        bins=tuple(bins),
        saturation=metrics.saturation(score_N),
        mean_sound=_mean(score_N[sound_N]),
        mean_flawed=_mean(score_N[~sound_N]),
        length_correlation=metrics.spearman(score_N, length_N),
        swap_delta=delta,
        swap_above=above,
    )


def _swapped(
    judge: ScoreItems, score_N: Floats, columns: _Columns
) -> tuple[Estimate | None, Estimate | None]:
    """Score the sound traces under the next problem of their domain."""
    items = columns.items
    next_problem: dict[str, Item] = {}
    for domain in {item.domain for item in items}:
        one_each = list({item.problem: item for item in items if item.domain == domain}.values())
        if len(one_each) > 1:
            for item, other in pairwise([*one_each, one_each[0]]):
                next_problem[item.problem] = other
    chosen = [
        index
        for index, item in enumerate(items)
        if columns.sound_N[index] and item.problem in next_problem
    ]
    if not chosen:
        return None, None
    others = []
    for index in chosen:
        other = next_problem[items[index].problem]
        others.append(items[index]._replace(problem=other.problem, tests=other.tests))
    own_N, other_N = score_N[chosen], np.asarray(judge(others), dtype=np.float64)
    above_N = (own_N > other_N) + 0.5 * (own_N == other_N)
    cluster_N, ones = columns.problem_N[chosen], np.ones(len(chosen))
    return (
        metrics.ratio(Wins(own_N - other_N, ones), cluster_N),
        metrics.ratio(Wins(above_N, ones), cluster_N),
    )


def _located(
    judge: ScoreItems, traces: Sequence[JudgedTrace], problem_N: Ints
) -> tuple[Located, ...]:
    stepwise = [index for index, trace in enumerate(traces) if trace.steps]
    if not stepwise:
        return ()
    prefixes = [
        Item(traces[index].problem, "\n".join(traces[index].steps[:end]))
        for index in stepwise
        for end in range(1, len(traces[index].steps) + 1)
    ]
    score = np.asarray(judge(prefixes), dtype=np.float64)
    ends = np.cumsum([len(traces[index].steps) for index in stepwise])
    return locate(
        [
            Location(prefix_T=prefix_T, first_error=traces[index].first_error)
            for index, prefix_T in zip(stepwise, np.split(score, ends[:-1]), strict=True)
        ],
        problem_N[stepwise],
    )


def _only(wins: Wins, here: Bools) -> Wins:
    return Wins(wins.won_N * here, wins.of_N * here)


def _kinds(kind_N: np.ndarray) -> list[str]:
    return sorted(set(kind_N.tolist()) - {""})


def _numbers(names: Sequence[str]) -> Ints:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _mean(value_N: Floats) -> float:
    return float(value_N.mean()) if len(value_N) else float("nan")
