"""A data-only codec between the trusted tester and the untrusted candidate.

Values travel as a flat table of nodes, so that depth costs no recursion, shared and cyclic
structures keep their identity, and changes that a call makes to its arguments travel back. Only
exact builtin types arrive on the other side; anything else is an opaque handle. A class of the
candidate therefore never gets to compare, print or iterate itself inside the tester.

A reference is the value itself (None, bool, float, str, int below 64 bits) or `[index]` into the
table. A node is `[tag, ...]`: l list, t tuple, s set, f frozenset, d dict, Q deque, q iterator,
R range, i large int, c complex, b bytes, D Decimal, F Fraction, T builtin type, o record of a
class that the task's setup defines, h handle.
"""

from __future__ import annotations

import builtins
import itertools
import json
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_FRAME_BYTES = 32 << 20
MAX_ITERATOR_ITEMS = 1_000_000
_INT_LIMIT = 1 << 63
_NOTHING = object()
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))

Node = list[Any]
"""A node as JSON has it."""


class CodecError(Exception):
    """A value that cannot travel, or a frame that is not well formed."""


def _is_inline(kind: type, value: Any) -> bool:
    if kind is int:
        return bool(-_INT_LIMIT < value < _INT_LIMIT)
    return kind is str or kind is float or kind is bool or value is None


def _sequence(tag: str, values: Sequence[Any], refer: Callable[[Any], Any]) -> Node:
    kinds = set(map(type, values))
    if kinds <= {str, float, bool, type(None)}:
        return [tag, *values]
    if kinds == {int} and min(values) > -_INT_LIMIT and max(values) < _INT_LIMIT:
        return [tag, *values]
    return [tag, *map(refer, values)]


class Encoder:
    """Turns values into nodes.

    Args:
        foreign: Makes a node for a value of no builtin type, or raises `CodecError`.
        records: Names of the record classes.
        lenient: Convert subclasses of builtin types and numpy values to plain data.
            For the untrusted side, which can send what it likes anyway.
        known: Objects that the other side already has, in table order.
    """

    def __init__(
        self,
        foreign: Callable[[Any], Node],
        records: frozenset[str],
        *,
        lenient: bool,
        known: Sequence[Any] = (),
    ) -> None:
        self._foreign, self._records, self._lenient = foreign, records, lenient
        self.objects: list[Any] = list(known)
        self._index = {id(value): i for i, value in enumerate(self.objects)}
        self._next = len(self.objects)

    def refer(self, value: Any) -> Any:
        """The reference for a value; a new container joins the table."""
        if _is_inline(type(value), value):
            return value
        index = self._index.get(id(value))
        if index is None:
            index = self._index[id(value)] = len(self.objects)
            self.objects.append(value)
        return [index]

    def new_nodes(self) -> list[Node]:
        """Nodes of all objects that joined since the last call, and of what they hold."""
        nodes = []
        while self._next < len(self.objects):
            nodes.append(self.node(self.objects[self._next]))
            self._next += 1
        return nodes

    def node(self, value: Any) -> Node:
        """The node of one object as it is now."""
        kind = type(value)
        if kind is list:
            return _sequence("l", value, self.refer)
        if kind is tuple:
            return _sequence("t", value, self.refer)
        if kind is dict:
            return ["d", *map(self.refer, itertools.chain.from_iterable(value.items()))]
        if kind is set:
            return _sequence("s", list(value), self.refer)
        if kind is frozenset:
            return _sequence("f", list(value), self.refer)
        if kind is deque:
            return _sequence("Q", list(value), self.refer)
        return self._scalar(kind, value) or self._uncommon(kind, value)

    @staticmethod
    def _scalar(kind: type, value: Any) -> Node | None:
        if kind is int:
            return ["i", hex(value)]
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind is bytes or kind is bytearray:
            return ["b", value.hex()]
        if kind is range:
            return ["R", hex(value.start), hex(value.stop), hex(value.step)]
        if kind is Decimal:
            return ["D", str(value)]
        if kind is Fraction:
            return ["F", hex(value.numerator), hex(value.denominator)]
        if kind is type:
            name = str(value.__name__)
            return ["T", name] if getattr(builtins, name, None) is value else None
        return None

    def _uncommon(self, kind: type, value: Any) -> Node:
        if kind.__name__ in self._records and hasattr(value, "__dict__"):
            fields = itertools.chain.from_iterable(vars(value).items())
            return ["o", kind.__name__, *map(self.refer, fields)]
        if self._lenient:
            plain = self._as_plain(kind, value)
            if plain is not None:
                return plain
        if isinstance(value, Iterator) or kind in _VIEWS:
            return _sequence("q", self._drain(value), self.refer)
        return self._foreign(value)

    def _as_plain(self, kind: type, value: Any) -> Node | None:
        for inline in (bool, int, float, str):
            if isinstance(value, inline):
                return ["v", self.refer(inline(value))]
        for plain in (list, tuple, dict, set, frozenset, complex, bytes):
            if isinstance(value, plain):
                copy: Callable[[Any], Any] = plain
                return self.node(copy(value))
        if kind.__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
            return ["v", self.refer(value.tolist())]
        return None

    @staticmethod
    def _drain(value: Any) -> list[Any]:
        items = list(itertools.islice(iter(value), MAX_ITERATOR_ITEMS + 1))
        if len(items) > MAX_ITERATOR_ITEMS:
            raise CodecError(f"an iterator of more than {MAX_ITERATOR_ITEMS} items")
        return items


class Decoder:
    """Turns nodes into values.

    Args:
        handle: Finds or makes the object behind a handle number.
        new_record: Makes an empty record of a class given by name.
        fill_record: Gives a record its fields.
        objects: Objects that the nodes' references may already name.
    """

    def __init__(
        self,
        handle: Callable[[Any], Any],
        new_record: Callable[[str], Any],
        fill_record: Callable[[Any, dict[str, Any]], None],
        objects: Sequence[Any] = (),
    ) -> None:
        self._handle, self._new_record, self._fill_record = handle, new_record, fill_record
        self.objects: list[Any] = list(objects)

    def value(self, reference: Any) -> Any:
        """The value behind a reference."""
        if type(reference) is not list:
            return reference
        (index,) = reference
        if type(index) is not int or not 0 <= index < len(self.objects):
            raise CodecError("a reference outside the table")
        return self.objects[index]

    def add(self, nodes: list[Node]) -> None:
        """Builds the objects of `nodes` after those already known."""
        first = len(self.objects)
        self.objects += [self._shell(node) for node in nodes]
        for index in range(first, len(self.objects)):
            if self.objects[index] is _NOTHING:
                self._build(index, nodes, first)
        for index, node in enumerate(nodes, first):
            if node[0] in "ldsQo":
                self.refill(self.objects[index], node)

    def refill(self, target: Any, node: Node) -> None:
        """Replaces the content of a mutable object; its type never changes."""
        tag, items = node[0], [self.value(r) for r in node[1 if node[0] != "o" else 2 :]]
        kind = {"l": list, "d": dict, "s": set, "Q": deque}.get(tag)
        if tag == "o":
            if type(target).__name__ != node[1]:
                raise CodecError("a record of another class")
            self._fill_record(target, dict(zip(items[::2], items[1::2], strict=True)))
        elif kind is None or type(target) is not kind:
            raise CodecError("an argument of another type")
        elif tag == "l":
            target[:] = items
        else:
            pairs = zip(items[::2], items[1::2], strict=True)
            content = dict(pairs) if tag == "d" else items
            target.clear()
            (target.extend if tag == "Q" else target.update)(content)

    def _shell(self, node: Node) -> Any:
        tag = node[0]
        if tag == "l":
            return []
        if tag == "d":
            return {}
        if tag == "s":
            return set()
        if tag == "Q":
            return deque()
        if tag == "o":
            return self._new_record(node[1])
        if tag == "h":
            return self._handle(node[1])
        if tag in ("t", "f", "q", "v"):
            return _NOTHING
        return _scalar(tag, node[1:])

    def _build(self, index: int, nodes: list[Node], first: int) -> None:
        """Builds an immutable object after the immutable objects that it holds."""
        stack, opened = [index], set[int]()
        while stack:
            here = stack[-1]
            tag, *items = nodes[here - first]
            missing = [r[0] for r in items if type(r) is list and self.value(r) is _NOTHING]
            if missing:
                if here in opened:
                    raise CodecError("an immutable value that holds itself")
                opened.add(here)
                stack += missing
                continue
            stack.pop()
            if self.objects[here] is _NOTHING:
                self.objects[here] = _immutable(tag, [self.value(r) for r in items])


def _immutable(tag: str, values: list[Any]) -> Any:
    if tag == "t":
        return tuple(values)
    if tag == "f":
        return frozenset(values)
    if tag == "v":
        (value,) = values
        return value
    return iter(values)


def _scalar(tag: str, fields: list[Any]) -> Any:
    if tag == "i":
        return int(fields[0], 16)
    if tag == "c":
        return complex(float(fields[0]), float(fields[1]))
    if tag == "b":
        return bytes.fromhex(fields[0])
    if tag == "R":
        return range(*(int(f, 16) for f in fields))
    if tag == "D":
        return Decimal(fields[0])
    if tag == "F":
        return Fraction(int(fields[0], 16), int(fields[1], 16))
    if tag == "T":
        found = getattr(builtins, fields[0])
        if type(found) is type:
            return found
    raise CodecError("a node of unknown kind")


def send(descriptor: int, message: dict[str, Any]) -> None:
    """Writes one message; raises `CodecError` when it is too large, `OSError` when cut off."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise CodecError(f"a value of more than {MAX_FRAME_BYTES >> 20} MiB")
    data = memoryview(struct.pack("<I", len(body)) + body)
    while data:
        data = data[os.write(descriptor, data) :]


def _read_exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive(descriptor: int) -> dict[str, Any]:
    """Reads one message; raises `EOFError` at the end and `CodecError` for what is none."""
    (size,) = struct.unpack("<I", _read_exactly(descriptor, 4))
    if size > MAX_FRAME_BYTES:
        raise CodecError("a message that is too large")
    try:
        message = json.loads(_read_exactly(descriptor, size))
    except (ValueError, RecursionError) as error:
        raise CodecError("a message that is not JSON") from error
    if type(message) is not dict:
        raise CodecError("a message that is no object")
    return message
