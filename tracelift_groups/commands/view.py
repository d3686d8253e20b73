"""``tlg view``: groups as one HTML file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tracelift_groups.records import Group, Rejected

_EXAMPLES = """
\b
Examples:
  tlg view runs/gsm8k
  tlg view runs/gsm8k --rm rms/gsm8k -o report.html
  tlg view published.jsonl -o published.html
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--rm", metavar="DIR|URL", help="A reward model whose scores are shown.")
@click.option("--split", help="Only the groups of this split.")
@click.option("--limit", type=click.IntRange(min=1), help="The first groups only.")
@click.option("--device", metavar="NAME", help="Of the reward model.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file; of a run by default its view.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    source: Path,
    rm: str | None,
    split: str | None,
    limit: int | None,
    device: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write groups as one HTML file to read in a browser; it needs no network and no server.

    SOURCE is a run folder, a .parquet file of groups or a .jsonl file in the published layout. A
    run's rejections and its audit are shown, too.
    """
    from tracelift_groups.errors import UserError
    from tracelift_groups.groupfiles import groups_of
    from tracelift_groups.report.page import render_page
    from tracelift_groups.store import AUDIT, VIEW, read_json, read_manifest, write_atomically

    groups = list(groups_of(source, split))[:limit]
    if not groups:
        raise UserError("there are no groups", where=str(source))
    run = source.is_dir()
    target = out or (source / VIEW if run else source.with_suffix(".html"))
    if not target.parent.is_dir():
        raise UserError("no such folder", where=str(target.parent), way_out="make it first")
    page = render_page(
        groups,
        title=f"Groups of {source.resolve().name}",
        rejected=_rejected(source) if run else (),
        manifest=read_manifest(source) if run else None,
        audit=read_json(source / AUDIT) if run else None,
        scores=_scores(groups, rm, device) if rm else None,
    )
    write_atomically(target, page)
    size = len(page.encode()) / 1e6
    outcome = {"groups": len(groups), "file": str(target), "megabytes": round(size, 2)}
    click.echo(
        json.dumps(outcome) if as_json else f"{len(groups)} groups in {target} ({size:.1f} MB)"
    )


def _rejected(run: Path) -> list[Rejected]:
    from tracelift_groups.records import Rejected
    from tracelift_groups.store import REJECTED

    path = run / REJECTED
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Rejected.model_validate_json(line) for line in lines]


def _scores(groups: list[Group], rm: str, device: str | None) -> list[list[float]]:
    from tracelift_groups.commands.counting import counting_reporter
    from tracelift_groups.commands.extras import require_extra
    from tracelift_groups.rm.item import Item
    from tracelift_groups.rm.judge import load_judge

    if not rm.startswith(("http://", "https://")):
        require_extra("train")
    report = counting_reporter(sys.stderr, "view: scored")
    judge: Any = load_judge(rm, device=device, on_done=report)
    items = [
        Item(group.problem, trace.text, group.domain, group.tests)
        for group in groups
        for trace in group.traces
    ]
    scores = iter(judge(items))
    return [[next(scores) for _ in group.traces] for group in groups]
