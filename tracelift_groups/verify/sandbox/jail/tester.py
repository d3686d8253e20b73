"""The trusted side of function mode: holds the asserts, sees only data from the candidate."""

from __future__ import annotations

import builtins
import json
import os
import struct
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn, TypedDict

from . import child, codec, protocol
from .plan import CANDIDATE, HELD, Plan, load

_RECURSION_LIMIT = 200_000


class Verdict(TypedDict):
    """What the tester reports."""

    outcome: str  # pass, assertion, raised, gone, bad_tests
    detail: str
    passed: int
    total: int


class CandidateGoneError(BaseException):
    """The candidate stopped answering, or answered with what is no message.

    Not an `Exception`: tests that expect some exception must not take this for one.
    """


class CandidateError(Exception):
    """An exception of the candidate that has no builtin counterpart here."""


class _Peer:
    """Sends requests to the candidate and rebuilds its answers from data."""

    def __init__(self, records: dict[str, type], lookup: dict[str, Any]) -> None:
        self._records, self._lookup = frozenset(records), lookup
        self._remote: dict[int, RemoteObject] = {}
        self.raised: list[BaseException] = []
        self.calls = 0
        self.gone = False

    def _foreign(self, value: Any) -> codec.Node:
        if type(value) is RemoteObject:
            return ["h", object.__getattribute__(value, "_handle")]
        raise codec.CodecError(f"the tests pass a {type(value).__name__}, which cannot travel")

    def _remote_object(self, handle: Any) -> RemoteObject:
        if type(handle) is not int:
            raise codec.CodecError("a handle that is no number")
        if handle not in self._remote:
            self._remote[handle] = RemoteObject(self, handle)
        return self._remote[handle]

    def _new_record(self, name: Any) -> Any:
        kind = self._lookup.get(name) if name in self._records else None
        if not isinstance(kind, type):
            raise codec.CodecError("a record of an unknown class")
        return object.__new__(kind)

    @staticmethod
    def _fill_record(record: Any, fields: dict[str, Any]) -> None:
        for name in fields:
            # A field must not take the place of a method that the tests call.
            if type(name) is not str or hasattr(getattr(type(record), name, None), "__get__"):
                raise codec.CodecError("a record with a field in the place of a method")
        record.__dict__.clear()
        record.__dict__.update(fields)

    def request(self, op: str, target: Any, args: Any, kwargs: Any, name: str = "") -> Any:
        """One round trip. Raises what the candidate raised, as a builtin exception."""
        encoder = codec.Encoder(self._foreign, self._records, lenient=False)
        root = encoder.refer((list(args), dict(kwargs)))
        message = {
            "op": op,
            "target": target,
            "name": name,
            "nodes": encoder.new_nodes(),
            "root": root,
        }
        self.calls += 1
        try:
            codec.send(child.CALLS_FD, message)
            reply = codec.receive(child.CALLS_FD)
        except (OSError, EOFError, codec.CodecError, struct.error) as error:
            self._lose(error)
        if "error" in reply:
            fields = (str(reply.get(name, "")) for name in ("error", "builtin", "text"))
            self._raise(*fields)
        decoder = codec.Decoder(
            self._remote_object, self._new_record, self._fill_record, encoder.objects
        )
        try:
            decoder.add(reply["nodes"])
            for index, node in reply["changed"].items():
                decoder.refill(encoder.objects[int(index)], node)
            value = decoder.value(reply["root"])
        except Exception as error:
            self._lose(error)
        return value

    def _lose(self, error: Exception) -> NoReturn:
        self.gone = True
        raise CandidateGoneError(f"the program stopped answering ({error!r})") from None

    def _raise(self, name: str, builtin: str, text: str) -> NoReturn:
        """Raises an exception of the candidate's kind, or of a new kind below its builtin base."""
        kind = getattr(builtins, builtin, None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            kind = CandidateError
        if issubclass(kind, StopIteration | StopAsyncIteration):
            # Inside map() or a generator of the tests these would end a loop of asserts early.
            kind, text = RuntimeError, f"{name}: {text}"
        elif name != kind.__name__ and name.isidentifier():
            kind = type(name, (kind,), {})
        try:
            error = kind(text)
        except Exception:
            error = CandidateError(f"{name}: {text}")
        self.raised.append(error)
        raise error


class RemoteObject:
    """An object that lives in the candidate: attributes and calls, never a comparison.

    It is true, as objects are; a program that wants to be taken for true can as well return True.
    """

    __slots__ = ("_handle", "_peer")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, peer: _Peer, handle: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_handle", handle)

    def __eq__(self, other: object) -> bool:
        raise TypeError("an object of the program cannot be compared here")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.request("get", self._handle, (), {}, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.request("set", self._handle, (value,), {}, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the object where it lives."""
        return self._peer.request("invoke", self._handle, args, kwargs)


class RemoteName:
    """A name of the candidate's module, such as `add` or `Solution().twoSum`."""

    __slots__ = ("__name__", "_peer", "_target")

    def __init__(self, peer: _Peer, target: str) -> None:
        self._peer, self._target = peer, target
        self.__name__ = target.rpartition(".")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function where it lives."""
        return self._peer.request("call", self._target, args, kwargs)

    def __getattr__(self, name: str) -> RemoteName:
        if name.startswith("__"):
            raise AttributeError(name)
        return RemoteName(self._peer, f"{self._target}.{name}")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a function of the program cannot be compared here")

    def __bool__(self) -> bool:
        raise TypeError("a function of the program has no truth value here")

    __hash__ = object.__hash__


def _report(outcome: str, detail: str = "", passed: int = 0, total: int = 0) -> None:
    verdict = Verdict(outcome=outcome, detail=detail[:500], passed=passed, total=total)
    os.write(child.VERDICT_FD, json.dumps(verdict).encode())
    os.close(child.CALLS_FD)  # the candidate ends meanwhile


def _judge(run: Callable[[], None], peer: _Peer, held: set[int], plan: Plan) -> None:
    total = max(plan.asserts, 1)
    try:
        run()
    except BaseException as error:
        passed = min(len(held), total - 1)
        detail = f"{type(error).__name__}: {error}"
        if peer.gone:
            _report("gone", detail, passed, total)
        elif any(error is raised for raised in peer.raised):
            _report("raised", detail, passed, total)
        elif isinstance(error, ImportError | codec.CodecError) or peer.calls == 0:
            _report("bad_tests", detail, 0, total)
        else:
            _report("assertion", detail, passed, total)
        return
    if peer.gone:
        _report("gone", "the program stopped answering", min(len(held), total - 1), total)
    elif peer.calls == 0:
        _report("bad_tests", "the tests never call the program")
    elif plan.asserts and not plan.other_checks and not held:
        # The program may have caused this (an empty result that is looped over): a failure.
        _report("assertion", "no assertion was reached", 0, total)
    else:
        count = max(len(held), 1)
        _report("pass", "", count, count)


def run_tests(source: bytes, module: types.ModuleType) -> int:
    """Carries out a dumped `Plan` against the candidate at the other end of the socket."""
    plan = load(source)
    sys.setrecursionlimit(_RECURSION_LIMIT)
    codec.send(child.CALLS_FD, {"setup": plan.setup_text, "records": plan.records})
    names, held = module.__dict__, set[int]()
    peer = _Peer(dict.fromkeys(plan.records, object), names)
    names[HELD] = held.add
    for name, module_name in plan.modules.items():
        try:
            names[name] = __import__(module_name)
        except ImportError as error:
            _report("bad_tests", f"the tests use {name}: {error}")
            return 0
    for name in plan.remote:
        names[name] = RemoteName(peer, name)

    def run() -> None:
        exec(plan.setup, names)
        if plan.entry_point:
            target = RemoteName(peer, plan.entry_point)
            names[CANDIDATE] = target
            if plan.entry_point.isidentifier():
                names[plan.entry_point] = target
        exec(plan.tests, names)

    _judge(run, peer, held, plan)
    # At once: what an interpreter does at its end has nothing to add to the verdict.
    os._exit(protocol.EXIT_CANDIDATE_GONE if peer.gone else 0)
