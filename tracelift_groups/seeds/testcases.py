"""Tests in the shapes that data sets have, made one of our two.

Ours, as JSON text: ``[{"input": ..., "output": ...}]`` for programs that read stdin and write
stdout, ``{"test_code": ..., "entry_point": ..., "setup": ...}`` for functions (the last two may be
missing). Nothing pickled is ever read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

# Of a source set's tests, which run into hundreds of megabytes a set, the first are kept: every
# one is run on every program of a group, and all seeds are held in memory.
MAX_TESTS = 50
MAX_CHARS = 400_000

# What LeetCode imports for a program, and programs written for it leave out.
_SOLUTION_SETUP = """\
import bisect, collections, functools, heapq, itertools, math, random, re, string, sys
from collections import Counter, OrderedDict, defaultdict, deque
from typing import *
"""

_CHECKS = re.compile(r"\bassert|\bdef check\(|\bcheck\(|\braise\b")


class BadTestsError(ValueError):
    """The tests are in no shape that we know."""


def read_tests(value: object, *, entry_point: str = "", setup: str = "") -> str | None:
    """Turn tests in any known shape into ours.

    Known: our two shapes; a list of assert lines; Python text with asserts or ``check``; column
    by column ``{"inputs": [...], "outputs": [...], "fn_name"?: ...}`` or ``{"input": [...],
    "output": [...]}``; each also as JSON text. Tests that expect an empty output judge nothing
    and are left out. Column by column, at most ``MAX_TESTS`` of at most ``MAX_CHARS`` characters
    together are kept; one that would exceed that is passed over.

    Args:
        value: The tests.
        entry_point: What function tests call, where they do not say so themselves.
        setup: Code that runs before function tests, where they bring none.

    Returns:
        JSON text, or None where there are no tests. ``fn_name`` in it still has to be settled by
        :func:`bind`.

    Raises:
        BadTestsError: Another shape.
    """
    tests = _read(value)
    if not tests:
        return None
    if isinstance(tests, dict):
        tests = {"entry_point": entry_point, "setup": setup} | tests
        order = ("test_code", "fn_name", "entry_point", "setup")
        if tests.get("fn_name"):
            tests["entry_point"] = ""
        tests = {name: tests[name] for name in order if tests.get(name)}
    return json.dumps(tests, ensure_ascii=False)


def read_columns(parts: Iterable[object]) -> str | None:
    """Tests given in several parts (public, private, generated), as one list in that order.

    Raises:
        BadTestsError: A part is no ``{"input": [...], "output": [...]}`` and no list of pairs.
    """
    pairs: list[tuple[object, object]] = []
    for part in parts:
        value = _parsed(part) if isinstance(part, str) else part
        if not value:
            continue
        if isinstance(value, list):
            value = {name: [_get(one, name) for one in value] for name in ("input", "output")}
        pairs += _pairs(value)
    cases = _cases(pairs)
    return json.dumps(cases, ensure_ascii=False) if cases else None


def bind(tests: str | None, program: str) -> str | None:
    """Say what function tests call, which depends on how the program offers the function.

    ``Solution().name`` where the program defines ``class Solution`` and no such function of its
    own (the usual imports are its setup, where the tests bring none), else the name. Other tests
    come back as they are.
    """
    if tests is None or not tests.startswith("{"):
        return tests
    found = json.loads(tests)
    name = found.pop("fn_name", None)
    if name is None:
        return tests
    plain = re.search(rf"^def {re.escape(name)}\b", program, re.MULTILINE)
    bound = {"test_code": found["test_code"], "entry_point": name}
    if not plain and re.search(r"^class Solution\b", program, re.MULTILINE):
        bound |= {"entry_point": f"Solution().{name}", "setup": _SOLUTION_SETUP}
    return json.dumps(bound | found, ensure_ascii=False)


def _read(value: object) -> list[dict[str, str]] | dict[str, str] | None:
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, str):
        text = value.strip()
        parsed = _parsed(text)
        if isinstance(parsed, list | dict):
            return _read(parsed)
        if text and not _CHECKS.search(text):
            raise BadTestsError("neither JSON nor Python text that asserts something")
        return {"test_code": value} if text else None
    if isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            return _read("\n".join(value))
        return [_case(_get(one, "input"), _get(one, "output")) for one in value if _judges(one)]
    if isinstance(value, dict):
        if "test_code" in value:
            return _function(value)
        pairs = _pairs(value)
        name = value.get("fn_name")
        return _calls(str(name), pairs) if name else _cases(pairs)
    raise BadTestsError(f"a {type(value).__name__}, not a list, an object or text")


def _parsed(text: str) -> Any:
    """The JSON of a text that looks like some; None where it is none."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _get(one: object, name: str) -> object:
    if not isinstance(one, dict) or name not in one:
        raise BadTestsError(f"a test without '{name}'")
    return one[name]


def _judges(one: object) -> bool:
    return bool(_text(_get(one, "output")).strip())


def _function(value: dict[str, Any]) -> dict[str, str] | None:
    known = {name: value.get(name) or "" for name in ("test_code", "entry_point", "setup")}
    for name, text in known.items():
        if not isinstance(text, str):
            raise BadTestsError(f"'{name}' is no text")
    if not known["test_code"].strip():
        return None
    return {name: text for name, text in known.items() if text}


def _pairs(value: object) -> list[tuple[object, object]]:
    """The tests of an object with a list of inputs and a list of outputs."""
    if isinstance(value, dict):
        for names in (("inputs", "outputs"), ("input", "output")):
            inputs, outputs = (value.get(name) for name in names)
            if isinstance(inputs, list) and isinstance(outputs, list):
                if len(inputs) != len(outputs):
                    raise BadTestsError(f"{len(inputs)} inputs but {len(outputs)} outputs")
                return list(zip(inputs, outputs, strict=True))
    raise BadTestsError("no list of tests, no inputs with outputs, no test_code")


def _case(given: object, expected: object) -> dict[str, str]:
    return {"input": _text(given), "output": _text(expected)}


def _text(value: object) -> str:
    """An input or output as text; a list is one of lines."""
    if isinstance(value, list):
        return "\n".join(_text(one) for one in value)
    if value is None:
        return ""
    if isinstance(value, dict | bytes):
        raise BadTestsError(f"an input or output that is a {type(value).__name__}")
    return str(value)


def _cases(pairs: Iterable[tuple[object, object]]) -> list[dict[str, str]]:
    cases, room = list[dict[str, str]](), MAX_CHARS
    for given, expected in pairs:
        case = _case(given, expected)
        size = len(case["input"]) + len(case["output"])
        if case["output"].strip() and size <= room and len(cases) < MAX_TESTS:
            cases.append(case)
            room -= size
    return cases


def _calls(name: str, pairs: list[tuple[object, object]]) -> dict[str, str] | None:
    """A ``check`` that calls the function.

    Some sets wrap every result in a list of its own and some do not; where all of them are lists
    of one element nobody can tell, and both are accepted.
    """
    if not name.isidentifier():
        raise BadTestsError(f"fn_name '{name}' is no name")
    read = [(_arguments(given), _result(given, expected)) for given, expected in pairs]
    wrapped = all(isinstance(result, list) and len(result) == 1 for _, result in read)
    lines, room = ["def check(candidate):"], MAX_CHARS
    for arguments, result in read:
        call = f"candidate({', '.join(map(repr, arguments))})"
        wants = f"in ({result!r}, {result[0]!r})" if wrapped else f"== {result!r}"
        line = f"    assert {call} {wants}"
        if len(line) <= room and len(lines) <= MAX_TESTS:
            lines.append(line)
            room -= len(line)
    if len(lines) == 1:
        return None
    return {"test_code": "\n".join(lines) + "\n", "fn_name": name}


def _arguments(given: object) -> list[Any]:
    """Arguments of a call: a list of them, or text with the JSON of one on each line."""
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        raise BadTestsError("arguments of a call that are neither a list nor text")
    try:
        return [json.loads(line) for line in given.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise BadTestsError(f"arguments of a call that are no JSON: {error}") from error


def _result(given: object, expected: object) -> Any:
    if not (isinstance(given, str) and isinstance(expected, str)):
        return expected
    try:
        return json.loads(expected)
    except (ValueError, RecursionError):
        return expected
