from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelift_groups.rm.trie import Trie, build_trie, join_tries, trie_tokens

TRACES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), min_size=1, max_size=7)


def path_to(trie: Trie, row: int) -> list[int]:
    """Rows that a row sees, by the rule of the module's docstring alone."""
    return [k for k in range(row + 1) if row < trie.end_N[k]]


@given(TRACES)
def test_every_trace_is_the_path_to_its_last_row(traces: list[list[int]]) -> None:
    trie = build_trie(traces)
    for trace, last in zip(traces, trie.last_S, strict=True):
        path = path_to(trie, int(last))
        assert trie.ids_N[path].tolist() == trace
        assert trie.depth_N[path].tolist() == list(range(len(trace)))


@given(TRACES)
def test_every_distinct_prefix_is_there_once(traces: list[list[int]]) -> None:
    prefixes = {tuple(trace[: n + 1]) for trace in traces for n in range(len(trace))}
    assert build_trie(traces).tokens == trie_tokens(traces) == len(prefixes)


@given(TRACES)
def test_a_tail_attends_to_what_its_rows_see(traces: list[list[int]]) -> None:
    trie = build_trie(traces)
    bounds = [*trie.tail_K.tolist(), trie.tokens]
    assert bounds[0] == 0
    for start, stop, path in zip(bounds, bounds[1:], trie.path_K, strict=False):
        assert path_to(trie, stop - 1) == path.tolist()
        assert path[-(stop - start) :].tolist() == list(range(start, stop))


def test_numbers_worked_out_by_hand() -> None:
    trie = build_trie([[1, 2, 3], [1, 2, 4, 5], [1, 2]])
    assert trie.ids_N.tolist() == [1, 2, 3, 4, 5]
    assert trie.depth_N.tolist() == [0, 1, 2, 2, 3]
    assert trie.end_N.tolist() == [5, 5, 3, 5, 5]
    assert trie.last_S.tolist() == [2, 4, 1]
    assert trie.tail_K.tolist() == [0, 2, 3]
    assert [path.tolist() for path in trie.path_K] == [[0, 1], [0, 1, 2], [0, 1, 3, 4]]


@given(TRACES, TRACES)
def test_joined_tries_do_not_see_each_other(one: list[list[int]], two: list[list[int]]) -> None:
    first, second = build_trie(one), build_trie(two)
    both = join_tries([first, second])
    assert both.tokens == first.tokens + second.tokens
    for row in range(both.tokens):
        inside = range(first.tokens) if row < first.tokens else range(first.tokens, both.tokens)
        assert set(path_to(both, row)) <= set(inside)
    assert np.array_equal(both.ids_N[both.last_S], [trace[-1] for trace in one + two])


def test_a_trace_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="without tokens"):
        build_trie([[1], []])
