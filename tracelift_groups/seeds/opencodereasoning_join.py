"""Statements and tests that OpenCodeReasoning leaves in the sets its questions are from.

A row of it and a row of a file belong together by the question's place in its set (dataset,
split, index), else by the question's id, else by the text of the problem.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected
from tracelift_groups.seeds import opencodereasoning_hub as hub
from tracelift_groups.seeds.rows import Row, malformed, missing, read_rows, row_files
from tracelift_groups.seeds.shelf import Shelf
from tracelift_groups.seeds.testcases import BadTestsError, read_columns, read_tests

PLACEHOLDER = "-"
_STATEMENTS = ("problem", "question", "description", "statement", "input")
_TESTS = ("tests", "test", "test_code", "input_output")
_PARTS = ("public_tests", "private_tests", "generated_tests")
_PLACE = ("dataset", "split", "index")
_FOUND_BY = ("id", *_PLACE)
# All generated tests of a problem of CodeContests may be on one line.
_MAX_LINE = 1 << 30


class NoStatementError(Exception):
    """A question's statement is nowhere to be found; says where it was looked for."""


def _place(row: Row) -> tuple[str, str, str] | None:
    dataset, split, index = ((row.text(name) or "").strip() for name in _PLACE)
    return (dataset, split, index) if dataset and split and index else None


def _place_key(place: tuple[str, str, str]) -> str:
    return "\0".join(("place", *place))


def _keys(row: Row, problem: str | None) -> list[str]:
    """What a row can be found by, the surest first."""
    keys = []
    if place := _place(row):
        keys.append(_place_key(place))
    if question := (row.text("id") or "").strip():
        keys.append(f"id\0{question}")
    if problem:
        words = " ".join(problem.split())
        keys.append(f"text\0{hashlib.sha1(words.encode(), usedforsecurity=False).hexdigest()}")
    return keys


def _statement(row: Row) -> str | None:
    """The statement that a row holds; a set with its parts in columns has them put together."""
    if "input_format" in row.values:
        return hub.composed(row.values)
    for name in _STATEMENTS:
        text = (row.text(name) or "").strip()
        if text and text != PLACEHOLDER:
            return text
    return None


class Joins:
    """Statements and tests, by question.

    Args:
        statements: File or folder of statements: rows with a place or an id, and the text.
        tests: File or folder of tests: rows with a place, an id or the text, and the tests.
    """

    def __init__(self, statements: Path | None = None, tests: Path | None = None) -> None:
        self._files = {"statements": statements, "tests": tests}
        self._statements, self._tests = Shelf(), Shelf()
        self._fetched: dict[tuple[str, str], str] = {}
        """Splits of source sets that were asked for: what went wrong, or nothing."""

    def load(self) -> Iterator[Rejected]:
        """Read the files; yield their rows that are of no use."""
        if file := self._files["statements"]:
            for row in _rows(file, (*_FOUND_BY, *_STATEMENTS, *hub.PARTS)):
                yield from [row] if isinstance(row, Rejected) else self._add_statement(row)
        if file := self._files["tests"]:
            columns = (*_TESTS, *_PARTS, "entry_point", "setup")
            for row in _rows(file, (*_FOUND_BY, *_STATEMENTS, *hub.PARTS, *columns)):
                yield from [row] if isinstance(row, Rejected) else self._add_tests(row)

    def close(self) -> None:
        """Delete what was read."""
        self._statements.close()
        self._tests.close()

    def _add_statement(self, row: Row) -> Iterator[Rejected]:
        text, keys = _statement(row), _keys(row, None)
        if text is None:
            yield missing(row, _STATEMENTS[0])
        elif not keys:
            yield malformed(row.where, "neither 'id' nor 'dataset', 'split' and 'index'")
        else:
            self._statements.put(keys, text)

    def _add_tests(self, row: Row) -> Iterator[Rejected]:
        keys = _keys(row, _statement(row))
        if not keys:
            yield malformed(row.where, "no 'id', no 'dataset', 'split', 'index', no problem text")
            return
        name = next((one for one in _TESTS if row.values.get(one)), None)
        try:
            if name is None and any(row.values.get(one) for one in _PARTS):
                tests = read_columns(row.values.get(one) for one in _PARTS)
            else:
                tests = read_tests(
                    row.values.get(name or _TESTS[0]),
                    entry_point=row.text("entry_point") or "",
                    setup=row.text("setup") or "",
                )
        except BadTestsError as error:
            yield malformed(row.where, f"field '{name or _PARTS[0]}': {error}")
            return
        if tests is None:
            yield malformed(row.where, "no tests, or none that expects an output")
        else:
            self._tests.put(keys, tests)

    def tests(self, row: Row, problem: str) -> str | None:
        """The tests of a question, in one of our shapes (see ``testcases.bind``)."""
        return self._tests.get(_keys(row, problem))

    def statement(self, row: Row) -> str:
        """The statement of a row's question.

        Raises:
            NoStatementError: The row has a placeholder, and no file and no source set the text.
        """
        text = (row.text("input") or "").strip()
        if text and text != PLACEHOLDER:
            return text
        found = self._statements.get(_keys(row, None))
        if found is None:
            found = self._from_source_set(row)
        return found

    def _from_source_set(self, row: Row) -> str:
        place = _place(row)
        if place is None:
            raise NoStatementError("no 'dataset', 'split' and 'index' to find it by")
        dataset, split, index = place
        if (dataset, split) not in self._fetched:
            self._fetched[dataset, split] = self._fetch(dataset, split)
        found = self._statements.get([_place_key(place)])
        if found is None:
            problem = self._fetched[dataset, split] or f"no text in row {index}"
            raise NoStatementError(f"{dataset}/{split}: {problem}")
        return found

    def _fetch(self, dataset: str, split: str) -> str:
        """Put all statements of a source set's split on the shelf; say what went wrong."""
        try:
            for index, text in hub.statements(dataset, split):
                self._statements.put([_place_key((dataset, split, str(index)))], text)
        except UserError as error:
            return str(error)
        return ""


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row | Rejected]:
    for file in row_files(path):
        yield from read_rows(file, columns=columns, max_line=_MAX_LINE)
