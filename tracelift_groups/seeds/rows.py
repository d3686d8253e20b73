"""Rows of a JSONL file, and clear words for those that are none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tracelift_groups.records import Rejected

# Longer than any problem with its solution; a line beyond it is some other file.
MAX_LINE = 4_000_000


class Row(NamedTuple):
    """One row: its values, and ``file:line`` for messages."""

    values: dict[str, object]
    where: str

    def text(self, name: str) -> str | None:
        """The value of a column as text; numbers are written out. None where it is missing."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool | list | dict):
            return None
        return str(value)


def read_rows(path: Path) -> Iterator[Row | Rejected]:
    """Yield the rows of a JSONL file (``.gz`` too); blank lines are passed over.

    A line that is no JSON object is a ``Rejected`` with file, line and what is wrong.
    """
    with _open(path) as lines:
        number = 0
        while line := lines.readline(MAX_LINE + 1):
            number += 1
            where = f"{path.name}:{number}"
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = lines.readline(MAX_LINE)
                yield malformed(where, f"the line is longer than {MAX_LINE} bytes")
                continue
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
                yield malformed(where, f"not JSON: {error}")
                continue
            if isinstance(values, dict):
                yield Row(values, where)
            else:
                yield malformed(where, f"a JSON {type(values).__name__}, not an object")


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def malformed(where: str, detail: str) -> Rejected:
    """Reject a row that cannot be read."""
    return Rejected(seed_id=None, where=where, reason="malformed_row", detail=detail)


def missing(row: Row, field: str) -> Rejected:
    """Reject a row for a field that is missing, empty or no text."""
    have = ", ".join(sorted(row.values)[:8]) or "none"
    return malformed(row.where, f"field '{field}' is missing or no text (the row has: {have})")
