"""Groups as Parquet: one row a group, nothing pickled, read back as the same records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from tracelift_groups.errors import UserError
from tracelift_groups.records import Group

_ROW_GROUP = 500

_CERTIFICATE = pa.struct(
    [
        ("kind", pa.string()),
        ("operator", pa.string()),
        ("severity", pa.string()),
        ("step", pa.int32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("answer_before", pa.string()),
        ("answer_after", pa.string()),
        ("answer_changed", pa.bool_()),
        ("method", pa.string()),
        ("verdict", pa.string()),
        ("propagation", pa.string()),
        ("equation", pa.string()),
        ("expected", pa.string()),
        ("claimed", pa.string()),
        ("quantity", pa.string()),
        ("program", pa.string()),
        ("input", pa.string()),
        ("got", pa.string()),
        ("judge", pa.string()),
        ("quote", pa.string()),
    ]
)

_UPLIFT = pa.struct(
    [
        ("executor", pa.string()),
        ("success", pa.float64()),
        ("baseline", pa.float64()),
        ("uplift", pa.float64()),
        ("repeats", pa.int32()),
        ("baseline_repeats", pa.int32()),
        ("temperature", pa.float64()),
    ]
)


def schema(dimensions: Sequence[str]) -> pa.Schema:
    """Return the schema of groups whose rubric has these dimensions."""
    judgement = pa.struct(
        [
            ("judge", pa.string()),
            ("sample", pa.int32()),
            ("scores", pa.struct([(name, pa.int8()) for name in dimensions])),
            ("reasons", pa.struct([(name, pa.string()) for name in dimensions])),
        ]
    )
    trace = pa.struct(
        [
            ("trace_id", pa.string()),
            ("role", pa.string()),
            ("kind", pa.string()),
            ("text", pa.string()),
            ("steps", pa.list_(pa.string())),
            ("rubric", pa.struct([(name, pa.int8()) for name in dimensions])),
            ("total", pa.float64()),
            ("certificate", _CERTIFICATE),
            ("author", pa.string()),
            ("parent_id", pa.string()),
            ("judgements", pa.list_(judgement)),
            ("uplift", _UPLIFT),
        ]
    )
    return pa.schema(
        [
            ("group_id", pa.string()),
            ("source", pa.string()),
            ("domain", pa.string()),
            ("problem", pa.string()),
            ("answer", pa.string()),
            ("tests", pa.string()),
            ("reference_solution", pa.string()),
            ("split", pa.string()),
            ("traces", pa.list_(trace)),
            ("metadata", pa.string()),
            ("schema_version", pa.int32()),
        ]
    )


def to_row(group: dict[str, Any]) -> dict[str, Any]:
    """Flatten a dumped group: a trace's rubric gives the columns ``rubric`` and ``total``."""
    row = dict(group)
    row["traces"] = [
        {**trace, "rubric": trace["rubric"]["labels"], "total": trace["rubric"]["total"]}
        for trace in group["traces"]
    ]
    return row


def from_row(row: dict[str, Any]) -> Group:
    """Build a group from a row, as ``datasets`` or Parquet give it."""
    row = dict(row)
    row["traces"] = [_trace(trace) for trace in row["traces"]]
    return Group.model_validate(row)


def _trace(trace: dict[str, Any]) -> dict[str, Any]:
    trace = dict(trace)
    labels = {name: label for name, label in trace.pop("rubric").items() if label is not None}
    trace["rubric"] = {"labels": labels, "total": trace.pop("total")}
    return trace


def write_groups(path: str, groups: Iterable[dict[str, Any]], dimensions: Sequence[str]) -> int:
    """Write dumped groups to a Parquet file in the order given; return how many."""
    count = 0
    with pq.ParquetWriter(path, schema(dimensions), compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for group in groups:
            rows.append(to_row(group))
            count += 1
            if len(rows) == _ROW_GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
                rows = []
        if rows or not count:
            writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
    return count


def read_groups(path: str) -> Iterator[Group]:
    """Yield the groups of a Parquet file, a batch at a time in memory.

    Raises:
        UserError: Not Parquet, or a row that is no group (file, row and field are named).
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"not a Parquet file of groups: {error}", where=path) from error
    number = 0
    for batch in file.iter_batches(batch_size=_ROW_GROUP):
        for row in batch.to_pylist():
            number += 1
            try:
                yield from_row(row)
            except (ValidationError, KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"row {number} is no group: {_first(error)}",
                    where=path,
                    way_out="was it written by tlg build?",
                ) from error


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'group'}: {first['msg']}"
    return f"missing or odd column {error}"
