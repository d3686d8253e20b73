"""``tlg preview``: the first groups as coloured word diffs; nothing is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tracelift_groups.commands.model_options import model_options
from tracelift_groups.commands.seed_options import seed_options
from tracelift_groups.seeds import SeedSource

if TYPE_CHECKING:
    from tracelift_groups.llm.opening import Script
    from tracelift_groups.llm.settings import ModelSettings
    from tracelift_groups.plan import Plan

_EXAMPLES = """
\b
Examples:
  tlg preview --source sample
  tlg preview --source gsm8k --seeds train.jsonl --groups 5 --kind unit_mismatch
  tlg preview --source sample --engine llm --model scripted
"""


@click.command(epilog=_EXAMPLES)
@seed_options
@model_options
@click.option("--groups", "count", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--kind", help="Show flawed traces of this kind only.")
@click.option("--json", "as_json", is_flag=True, help="Print the groups as JSON lines instead.")
def command(
    source: SeedSource,
    seed: int,
    plan: Plan,
    model: ModelSettings | Script | None,
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
    from tracelift_groups.perturb.template import load_templates
    from tracelift_groups.records import Group
    from tracelift_groups.report.diff import print_group
    from tracelift_groups.work import Job, one_by_one

    kinds = [template.id for template in load_templates(source.domain)]
    if kind is not None and kind not in kinds:
        raise UserError(
            f"unknown kind '{kind}'", where="--kind", way_out=f"one of {', '.join(kinds)}"
        )
    console = Console(highlight=False, soft_wrap=True)
    shown = 0
    items = replace(source, bare=plan.reference == "generate")
    for result in one_by_one(items, Job(plan, seed), model):
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
