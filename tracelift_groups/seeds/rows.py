"""Rows of JSONL and Parquet files, and clear words for those that are none."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected

# Longer than any problem with its solution; a line beyond it is some other file.
MAX_LINE = 4_000_000
# Rows of a Parquet file held at a time: a row with a long response or many tests has megabytes.
_BATCH_ROWS = 64
_ENDINGS = (".parquet", ".jsonl", ".jsonl.gz")


class Row(NamedTuple):
    """One row: its values, and ``file:line`` (Parquet: ``file:row``, from 1) for messages."""

    values: dict[str, object]
    where: str

    def text(self, name: str) -> str | None:
        """The value of a column as text; numbers are written out. None where it is missing."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool | list | dict | bytes):
            return None
        return str(value)


def row_files(path: Path) -> tuple[Path, ...]:
    """The files that a path stands for: itself, or those of a folder, sorted by their paths.

    Raises:
        UserError: A folder without a Parquet or JSONL file.
    """
    if not path.is_dir():
        return (path,)
    found = (one for one in path.rglob("*") if one.name.endswith(_ENDINGS) and one.is_file())
    shown = [
        one for one in found if not any(p.startswith(".") for p in one.relative_to(path).parts)
    ]
    if not shown:
        raise UserError(
            f"no {', '.join(_ENDINGS)} file in the folder",
            where=str(path),
            way_out="name the folder that holds them, or a file",
        )
    return tuple(sorted(shown, key=lambda one: one.relative_to(path).parts))


def read_rows(
    path: Path, *, columns: Sequence[str] | None = None, max_line: int | None = None
) -> Iterator[Row | Rejected]:
    """Yield the rows of a JSONL file (``.gz`` too) or a Parquet file, in bounded memory.

    A ``.json`` file may be one array of rows, and is then read whole.

    Blank lines are passed over. A line that is no JSON object is a ``Rejected`` with file, line
    and what is wrong.

    Args:
        path: The file; ``.parquet`` decides.
        columns: Of a Parquet file, read these columns only, where it has them.
        max_line: Longest line of a JSONL file in bytes; by default ``MAX_LINE``.

    Raises:
        UserError: The file as a whole cannot be read: no Parquet, a broken archive.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path, columns)
        return
    try:
        if path.name.endswith((".json", ".json.gz")) and _begins_array(path):
            yield from _array_rows(path)
            return
        yield from _json_rows(path, MAX_LINE if max_line is None else max_line)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot be read: {error}", where=str(path)) from error


def _json_rows(path: Path, max_line: int) -> Iterator[Row | Rejected]:
    with _open(path) as lines:
        number = 0
        while line := lines.readline(max_line + 1):
            number += 1
            where = f"{path.name}:{number}"
            if len(line) > max_line:
                while line and not line.endswith(b"\n"):
                    line = lines.readline(max_line)
                yield malformed(where, f"the line is longer than {max_line} bytes")
                continue
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield malformed(where, f"not JSON: {error}")
                continue
            if isinstance(values, dict):
                yield Row(values, where)
            else:
                yield malformed(where, f"a JSON {type(values).__name__}, not an object")


def _begins_array(path: Path) -> bool:
    with _open(path) as file:
        return file.read(64).lstrip().startswith(b"[")


def _array_rows(path: Path) -> Iterator[Row | Rejected]:
    with _open(path) as file:
        try:
            rows = json.load(file)
        except (ValueError, RecursionError) as error:
            raise UserError(f"not a JSON array: {error}", where=str(path)) from error
    for number, values in enumerate(rows, 1):
        where = f"{path.name}:{number}"
        if isinstance(values, dict):
            yield Row(values, where)
        else:
            yield malformed(where, f"a JSON {type(values).__name__}, not an object")


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _parquet_rows(path: Path, columns: Sequence[str] | None) -> Iterator[Row]:
    import pyarrow
    from pyarrow import parquet

    try:
        # A buffer instead of reading ahead: a column of a row group may hold a gigabyte.
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            have = file.schema_arrow.names
            wanted = None if columns is None else [name for name in columns if name in have]
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(values, f"{path.name}:{number}")
    except (OSError, pyarrow.ArrowException) as error:
        first_line = str(error).partition("\n")[0]
        raise UserError(
            f"not a Parquet file that can be read: {first_line}", where=str(path)
        ) from error


def malformed(where: str, detail: str) -> Rejected:
    """Reject a row that cannot be read."""
    return Rejected(seed_id=None, where=where, reason="malformed_row", detail=detail)


def missing(row: Row, field: str) -> Rejected:
    """Reject a row for a field that is missing, empty or no text."""
    have = ", ".join(sorted(row.values)[:8]) or "none"
    return malformed(row.where, f"field '{field}' is missing or no text (the row has: {have})")
