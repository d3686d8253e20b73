"""What crosses between tester and candidate, and what must not."""

from __future__ import annotations

import collections
import math
import os
import struct
import tempfile
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelift_groups.verify.sandbox.jail import codec


class Node:
    def __init__(self, value=0, following=None):
        self.value, self.following = value, following


def _foreign(value):
    raise codec.CodecError(type(value).__name__)


def _through(value, *, lenient=False, records=()):
    encoder = codec.Encoder(_foreign, frozenset(records), lenient=lenient)
    root = encoder.refer(value)
    with tempfile.TemporaryFile() as file:
        codec.send(file.fileno(), {"nodes": encoder.new_nodes(), "root": root})
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        received = codec.receive(file.fileno())
    decoder = codec.Decoder(lambda h: ("handle", h), lambda n: Node(), _fill)
    decoder.add(received["nodes"])
    return decoder.value(received["root"])


def _fill(record, fields):
    record.__dict__.clear()
    record.__dict__.update(fields)


def _decode(nodes, root):
    decoder = codec.Decoder(lambda h: ("handle", h), lambda n: Node(), _fill)
    decoder.add(nodes)
    return decoder.value(root)


_HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.fractions()
    | st.decimals(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
_VALUES = st.recursive(
    _HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_HASHABLE, inner, max_size=3)
        | st.sets(_HASHABLE, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def _same(left, right):
    """Equal, and of the same types throughout."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(_same, left.values(), right.values()))
    return left == right


@settings(max_examples=150, deadline=None)
@given(_VALUES)
def test_data_comes_back_as_it_was(value):
    assert _same(_through(value), value)


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        -(2**63),
        2**63 - 1,
        10**4000,
        float("inf"),
        -0.0,
        "\ud800",
        range(1, 10, 3),
        collections.deque([1, [2]]),
        Decimal("1.10"),
        Fraction(1, 3),
        int,
        ValueError,
        [2**70, 1],
        {(1, (2, 3)): {4}},
    ],
)
def test_less_common_values(value):
    back = _through(value)
    assert back == value
    assert type(back) is type(value)
    assert str(back) == str(value)


def test_nan():
    assert math.isnan(_through(float("nan")))


def test_shared_and_cyclic_structure_keeps_its_identity():
    inner = [1]
    back = _through([inner, inner])
    assert back[0] is back[1]
    cycle = []
    cycle.append((cycle,))
    back = _through(cycle)
    assert back[0][0] is back


def test_depth_costs_no_recursion():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    back, depth = _through(deep), 0
    while back:
        back, depth = back[0], depth + 1
    assert depth == 50_000


def test_deep_tuples():
    deep = ()
    for _ in range(50_000):
        deep = (deep,)
    back, depth = _through(deep), 0
    while back:
        back, depth = back[0], depth + 1
    assert depth == 50_000


def test_records_travel_by_their_fields():
    head = Node(1, Node(2))
    head.following.following = head
    back = _through(head, records=["Node"])
    assert type(back) is Node
    assert back is not head
    assert back.following.value == 2
    assert back.following.following is back


def test_the_lenient_side_reduces_subclasses_to_plain_data():
    class Equal(str):
        __slots__ = ()

        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    back = _through([Equal("x"), collections.Counter("aab"), (i for i in (1, 2))], lenient=True)
    assert type(back[0]) is str
    assert back[0] != "y"
    assert back[1] == {"a": 2, "b": 1}
    assert list(back[2]) == [1, 2]


def test_the_strict_side_refuses_what_is_no_data():
    for value in (object(), lambda: 0, collections.Counter(), Node()):
        with pytest.raises(codec.CodecError):
            _through(value)


def test_an_endless_iterator_is_refused():
    with pytest.raises(codec.CodecError, match="iterator"):
        _through(iter(int, 1), lenient=True)


@pytest.mark.parametrize(
    "nodes",
    [
        [["zzz"]],
        [["T", "eval"]],
        [["T", "__import__"]],
        [["t", [0]]],
        [["t", [1]], ["t", [0]]],
        [["f", [0]]],
        [["l", [7]]],
        [["l", [-1]]],
        [["l", [True]]],
        [["l", ["x"]]],
        [["l", [0, 1]]],
        [["d", 1]],
        [["s", [1]], ["l"]],
        [["d", [1], 2], ["l"]],
        [["i", "eval"]],
        [["b", "xyz"]],
        [["F", "0x1", "0x0"]],
        [["c", "x", 0]],
        [[]],
        [5],
        [["v", 1, 2]],
    ],
    ids=repr,
)
def test_malformed_nodes_raise_and_run_nothing(nodes):
    with pytest.raises((codec.CodecError, ValueError, TypeError, LookupError, ArithmeticError)):
        _decode(nodes, [0])


def test_an_argument_cannot_change_its_type():
    target = [1]
    decoder = codec.Decoder(lambda h: h, lambda n: Node(), _fill, [target])
    for node in (["d"], ["t"], ["s"], ["o", "Node"]):
        with pytest.raises(codec.CodecError):
            decoder.refill(target, node)
    decoder.refill(target, ["l", 5])
    assert target == [5]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 1 << 31) + b"x",
        struct.pack("<I", 4) + b"nul!",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 200_000) + b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=["too-large", "not-json", "no-object", "deeply-nested"],
)
def test_frames_that_are_none(data, tmp_path):
    path = tmp_path / "frame"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(codec.CodecError):
            codec.receive(descriptor)
    finally:
        os.close(descriptor)


def test_a_message_that_is_too_large_is_not_sent(monkeypatch):
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", 100)
    with pytest.raises(codec.CodecError):
        codec.send(-1, {"x": "y" * 200})
