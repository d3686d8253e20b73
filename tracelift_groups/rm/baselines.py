"""Cheap scores that need no model of reasoning: what a reward model has to beat.

Each gives one number per (problem, reasoning), higher meaning sounder. An RM figure without them
beside it says little: on three human-labelled sets of real errors "shorter is sounder" alone had
an AUC of 0.61 to 0.73, above a small encoder trained on naive edits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

from tracelift_groups.records import Group

_NUMBER = re.compile(r"(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?")
_FRACTIONAL = re.compile(
    r"\d\.\d|\d/\d|%|percent|half|third|quarter|fraction|average", re.IGNORECASE
)

Baseline = Callable[[Sequence["Text"]], list[float]]


class Text(NamedTuple):
    """What a baseline sees."""

    problem: str
    reasoning: str


def shorter(texts: Sequence[Text]) -> list[float]:
    """Minus the number of characters of the reasoning: shorter is sounder."""
    return [-float(len(text.reasoning)) for text in texts]


def longer(texts: Sequence[Text]) -> list[float]:
    """The number of characters of the reasoning: longer is sounder."""
    return [float(len(text.reasoning)) for text in texts]


def plausible_answer(texts: Sequence[Text]) -> list[float]:
    """How sane the final number is, from 0 to 5, whatever led to it.

    The final number is the last one in the reasoning. One point each: there is one; it is not
    negative; it is whole, or the problem speaks of fractions; it is none of the problem's own
    numbers; it is not above the product of the problem's numbers.
    """
    return [float(_points(text)) for text in texts]


def _points(text: Text) -> int:
    found = _numbers(text.reasoning)
    if not found:
        return 0
    answer, given = found[-1], _numbers(text.problem)
    return (
        1
        + (answer >= 0)
        + (answer.is_integer() or _FRACTIONAL.search(text.problem) is not None)
        + (answer not in given)
        + (answer <= math.prod(max(number, 1.0) for number in given))
    )


def _numbers(text: str) -> list[float]:
    return [float(word.replace(",", "").replace("$", "")) for word in _NUMBER.findall(text)]


SIMPLE: dict[str, Baseline] = {
    "shorter": shorter,
    "longer": longer,
    "plausible answer": plausible_answer,
}


class BagOfWords:
    """A logistic model over the words and signs of the reasoning, the problem unseen.

    The same model as the words-and-signs probe of ``tlg audit``, fitted once on a run's train
    split, so that it can be carried to other data.
    """

    name = "bag of words"

    def __init__(self, vectorizer: Any, model: Any) -> None:
        self._vectorizer, self._model = vectorizer, model

    @classmethod
    def fit(cls, groups: Iterable[Group]) -> Self:
        """Fit on all traces of some groups, sound against flawed, both classes of equal weight."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression

        traces = [trace for group in groups for trace in group.traces]
        vectorizer = CountVectorizer(token_pattern=r"\w+|[^\w\s]", min_df=3)
        model = LogisticRegression(
            C=0.1, class_weight="balanced", solver="liblinear", tol=0.01, random_state=0
        )
        counts = vectorizer.fit_transform([trace.text for trace in traces])
        model.fit(counts, [trace.sound for trace in traces])
        return cls(vectorizer, model)

    def __call__(self, texts: Sequence[Text]) -> list[float]:
        """Log-odds of being sound."""
        counts = self._vectorizer.transform([text.reasoning for text in texts])
        return [float(value) for value in self._model.decision_function(counts)]
