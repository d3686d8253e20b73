"""Cheap scores of a trace: what should not be able to tell sound from flawed.

Each gives one number a trace, higher meaning sounder, from something that has little or nothing
to do with the reasoning. What is fitted is fitted on other problems (five folds by group).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelift_groups.records import Group, Trace
from tracelift_groups.rm.baselines import Text, plausible_answer

FOLDS = 5
Scores = NDArray[np.float64]
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SHAPE = (
    r"\n", r"[.]", ",", "=", r"[+*/x×-]", r"\d", r"\$", "%", r"[()]", "[`]", ":", r"\b[A-Z]", r"\s",
)  # fmt: skip


class Traces(NamedTuple):
    """The traces of some groups, one after the other, with what the probes look at."""

    groups: list[Group]
    traces: list[Trace]
    group_N: NDArray[np.int64]
    sound_N: NDArray[np.bool_]

    @property
    def texts(self) -> list[str]:
        """The reasoning of each."""
        return [trace.text for trace in self.traces]

    @property
    def problems(self) -> list[str]:
        """The problem of each."""
        return [self.groups[number].problem for number in self.group_N]

    @property
    def kinds(self) -> list[str | None]:
        """The kind of each; None for sound ones."""
        return [trace.kind for trace in self.traces]


def traces_of(groups: Sequence[Group]) -> Traces:
    """Line the traces of some groups up."""
    pairs = [(number, trace) for number, group in enumerate(groups) for trace in group.traces]
    return Traces(
        list(groups),
        [trace for _, trace in pairs],
        np.array([number for number, _ in pairs], dtype=np.int64),
        np.array([trace.sound for _, trace in pairs], dtype=np.bool_),
    )


def length(traces: Traces) -> Scores:
    """Characters: above 0.5, sound traces are the longer ones."""
    return np.array([len(text) for text in traces.texts], dtype=np.float64)


def layout(traces: Traces) -> Scores:
    """A linear model over punctuation, digits, signs, capitals and lines, in shares of the text."""
    rows = [
        [len(re.findall(pattern, text)) / max(1, len(text)) for pattern in _SHAPE]
        + [np.log1p(len(text)), text.count("\n")]
        for text in traces.texts
    ]
    features: Scores = np.array(rows)
    spread = features.std(0)
    scaled = (features - features.mean(0)) / np.where(spread > 0, spread, 1.0)
    return _held_out_scores(traces, scaled, traces.sound_N)


def words(traces: Traces, *, signs: bool = False) -> Scores:
    """A linear model over words; with ``signs`` every sign and single letter is a word, too."""
    from sklearn.feature_extraction.text import CountVectorizer

    pattern = r"\w+|[^\w\s]" if signs else r"\w\w+"
    counts = CountVectorizer(token_pattern=pattern, min_df=3).fit_transform(traces.texts)
    return _held_out_scores(traces, counts, traces.sound_N)


def characters(traces: Traces) -> Scores:
    """A linear model over runs of three to five characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=(3, 5), min_df=5, max_features=50_000, sublinear_tf=True
    )
    return _held_out_scores(traces, vectorizer.fit_transform(traces.texts), traces.sound_N, 3.0)


def author(traces: Traces) -> Scores:
    """How often an author's traces are sound in the other groups."""
    names = [trace.author for trace in traces.traces]
    scores = np.zeros(len(names))
    fold_N = traces.group_N % FOLDS
    for fold in range(FOLDS):
        seen: dict[str, list[float]] = {}
        for name, sound, one in zip(names, traces.sound_N, fold_N, strict=True):
            if one != fold:
                seen.setdefault(name, []).append(float(sound))
        for index in np.flatnonzero(fold_N == fold):
            known = seen.get(names[index])
            scores[index] = np.mean(known) if known else 0.5
    return scores


def was_edited(traces: Traces) -> Scores:
    """Minus how much a trace looks like a twin rather than a reference, by its words and signs.

    Twins and flawed traces are made from references by the same machinery. If what tells a twin
    from a reference also tells a flawed trace from a sound one, "was edited" is what is learnt.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counts = CountVectorizer(token_pattern=r"\w+|[^\w\s]", min_df=3).fit_transform(traces.texts)
    original = np.array([trace.role == "reference" for trace in traces.traces])
    return _held_out_scores(traces, counts, original, fitted_on=traces.sound_N)


def plausible(traces: Traces) -> Scores:
    """How sane the final number is, whatever led to it."""
    texts = [Text(*pair) for pair in zip(traces.problems, traces.texts, strict=True)]
    return np.array(plausible_answer(texts))


def problem_overlap(traces: Traces, *, swapped: bool = False) -> Scores:
    """A linear model over how many of the problem's words and numbers a trace uses.

    Args:
        traces: The traces.
        swapped: Compare with the problem of another group instead: a control, at chance unless
            the share depends on the trace alone.
    """
    problems = traces.problems
    if swapped:
        count = len(traces.groups)
        problems = [traces.groups[(int(n) + count // 2) % count].problem for n in traces.group_N]
    pairs = zip(problems, traces.texts, strict=True)
    return _held_out_scores(traces, np.array([_shared(*pair) for pair in pairs]), traces.sound_N)


def _shared(problem: str, text: str) -> list[float]:
    row = []
    for pattern in (_NUMBER, re.compile(r"[A-Za-z]{3,}")):
        given = {one.lower() for one in pattern.findall(problem)}
        used = {one.lower() for one in pattern.findall(text)}
        both = len(given & used)
        row += [both / max(1, len(given)), both / max(1, len(used))]
    return row


def _held_out_scores(
    traces: Traces,
    features: Any,
    label_N: NDArray[np.bool_],
    strength: float = 0.1,
    fitted_on: NDArray[np.bool_] | None = None,
) -> Scores:
    """Fit a logistic model on four folds of groups and score the fifth, each in turn."""
    from sklearn.linear_model import LogisticRegression

    fold_N = traces.group_N % FOLDS
    usable = np.ones(len(label_N), dtype=bool) if fitted_on is None else fitted_on
    scores: Scores = np.zeros(len(label_N))
    for fold in range(FOLDS):
        train = (fold_N != fold) & usable
        if len(set(label_N[train])) < 2:
            continue
        model = LogisticRegression(
            C=strength, class_weight="balanced", solver="liblinear", tol=0.01, random_state=0
        )
        model.fit(features[train], label_N[train])
        scores[fold_N == fold] = model.decision_function(features[fold_N == fold])
    return scores


def _swapped_overlap(traces: Traces) -> Scores:
    return problem_overlap(traces, swapped=True)


def _words_and_signs(traces: Traces) -> Scores:
    return words(traces, signs=True)


PROBES: dict[str, Callable[[Traces], Scores]] = {
    "length": length,
    "format": layout,
    "words": words,
    "words_and_signs": _words_and_signs,
    "characters": characters,
    "author": author,
    "was_edited": was_edited,
    "plausible_answer": plausible,
    "problem_overlap": problem_overlap,
    "swapped_problem": _swapped_overlap,
}
