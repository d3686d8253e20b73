"""The token trie of a group as flat arrays: every distinct prefix once, in depth-first preorder.

A causal model gives a token the same hidden state in every text that shares the prefix up to it,
so each node of the trie needs to be computed once. Token ``q`` sees token ``k`` exactly if
``k <= q < end[k]``; its position is its depth; a trace is read at its last token, which may be an
inner node (one trace begins another) or shared (two traces are equal).

The nodes fall into *tails*: what each trace adds to those before it, as consecutive rows. The
queries of a tail attend to the path from the root to its end, causally. Pure NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Trie(NamedTuple):
    """Axis suffixes: ``_N`` nodes, ``_S`` traces, ``_K`` tails. Indices are rows in 0..N."""

    ids_N: Ints
    depth_N: Ints
    end_N: Ints
    """Exclusive end of the subtree of each node."""
    last_S: Ints
    """Row of the last token of each trace, in the order in which the traces were given."""
    tail_K: Ints
    """First row of each tail; tails are consecutive and cover all rows."""
    path_K: tuple[Ints, ...]
    """Rows from the root to the last token of each tail, the tail included."""

    @property
    def tokens(self) -> int:
        """Number of nodes."""
        return len(self.ids_N)


def build_trie(traces: Sequence[Sequence[int]]) -> Trie:
    """Build the trie of the token ids of a group's traces.

    Raises:
        ValueError: A trace without tokens.
    """
    if not all(len(trace) for trace in traces):
        raise ValueError("a trace without tokens has no last token to read")
    ids_ST = [np.asarray(trace, dtype=np.int64) for trace in traces]
    last_S = np.zeros(len(ids_ST), dtype=np.int64)
    ids: list[Ints] = []
    depth: list[Ints] = []
    tails: list[int] = []
    paths: list[Ints] = []
    path = np.zeros(0, dtype=np.int64)
    before, total = path, 0
    # Sorted by any order of tokens, texts with a common prefix are neighbours: this is preorder.
    for index in sorted(range(len(ids_ST)), key=lambda i: ids_ST[i].tobytes()):
        trace = ids_ST[index]
        shared = common_prefix(before, trace)
        added = len(trace) - shared
        path = np.concatenate([path[:shared], np.arange(total, total + added)])
        last_S[index] = path[-1]
        if added:
            ids.append(trace[shared:])
            depth.append(np.arange(shared, len(trace)))
            tails.append(total)
            paths.append(path)
        total += added
        before = trace
    end_N = np.zeros(total, dtype=np.int64)
    for path in paths:
        end_N[path] = path[-1] + 1  # a later tail below the same node overwrites: the last wins
    return Trie(
        ids_N=np.concatenate(ids),
        depth_N=np.concatenate(depth),
        end_N=end_N,
        last_S=last_S,
        tail_K=np.asarray(tails, dtype=np.int64),
        path_K=tuple(paths),
    )


def common_prefix(first: Ints, second: Ints) -> int:
    """Number of leading tokens that two sequences share."""
    length = min(len(first), len(second))
    differs = first[:length] != second[:length]
    return int(differs.argmax()) if differs.any() else length


def trie_tokens(traces: Sequence[Sequence[int]]) -> int:
    """Number of nodes of the trie of these traces, without building it."""
    rows = sorted((np.asarray(trace, dtype=np.int64) for trace in traces), key=bytes)
    shared = sum(common_prefix(one, two) for one, two in pairwise(rows))
    return sum(map(len, rows)) - shared


def join_tries(tries: Sequence[Trie]) -> Trie:
    """Lay tries side by side in one row; none sees another."""
    offsets = np.cumsum([0, *(trie.tokens for trie in tries)])[:-1]
    pairs = list(zip(tries, offsets, strict=True))
    return Trie(
        ids_N=np.concatenate([trie.ids_N for trie in tries]),
        depth_N=np.concatenate([trie.depth_N for trie in tries]),
        end_N=np.concatenate([trie.end_N + offset for trie, offset in pairs]),
        last_S=np.concatenate([trie.last_S + offset for trie, offset in pairs]),
        tail_K=np.concatenate([trie.tail_K + offset for trie, offset in pairs]),
        path_K=tuple(path + offset for trie, offset in pairs for path in trie.path_K),
    )
