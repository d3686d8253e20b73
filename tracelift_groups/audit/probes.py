"""Two probes that a build reports: length alone, and a bag of words without the problem.

Both look at pairs (sound, flawed) of one group and ask how often the cheap score puts the sound
one first. 0.5 is chance; a model trained on groups where a probe does much better will learn the
probe instead of the reasoning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDS = 5


class TraceRow(NamedTuple):
    """What the probes need of a trace."""

    group: int
    text: str
    kind: str | None
    """None for a sound trace."""


class ProbeResult(NamedTuple):
    """Share of (sound, flawed) pairs that a probe orders sound first; ties count half."""

    pairs: int
    overall: float
    by_kind: dict[str, float]


def trace_rows(groups: Iterable[dict[str, Any]]) -> list[TraceRow]:
    """Flatten dumped groups to rows, numbering the groups in order."""
    return [
        TraceRow(number, trace["text"], trace["kind"])
        for number, group in enumerate(groups)
        for trace in group["traces"]
    ]


def pair_accuracy(rows: Sequence[TraceRow], score: Sequence[float]) -> ProbeResult:
    """Order every (sound, flawed) pair of each group by score, higher meaning sound."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row.group].append(index)
    won: dict[str, float] = defaultdict(float)
    pairs: dict[str, int] = defaultdict(int)
    for members in groups.values():
        sound = [score[i] for i in members if rows[i].kind is None]
        for index in members:
            kind = rows[index].kind
            if kind is not None and sound:
                won[kind] += sum((s > score[index]) + 0.5 * (s == score[index]) for s in sound)
                pairs[kind] += len(sound)
    total = sum(pairs.values())
    return ProbeResult(
        pairs=total,
        overall=round(sum(won.values()) / total, 4) if total else 0.5,
        by_kind={kind: round(won[kind] / pairs[kind], 4) for kind in sorted(pairs)},
    )


def length_probe(rows: Sequence[TraceRow]) -> ProbeResult:
    """Score a trace by its number of characters: above 0.5, sound traces are the longer ones."""
    return pair_accuracy(rows, [float(len(row.text)) for row in rows])


class WordProbes(NamedTuple):
    """The words probe, and the same with signs (= + * and so on) counted as words too."""

    words: ProbeResult
    words_and_signs: ProbeResult


def bag_of_words_probes(rows: Sequence[TraceRow], folds: int = FOLDS) -> WordProbes:
    """Score a trace by a logistic model over its words, fitted on the other problems.

    Five folds by group; each trace is scored by the model that has not seen its group. Words are
    runs of two or more letters or digits. Fewer groups than folds give no pairs.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if len({row.group for row in rows}) < folds:
        nothing = ProbeResult(0, 0.5, {})
        return WordProbes(nothing, nothing)
    vectorizer = CountVectorizer(token_pattern=r"\w+|[^\w\s]", min_df=3)
    counts = vectorizer.fit_transform([row.text for row in rows])
    names = vectorizer.get_feature_names_out()
    long = np.array([len(name) > 1 for name in names])
    return WordProbes(
        words=_cross_validated(rows, counts[:, long], folds),
        words_and_signs=_cross_validated(rows, counts, folds),
    )


def _cross_validated(rows: Sequence[TraceRow], counts: Any, folds: int) -> ProbeResult:
    from sklearn.linear_model import LogisticRegression

    fold = np.array([row.group for row in rows]) % folds
    sound = np.array([row.kind is None for row in rows])
    score: NDArray[np.float64] = np.zeros(len(rows))
    for held_out in range(folds):
        train, test = fold != held_out, fold == held_out
        model = LogisticRegression(
            C=0.1, class_weight="balanced", solver="liblinear", tol=0.01, random_state=0
        )
        model.fit(counts[train], sound[train])
        score[test] = model.decision_function(counts[test])
    return pair_accuracy(rows, score.tolist())
