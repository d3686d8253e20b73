"""``tlg convert``: groups to another format, and back."""

from __future__ import annotations

import json
from pathlib import Path

import click

_EXAMPLES = """
\b
Examples:
  tlg convert runs/gsm8k --to tracelift -o groups.jsonl
  tlg convert groups.jsonl --to groups -o imported.parquet
  tlg convert runs/gsm8k --to trl-reward --split train -o pairs.parquet
  tlg convert runs/gsm8k --to processbench --split validation -o steps.jsonl
"""
_OURS = ("tracelift", "groups")
_OTHERS = ("trl-reward", "trl-prm", "processbench", "rewardbench")


@click.command(epilog=_EXAMPLES)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    type=click.Choice([*_OURS, *_OTHERS]),
    required=True,
    help="tracelift: the published system's JSONL; groups: our Parquet; both without loss. "
    "The others are for trainers and benchmarks, JSONL or Parquet by the file's ending.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The file.")
@click.option("--split", help="Only the groups of this split (train, validation).")
@click.option("--kind", "kinds", multiple=True, help="Only flaws of this kind; repeatable.")
@click.option(
    "--pairs",
    type=click.Choice(["parent", "all"]),
    default="parent",
    show_default=True,
    help="trl-reward: each flaw beside the sound trace it was made from, or beside all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    source: Path,
    target: str,
    out: Path,
    split: str | None,
    kinds: tuple[str, ...],
    pairs: str,
    as_json: bool,
) -> None:
    """Write the groups of a run folder, a Parquet file or a JSONL file in another format.

    SOURCE is a run folder, a .parquet file of groups, or a .jsonl file in the published layout.
    """
    from tracelift_groups.errors import UserError
    from tracelift_groups.exports import exporter, write_rows
    from tracelift_groups.formats import write_tracelift
    from tracelift_groups.groupfiles import groups_of, only_kinds
    from tracelift_groups.tables import write_groups

    if not out.parent.is_dir():
        raise UserError("no such folder", where=str(out.parent), way_out="make it first")
    groups = groups_of(source, split)
    if kinds:
        groups = only_kinds(groups, kinds)
    left_out: dict[str, int] = {}
    if target == "tracelift":
        count, what = write_tracelift(out, groups), "groups"
    elif target == "groups":
        held = list(groups)
        named = (name for group in held for t in group.traces for name in t.rubric.labels)
        dimensions = list(dict.fromkeys(named))  # in the order of their first appearance
        write_groups(str(out), (group.model_dump() for group in held), dimensions)
        count, what = len(held), "groups"
    else:
        make = exporter(target, pairs)  # type: ignore[arg-type]  # click has checked it
        count, left_out = write_rows(out, groups, make)
        what = "rows"
    outcome = {what: count, "format": target, "file": str(out), "left_out": dict(left_out)}
    if as_json:
        click.echo(json.dumps(outcome))
        return
    click.echo(f"{count} {what} to {out} ({target})")
    for reason, number in sorted(left_out.items()):
        click.echo(f"  left out: {number} {reason.replace('_', ' ')}")
