"""``tlg convert``: groups to another format, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tracelift_groups.records import Group

_EXAMPLES = """
\b
Examples:
  tlg convert runs/gsm8k --to tracelift -o groups.jsonl
  tlg convert groups.jsonl --to groups -o runs/imported.parquet
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    type=click.Choice(["tracelift", "groups"]),
    required=True,
    help="tracelift: the published system's JSONL. groups: our Parquet.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The file.")
@click.option("--split", help="Of a run folder, this split only (train, validation).")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(source: Path, target: str, out: Path, split: str | None, as_json: bool) -> None:
    """Write the groups of a run folder, a Parquet file or a JSONL file in another format.

    SOURCE is a run folder, a .parquet file of groups, or a .jsonl file in the published layout.
    The way there and back gives the same groups.
    """
    from tracelift_groups.errors import UserError
    from tracelift_groups.formats import write_tracelift
    from tracelift_groups.tables import write_groups

    if not out.parent.is_dir():
        raise UserError("no such folder", where=str(out.parent), way_out="make it first")
    groups = _read(source, split)
    if target == "tracelift":
        count = write_tracelift(out, groups)
    else:
        held = list(groups)
        named = (name for group in held for t in group.traces for name in t.rubric.labels)
        dimensions = list(dict.fromkeys(named))  # in the order of their first appearance
        write_groups(str(out), (group.model_dump() for group in held), dimensions)
        count = len(held)
    outcome = {"groups": count, "format": target, "file": str(out)}
    click.echo(json.dumps(outcome) if as_json else f"{count} groups to {out} ({target})")


def _read(source: Path, split: str | None) -> Iterator[Group]:
    from tracelift_groups.errors import UserError
    from tracelift_groups.formats import read_tracelift
    from tracelift_groups.store import run_files
    from tracelift_groups.tables import read_groups

    if source.is_dir():
        files = run_files(source)
        if split is not None and split not in files:
            raise UserError(
                f"no split '{split}'", where=str(source), way_out=f"one of {', '.join(files)}"
            )
        for name, path in files.items():
            if split in (None, name):
                yield from read_groups(str(path))
        return
    if split is not None:
        raise UserError("--split is for run folders", where=str(source))
    if not source.is_file():
        raise UserError("no such file or run folder", where=str(source))
    if source.suffix == ".parquet":
        yield from read_groups(str(source))
    else:
        yield from read_tracelift(source)
