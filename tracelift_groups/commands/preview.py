"""``tlg preview``: the first groups as coloured word diffs; nothing is written."""

from __future__ import annotations

import json

import click

from tracelift_groups.commands.seed_options import seed_options
from tracelift_groups.seeds import SeedSource

_EXAMPLES = """
\b
Examples:
  tlg preview --source sample
  tlg preview --source gsm8k --seeds train.jsonl --groups 5 --kind unit_mismatch
"""


@click.command(epilog=_EXAMPLES)
@seed_options
@click.option("--groups", "count", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--kind", help="Show flawed traces of this kind only.")
@click.option("--json", "as_json", is_flag=True, help="Print the groups as JSON lines instead.")
def command(
    source: SeedSource,
    seed: int,
    count: int,
    kind: str | None,
    as_json: bool,
) -> None:
    """Print the first groups that a build would make.

    A flawed trace is shown against the sound trace that it was made from: what is gone in red,
    what took its place in green.
    """
    from rich.console import Console

    from tracelift_groups.errors import UserError
    from tracelift_groups.groups import make_group
    from tracelift_groups.perturb.template import load_templates
    from tracelift_groups.records import Group, Rejected
    from tracelift_groups.report.diff import print_group

    kinds = [template.id for template in load_templates(source.domain)]
    if kind is not None and kind not in kinds:
        raise UserError(
            f"unknown kind '{kind}'", where="--kind", way_out=f"one of {', '.join(kinds)}"
        )
    console = Console(highlight=False, soft_wrap=True)
    shown = 0
    for item in source:
        result = item if isinstance(item, Rejected) else make_group(item, seed)
        if isinstance(result, Group):
            if kind and not any(trace.kind == kind for trace in result.traces):
                continue
            if as_json:
                click.echo(json.dumps(result.model_dump(), ensure_ascii=False))
            else:
                print_group(console, result, kind)
            shown += 1
        elif not as_json:
            console.print(f"[dim]rejected {result.where}: {result.reason}: {result.detail}[/dim]")
        if shown == count:
            return
    if not shown:
        raise UserError("no seed became a group", way_out="see the reasons above, or raise --limit")
