"""The rows that `tlg verify` reads and writes."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tracelift_groups.verify.verdict import Result, Verdict

_LONGEST_LINE = 64 << 20


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str | int


class MathRow(_Row):
    """A reply to a problem with a gold answer."""

    domain: Literal["math"]
    reply: str
    answer: str


class Test(BaseModel):
    """One input and the output it must give."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    __test__ = False  # the name is the format's, pytest should leave it alone

    input: str
    output: str


class StdioRow(_Row):
    """A reply whose program reads stdin and writes stdout."""

    domain: Literal["code"]
    reply: str
    tests: list[Test]


class FunctionRow(_Row):
    """A reply whose program defines what the asserts call."""

    domain: Literal["code"]
    reply: str
    test_code: str
    entry_point: str = ""
    setup: str = ""


Row = MathRow | StdioRow | FunctionRow
_KINDS: dict[str, TypeAdapter[Any]] = {
    "math": TypeAdapter(MathRow),
    "stdio": TypeAdapter(StdioRow),
    "function": TypeAdapter(FunctionRow),
}


class BadRow(BaseModel):
    """A line that is no row: kept in its place, as an invalid result."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str | int | None, Field(description="the line's id where it has one")]
    problem: str


def _kind(value: dict[str, Any]) -> str:
    if value.get("domain") == "math":
        return "math"
    return "function" if "test_code" in value else "stdio"


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "row"
    return f"field {field}: {first['msg']}"


def parse_row(line: str, where: str) -> Row | BadRow:
    """Reads one line of JSON.

    Args:
        line: The line.
        where: File and line number, for the message.

    Returns:
        The row, or a `BadRow` that names file, line and field.
    """
    if len(line) > _LONGEST_LINE:
        return BadRow(id=None, problem=f"{where}: longer than {_LONGEST_LINE >> 20} MiB")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(id=None, problem=f"{where}: not JSON: {error}")
    if not isinstance(value, dict):
        return BadRow(id=None, problem=f"{where}: not a JSON object")
    name = value.get("id")
    row_id = name if isinstance(name, str | int) else None
    if value.get("domain") not in ("math", "code"):
        return BadRow(id=row_id, problem=f"{where}: field domain: must be 'math' or 'code'")
    try:
        row: Row = _KINDS[_kind(value)].validate_python(value)
    except ValidationError as error:
        return BadRow(id=row_id, problem=f"{where}: {_problem(error)}")
    return row


def output_row(row: Row | BadRow, result: Result) -> dict[str, Any]:
    """The row to write for a result."""
    return {
        "id": row.id,
        "verdict": str(result.verdict),
        "valid": result.valid,
        "passed": result.passed,
        "total": result.total,
        "detail": result.detail,
    }


def bad_result(row: BadRow) -> Result:
    """The invalid result that stands for a bad row."""
    return Result(Verdict.SANDBOX_ERROR, 0, 0, row.problem)
