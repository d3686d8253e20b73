"""The one token that gives most away: what names a planted or accidental marker."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelift_groups.audit.cheap import Traces

_LEAST_TRACES = 5


class Marker(NamedTuple):
    """A token and which traces have it.

    Attributes:
        token: A word, in lower case, or a sign.
        sound: Whether sound traces are the ones that have it.
        present_N: 1 where a trace has it.
    """

    token: str
    sound: bool
    present_N: NDArray[np.float64]

    @property
    def score_N(self) -> NDArray[np.float64]:
        """Higher meaning sounder."""
        return self.present_N if self.sound else -self.present_N


class TokenTable:
    """Which traces have which token."""

    def __init__(self, traces: Traces) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(
            token_pattern=r"\w+|[^\w\s]", min_df=_LEAST_TRACES, binary=True, dtype=np.float64
        )
        self._traces = traces
        self._present: Any = vectorizer.fit_transform(traces.texts).tocsc()
        self._names = vectorizer.get_feature_names_out()

    def strongest(self, kind: str | None = None) -> Marker:
        """The token whose presence orders most pairs, over all flaws or those of one kind.

        Of a pair (sound, flawed) a token that both have, or neither has, says nothing. So its pair
        accuracy is half of one plus the mean difference of presence over all pairs, which is one
        product of a sparse matrix and a vector.
        """
        traces = self._traces
        chosen = ~traces.sound_N if kind is None else np.array([k == kind for k in traces.kinds])
        groups = len(traces.groups)
        sound_P = np.bincount(traces.group_N, weights=traces.sound_N, minlength=groups)
        flawed_P = np.bincount(traces.group_N, weights=chosen, minlength=groups)
        weight_N = np.where(traces.sound_N, flawed_P[traces.group_N], 0.0)
        weight_N -= np.where(chosen, sound_P[traces.group_N], 0.0)
        difference = self._present.T @ weight_N
        best = int(np.argmax(np.abs(difference)))
        present = np.asarray(self._present[:, best].todense()).ravel()
        return Marker(str(self._names[best]), bool(difference[best] > 0), present)
