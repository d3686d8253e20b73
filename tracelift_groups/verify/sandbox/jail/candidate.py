"""The untrusted side of function mode: answers calls, holds no test and no expected value."""

from __future__ import annotations

import builtins
import contextlib
import types
from typing import Any

from . import child, codec


class Server:
    """Executes requests against the candidate's module."""

    def __init__(self, module: types.ModuleType, records: list[str]) -> None:
        self._names = module.__dict__
        self._records = frozenset(records)
        self._handles: list[Any] = []
        self._handle_of: dict[int, int] = {}

    def _keep(self, value: Any) -> codec.Node:
        handle = self._handle_of.get(id(value))
        if handle is None:
            handle = self._handle_of[id(value)] = len(self._handles)
            self._handles.append(value)
        return ["h", handle]

    def _new_record(self, name: str) -> Any:
        kind = self._names[name]
        return kind.__new__(kind)

    @staticmethod
    def _fill_record(record: Any, fields: dict[str, Any]) -> None:
        record.__dict__.clear()
        record.__dict__.update(fields)

    def _evaluate(self, request: dict[str, Any], arguments: Any) -> Any:
        args, kwargs = arguments
        if request["op"] == "call":
            name = request["target"].partition(".")[0].partition("(")[0]
            if name not in self._names:  # eval would also find Python's own
                raise NameError(f"name {name!r} is not defined")
            return eval(request["target"], self._names)(*args, **kwargs)
        subject = self._handles[request["target"]]
        if request["op"] == "invoke":
            return subject(*args, **kwargs)
        if request["op"] == "get":
            return getattr(subject, request["name"])
        return setattr(subject, request["name"], args[0])

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Runs one request and describes its result and its changes to the arguments."""
        decoder = codec.Decoder(self._handles.__getitem__, self._new_record, self._fill_record)
        decoder.add(request["nodes"])
        result = self._evaluate(request, decoder.value(request["root"]))
        encoder = codec.Encoder(self._keep, self._records, lenient=True, known=decoder.objects)
        changed = {}
        for index, sent in enumerate(request["nodes"]):
            if sent[0] in "ldsQo":
                now = encoder.node(decoder.objects[index])
                if now != sent:
                    changed[str(index)] = now
        root = encoder.refer(result)
        return {
            "root": root,
            "nodes": encoder.new_nodes(),
            "changed": changed,
        }

    def reply(self, request: dict[str, Any], broken: BaseException | None) -> dict[str, Any]:
        """The answer to a request, or the exception that it or the module ended in."""
        try:
            if broken is not None:
                raise broken
            return self.answer(request)
        except BaseException as error:
            return _failure(error)


def _failure(error: BaseException) -> dict[str, Any]:
    text = ""
    with contextlib.suppress(BaseException):
        text = str(error)[:500]
    kinds = [kind.__name__ for kind in type(error).__mro__]
    known = (name for name in kinds if isinstance(getattr(builtins, name, None), type))
    return {"error": kinds[0], "builtin": next(known, "Exception"), "text": text}


def run_setup(setup: str, module: types.ModuleType) -> None:
    """Gives a program the helpers and imports of its task.

    Errors are ignored: a setup may build objects of the program's own classes instead (MBPP's
    does), and is then of use to the tester only.
    """
    with contextlib.suppress(Exception):
        exec(compile(setup, "setup.py", "exec", dont_inherit=True), module.__dict__)


def serve(source: bytes, module: types.ModuleType) -> int:
    """Runs the candidate's module, then answers calls until the tester hangs up."""
    hello = codec.receive(child.CALLS_FD)
    run_setup(hello["setup"], module)
    run = child.compiled(source)
    broken: BaseException | None = None
    try:
        run(module.__dict__)
    except BaseException as error:
        broken = error
    server = Server(module, hello["records"])
    while True:
        try:
            request = codec.receive(child.CALLS_FD)
        except EOFError:
            break
        reply = server.reply(request, broken)
        try:
            codec.send(child.CALLS_FD, reply)
        except (codec.CodecError, ValueError, TypeError, RecursionError) as error:
            codec.send(child.CALLS_FD, _failure(error))
    if broken is not None:
        raise broken
    return 0
