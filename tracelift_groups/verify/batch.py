"""Verifies a file of replies: rows side by side, results in the order of the rows."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.extract import extract_program
from tracelift_groups.verify.math import MathVerifier
from tracelift_groups.verify.rows import (
    BadRow,
    FunctionRow,
    MathRow,
    Row,
    bad_result,
    output_row,
    parse_row,
)
from tracelift_groups.verify.verdict import Result

_AHEAD_PER_WORKER = 8


class Summary(NamedTuple):
    """Counts of a verified file.

    Attributes:
        rows: Rows read.
        invalid: Rows whose result says nothing about the reply.
        verdicts: Rows by verdict.
        isolation: The layers that programs ran under; "" when there were none.
    """

    rows: int
    invalid: int
    verdicts: dict[str, int]
    isolation: str


class RowVerifier:
    """Verifies single rows; starts what it needs when the first row needs it.

    Args:
        make_code: Makes the verifier of programs.
        make_math: Makes the verifier of mathematics.
    """

    def __init__(
        self, make_code: Callable[[], CodeVerifier], make_math: Callable[[], MathVerifier]
    ) -> None:
        self._make_code, self._make_math = make_code, make_math
        self._code: CodeVerifier | None = None
        self._math: MathVerifier | None = None
        self._lock = threading.Lock()

    @property
    def isolation(self) -> str:
        """The layers that programs ran under; "" when there were none."""
        return self._code.isolation if self._code else ""

    def _code_verifier(self) -> CodeVerifier:
        with self._lock:
            self._code = self._code or self._make_code()
            return self._code

    def _math_verifier(self) -> MathVerifier:
        with self._lock:
            self._math = self._math or self._make_math()
            return self._math

    def verify(self, row: Row | BadRow) -> Result:
        """The result for one row; a bad row's is invalid."""
        if isinstance(row, BadRow):
            return bad_result(row)
        if isinstance(row, MathRow):
            return self._math_verifier().verify(row.answer, row.reply)
        if isinstance(row, FunctionRow):
            code = extract_program(row.reply, row.entry_point)
            return self._code_verifier().function(
                code, row.test_code, entry_point=row.entry_point, setup=row.setup
            )
        tests = [StdioTest(test.input, test.output) for test in row.tests]
        return self._code_verifier().stdio(extract_program(row.reply), tests, every_test=True)

    def close(self) -> None:
        """Ends the verifiers."""
        for verifier in (self._code, self._math):
            if verifier is not None:
                verifier.close()


def _rows(source: Path) -> Iterator[Row | BadRow]:
    with source.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield parse_row(line, f"{source}:{number}")


def _in_order(
    rows: Iterator[Row | BadRow], verifier: RowVerifier, workers: int
) -> Iterator[tuple[Row | BadRow, Result]]:
    """Results in the order of the rows, with a bounded number of rows in progress."""
    waiting: deque[tuple[Row | BadRow, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers) as executor:
        try:
            for row in itertools.chain(rows, [None]):
                if row is not None:
                    waiting.append((row, executor.submit(verifier.verify, row)))
                while waiting and (row is None or len(waiting) >= workers * _AHEAD_PER_WORKER):
                    done, future = waiting.popleft()
                    yield done, future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def verify_file(
    source: Path,
    target: Path,
    verifier: RowVerifier,
    *,
    workers: int,
    on_row: Callable[[Row | BadRow, Result], None],
) -> Summary:
    """Verifies every row of a JSONL file.

    The target appears when it is complete, and holds one row for each row of the source.

    Args:
        source: The file of replies.
        target: The file of verdicts.
        verifier: Verifies the rows; the caller closes it.
        workers: Rows in progress at the same time.
        on_row: Told of each row when its result is written.

    Raises:
        UserError: The source is not there or empty, or the target's folder is not there.
        SandboxUnavailableError: A program is to be run and this machine cannot isolate it.
    """
    if not source.is_file():
        raise UserError("no such file", where=str(source), way_out="give a JSONL file of replies")
    if not target.parent.is_dir():
        raise UserError("no such folder", where=str(target.parent), way_out="create it first")
    verdicts: Counter[str] = Counter()
    invalid = 0
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as out:
            for row, result in _in_order(_rows(source), verifier, workers):
                out.write(json.dumps(output_row(row, result), ensure_ascii=False) + "\n")
                verdicts[str(result.verdict)] += 1
                invalid += not result.valid
                on_row(row, result)
        if not verdicts:
            raise UserError("the file holds no rows", where=str(source), way_out="see --help")
        partial.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    return Summary(
        sum(verdicts.values()), invalid, dict(sorted(verdicts.items())), verifier.isolation
    )
