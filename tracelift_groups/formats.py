"""The published system's JSONL layout, both ways and lossless.

One object a line: ``problem_id``, ``source``, ``task_type``, ``problem``, ``reference_solution``,
``positive_pool`` and ``negative_bank`` of ``reasoning`` with a ``rubric`` (dimensions and
``total``; negatives have a ``negative_kind``), ``metadata``, and optionally
``tests_or_constraints`` or ``tests``. What we know beyond that layout (certificates, steps,
parents, splits) travels in ``metadata["tracelift_groups"]``; a foreign file's own keys travel in
the group's ``metadata``, so that either side gets its own back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tracelift_groups.errors import UserError
from tracelift_groups.perturb.math.sentences import split_steps
from tracelift_groups.records import Group, Rejected, Rubric, Trace
from tracelift_groups.seeds.rows import read_rows

_OURS = "tracelift_groups"


def to_tracelift(group: Group) -> dict[str, Any]:
    """Write a group in the published layout."""
    row: dict[str, Any] = {
        "problem_id": group.group_id,
        "source": group.source,
        "task_type": group.domain,
        "problem": group.problem,
        "reference_solution": (
            group.answer if group.domain == "math" else group.reference_solution
        ),
        "positive_pool": [_positive(trace) for trace in group.traces if trace.sound],
        "negative_bank": [
            {**_positive(trace), "negative_kind": trace.kind}
            for trace in group.traces
            if not trace.sound
        ],
    }
    if group.metadata is None:
        row["metadata"] = {_OURS: _extras(group)}
        if group.tests is not None:
            row["tests"] = group.tests
        return row
    return {**row, **json.loads(group.metadata)["columns"]}


def _positive(trace: Trace) -> dict[str, Any]:
    rubric = {**trace.rubric.labels, "total": trace.rubric.total}
    return {"reasoning": trace.text, "rubric": rubric}


def _extras(group: Group) -> dict[str, Any]:
    """What the published layout has no place for; traces in its order, sound ones first."""
    ordered = [t for t in group.traces if t.sound] + [t for t in group.traces if not t.sound]
    return {
        "split": group.split,
        "answer": group.answer,
        "reference_solution": group.reference_solution,
        "schema_version": group.schema_version,
        "order": [trace.trace_id for trace in group.traces],
        "traces": [
            trace.model_dump(mode="json", exclude={"text", "rubric", "kind"}) for trace in ordered
        ],
    }


def from_tracelift(row: dict[str, Any], where: str) -> Group:
    """Read a row of the published layout.

    Args:
        row: The row, ours or the published system's own.
        where: ``file:line``, for messages.

    Raises:
        UserError: A field is missing or odd; the message names file, line and field.
    """
    try:
        metadata = row.get("metadata") or {}
        if _OURS in metadata:
            return _ours(row, metadata[_OURS])
        return _foreign(row)
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise UserError(
            f"no group in the published layout: {_reason(error)}",
            where=where,
            way_out="each row needs problem_id, problem, positive_pool and negative_bank",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'group'}: {first['msg']}"
    return f"field {error}" if isinstance(error, KeyError) else str(error)


def _ours(row: dict[str, Any], extras: dict[str, Any]) -> Group:
    texts = [*row["positive_pool"], *row["negative_bank"]]
    traces = {}
    for text, extra in zip(texts, extras["traces"], strict=True):
        traces[extra["trace_id"]] = Trace(
            **extra,
            kind=text.get("negative_kind"),
            text=text["reasoning"],
            rubric=_rubric(text["rubric"]),
        )
    return Group(
        group_id=row["problem_id"],
        source=row["source"],
        domain=row["task_type"],
        problem=row["problem"],
        answer=extras["answer"],
        tests=row.get("tests"),
        reference_solution=extras["reference_solution"],
        split=extras["split"],
        traces=tuple(traces[name] for name in extras["order"]),
        schema_version=extras["schema_version"],
    )


def _rubric(values: dict[str, Any]) -> Rubric:
    labels = {name: label for name, label in values.items() if name != "total"}
    return Rubric(labels=labels, total=values["total"])


_KNOWN = frozenset(
    "problem_id source task_type problem reference_solution positive_pool negative_bank".split()
)


def _foreign(row: dict[str, Any]) -> Group:
    """Read a row that another system wrote: the first positive is taken for the reference."""
    group_id, domain = row["problem_id"], row["task_type"]
    tests = row.get("tests_or_constraints", row.get("tests"))
    solution = row["reference_solution"]
    positives = [
        _foreign_trace(f"{group_id}/s{index}", text, "twin" if index else "reference")
        for index, text in enumerate(row["positive_pool"])
    ]
    negatives = [
        _foreign_trace(f"{group_id}/n{index}", text, "flawed")
        for index, text in enumerate(row["negative_bank"])
    ]
    # Columns that a group has no place for, or holds in another form, are kept word for word.
    kept = {name: value for name, value in row.items() if name not in _KNOWN}
    return Group(
        group_id=group_id,
        source=row["source"],
        domain=domain,
        problem=row["problem"],
        answer=solution if domain == "math" else None,
        tests=tests if tests is None or isinstance(tests, str) else json.dumps(tests),
        reference_solution=solution if domain == "code" else None,
        traces=(*positives, *negatives),
        metadata=json.dumps({"columns": kept}, ensure_ascii=False),
    )


def _foreign_trace(trace_id: str, text: dict[str, Any], role: str) -> Trace:
    return Trace.model_validate(
        {
            "trace_id": trace_id,
            "role": role,
            "kind": text["negative_kind"] if role == "flawed" else None,
            "text": text["reasoning"],
            "steps": split_steps(text["reasoning"]),
            "rubric": _rubric(text["rubric"]).model_dump(),
            "author": "unknown",
        }
    )


def write_tracelift(path: Path, groups: Iterable[Group]) -> int:
    """Write groups as JSONL, whole or not at all; return how many."""
    temporary = path.with_name(path.name + ".part")
    count = 0
    try:
        with temporary.open("w", encoding="utf-8") as file:
            for group in groups:
                file.write(json.dumps(to_tracelift(group), ensure_ascii=False) + "\n")
                count += 1
    except OSError as error:
        raise UserError(f"cannot write ({error.strerror})", where=str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    return count


def read_tracelift(path: Path) -> Iterator[Group]:
    """Yield the groups of a JSONL file in the published layout.

    Raises:
        UserError: The file is missing, or a row is no group; nothing is passed over.
    """
    if not path.is_file():
        raise UserError("no such file", where=str(path))
    for row in read_rows(path):
        if isinstance(row, Rejected):
            raise UserError(row.detail, where=row.where)
        yield from_tracelift(row.values, row.where)
