"""LiveCodeBench's code generation: statements with public and private tests.

Its private tests come as JSON, or as a pickle in zlib in base64. A pickle runs whatever it holds
when it is loaded; here it may hold a text and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from typing import Any

from tracelift_groups.grpo.benchmarks.row import Row, Unreadable
from tracelift_groups.grpo.problem import Problem

_MOST_BYTES = 256 << 20


def livecodebench(row: Row) -> Problem:
    """``question_content``, tests of ``stdin`` or ``functional`` type, ``starter_code``."""
    cases = [*_cases(row, "public_test_cases"), *_cases(row, "private_test_cases")]
    if not cases:
        raise Unreadable("no tests")
    text = row.text("question_content")
    name = row.name("livecodebench", "question_id")
    kinds = {case.get("testtype") for case in cases}
    if kinds == {"stdin"}:
        pairs = [{"input": case["input"], "output": case["output"]} for case in cases]
        return Problem(name, "code", text, tests=json.dumps(pairs))
    if kinds != {"functional"}:
        raise Unreadable("tests of several kinds")
    starter = row.values.get("starter_code") or ""
    shown = f"{text.rstrip()}\n\nStart from:\n{starter.rstrip()}" if starter.strip() else text
    return Problem(name, "code", shown, tests=json.dumps(_functional(row, starter, cases)))


def _functional(row: Row, starter: str, cases: list[dict[str, Any]]) -> dict[str, str]:
    metadata = row.values.get("metadata") or "{}"
    fields = json.loads(metadata) if isinstance(metadata, str) else metadata
    name = fields.get("func_name")
    if not isinstance(name, str) or not name.isidentifier():
        raise Unreadable("no func_name")
    entry_point = f"Solution().{name}" if "class Solution" in starter else name
    lines = ["def check(candidate):"]
    for case in cases:
        try:
            arguments = [json.loads(line) for line in case["input"].splitlines() if line.strip()]
            expected = json.loads(case["output"])
        except ValueError as error:
            raise Unreadable("a test that is no JSON") from error
        given = ", ".join(map(repr, arguments))
        lines.append(f"    assert candidate({given}) == {expected!r}")
    return {"test_code": "\n".join(lines), "entry_point": entry_point, "setup": ""}


def _cases(row: Row, field: str) -> list[dict[str, Any]]:
    text = row.values.get(field) or "[]"
    cases = _decoded(text) if isinstance(text, str) else text
    for case in cases if isinstance(cases, list) else [None]:
        texts = isinstance(case, dict) and [case.get("input"), case.get("output")]
        if not texts or not all(isinstance(one, str) for one in texts):
            raise Unreadable(f"{field} that are no tests")
    return list(cases)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        packed = zlib.decompressobj()
        data = packed.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        if packed.unconsumed_tail:
            raise Unreadable("private tests of more than 256 MiB")
        return json.loads(_TextOnly(io.BytesIO(data)).load())
    except (binascii.Error, zlib.error, pickle.UnpicklingError, ValueError, TypeError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("private tests that cannot be decoded") from error
    except (EOFError, IndexError, KeyError, AttributeError, MemoryError) as error:
        raise Unreadable("private tests that cannot be decoded") from error


class _TextOnly(pickle.Unpickler):
    """Loads texts, numbers and lists; a pickle that names any function or class is refused."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Refuse.

        Raises:
            UnpicklingError: Always.
        """
        raise pickle.UnpicklingError(f"{module_name}.{global_name} in a file of tests")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse.

        Raises:
            UnpicklingError: Always.
        """
        raise pickle.UnpicklingError("a reference in a file of tests")
