"""Any JSONL or Parquet file: math or code rows, under whatever names their columns have."""

from __future__ import annotations

import re
from typing import Literal

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds.responses import fenced_program, take_apart, unwrapped
from tracelift_groups.seeds.rows import Row, malformed, missing
from tracelift_groups.seeds.testcases import BadTestsError, bind, read_tests

# Our fields, and the columns that are tried where --map names none, in this order.
COLUMNS = {
    "problem": ("problem", "question", "problem_description"),
    "answer": ("answer",),
    "reasoning": ("reasoning", "reasoned_response", "response"),
    "solution": ("solution", "code", "completion"),
    "tests": ("tests", "test", "test_code"),
    "entry_point": ("entry_point",),
    "setup": ("setup", "prelude", "prompt"),
}
FIELDS = tuple(COLUMNS)

_IMPORTS_FIRST = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:from|import)\s")


def parse_map(text: str) -> dict[str, str]:
    """Read ``problem=question,answer=gold`` into our field -> the file's column.

    Raises:
        UserError: A part without ``=``, or a field that we do not have.
    """
    fields = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        ours, equals, theirs = part.partition("=")
        if not equals or ours.strip() not in FIELDS or not theirs.strip():
            raise UserError(
                f"cannot read '{part}'",
                where="--map",
                way_out=f"write FIELD=COLUMN with FIELD one of {', '.join(FIELDS)}",
            )
        fields[ours.strip()] = theirs.strip()
    return fields


def column(row: Row, field: str, fields: dict[str, str]) -> str:
    """The column that holds one of our fields.

    The mapped one; else the first of its known names that the row fills and that no other field
    is mapped to; else the first known name, which the row does not fill.
    """
    if field in fields:
        return fields[field]
    for name in COLUMNS[field]:
        if name not in fields.values() and _filled(row, name) and _fits(row, field, name):
            return name
    return COLUMNS[field][0]


def _filled(row: Row, name: str) -> bool:
    value = row.values.get(name)
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [], {})


def _fits(row: Row, field: str, name: str) -> bool:
    """Whether a known name means the field here: a prompt may be code to run first, or a task."""
    if (field, name) != ("setup", "prompt"):
        return True
    return _IMPORTS_FIRST.match(row.text(name) or "") is not None


def domain_of(row: Row, fields: dict[str, str]) -> Literal["math", "code"] | None:
    """What a row is about; None where it has neither an answer, nor a program, nor tests.

    ``--map`` decides where it names a column for the program or the tests. Else tests make it
    code; then an answer makes it math (a "solution" beside it is prose), a program code.
    """
    if "solution" in fields or "tests" in fields:
        return "code"
    if _filled(row, column(row, "tests", fields)):
        return "code"
    if _filled(row, column(row, "answer", fields)):
        return "math"
    return "code" if _filled(row, column(row, "solution", fields)) else None


def seed(row: Row, fields: dict[str, str], *, bare: bool = False) -> Seed | Rejected:
    """Turn one math row into a seed; a ``bare`` one needs no reasoning."""
    columns = {name: column(row, name, fields) for name in ("problem", "answer", "reasoning")}
    values = {name: row.text(columns[name]) or "" for name in columns}
    for name, value in values.items():
        if not value.strip() and not (bare and name == "reasoning"):
            return missing(row, columns[name])
    return Seed(
        source="jsonl",
        domain="math",
        problem=values["problem"].strip(),
        answer=values["answer"],
        reasoning=values["reasoning"] or None,
        where=row.where,
    )


def code_seed(
    row: Row, fields: dict[str, str], source: str = "jsonl", *, bare: bool = False
) -> Seed | Rejected:
    """Turn one code row into a seed; a ``bare`` one needs neither reasoning nor program.

    The reasoning is kept whole, but for the marks of a ``<think>`` part, which is taken alone. A
    program that has no column of its own is the last fenced one of the reasoning column.
    """
    columns = {name: column(row, name, fields) for name in FIELDS}
    problem, response = (row.text(columns[name]) or "" for name in ("problem", "reasoning"))
    for name, value in (("problem", problem), ("reasoning", response)):
        if not value.strip() and not (bare and name == "reasoning"):
            return missing(row, columns[name])
    parts = take_apart(response)
    program = row.text(columns["solution"]) or ""
    program = fenced_program(program) or program
    if not program.strip():
        program = fenced_program(parts.reply if parts else response) or ""
    if not program.strip() and not bare:
        detail = f"no program in '{columns['solution']}', none fenced in '{columns['reasoning']}'"
        return Rejected(
            seed_id=None, where=row.where, reason="no_code", detail=detail, problem=problem.strip()
        )
    try:
        tests = read_tests(
            row.values.get(columns["tests"]),
            entry_point=row.text(columns["entry_point"]) or "",
            setup=row.text(columns["setup"]) or "",
        )
    except BadTestsError as error:
        return malformed(row.where, f"field '{columns['tests']}': {error}")
    return Seed(
        source=source,
        domain="code",
        problem=problem.strip(),
        reasoning=unwrapped(response) or None,
        reference_solution=program or None,
        tests=bind(tests, program),
        author="human" if source == "sample-code" else "source",
        where=row.where,
    )
