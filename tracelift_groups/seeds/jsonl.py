"""Any JSONL file: problem, answer, reasoning, under whatever names its columns have."""

from __future__ import annotations

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds.rows import Row, missing

FIELDS = ("problem", "answer", "reasoning")


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


def seed(row: Row, fields: dict[str, str]) -> Seed | Rejected:
    """Turn one row into a seed, by the mapping (unmapped fields go by our own names)."""
    values = {name: row.text(fields.get(name, name)) for name in FIELDS}
    for name in FIELDS:
        if not (values[name] or "").strip():
            return missing(row, fields.get(name, name))
    problem = values["problem"]
    assert problem is not None
    return Seed(
        source="jsonl",
        domain="math",
        problem=problem.strip(),
        answer=values["answer"],
        reasoning=values["reasoning"],
        where=row.where,
    )
