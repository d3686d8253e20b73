"""``tlg uplift``: what every trace of a run is worth to a frozen executor."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelift_groups.commands.executor_options import executor_options

if TYPE_CHECKING:
    from tracelift_groups.grpo.models import ModelChoice

_EXAMPLES = """
\b
Examples:
  tlg uplift runs/gsm8k --executor http://localhost:8000/v1 --executor-model Qwen/Qwen3-4B
  tlg uplift runs/gsm8k --executor local:models/executor --limit 200
"""


@click.command(epilog=_EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@executor_options
@click.option(
    "--repeats",
    type=click.IntRange(1, 64),
    default=3,
    show_default=True,
    help="Executor runs with each trace, and without any.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, 2),
    default=0.5,
    show_default=True,
    help="Of the executor; at 0 one run says all.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    help="Most tokens of a reply; by default 64 for an answer, 1024 for a program.",
)
@click.option("--executor-prompt", default="executor", show_default=True, help="Or a .jinja path.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Measure the first groups of each split only."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    run: Path,
    executor: ModelChoice,
    device: str | None,
    repeats: int,
    temperature: float,
    max_tokens: int | None,
    executor_prompt: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Measure how often a frozen executor succeeds with each trace of a run, and without one.

    RUN is a finished run folder. Each trace gets a column ``uplift``, the manifest and the card a
    table of the kinds: which flaws really hurt an executor. Replies are kept in the run folder;
    the same command goes on after an interruption.
    """
    from tracelift_groups.commands.counting import counting_reporter
    from tracelift_groups.grpo.settings import RewardSettings
    from tracelift_groups.grpo.uplift import measure_run

    usual = RewardSettings()
    settings = RewardSettings(
        repeats=repeats,
        baseline_repeats=repeats,
        temperature=temperature,
        max_tokens_math=max_tokens or usual.max_tokens_math,
        max_tokens_code=max_tokens or usual.max_tokens_code,
        executor_prompt=executor_prompt,
    )
    report = counting_reporter(sys.stderr, "uplift: groups")
    summary = measure_run(run, executor, settings, limit=limit, on_done=report)
    if summary["repeats_differ"] is False and repeats > 1:
        click.echo(
            "warning: the executor gives the same reply again and again; its repeats say nothing",
            err=True,
        )
    click.echo(json.dumps(summary) if as_json else _table(summary))


def _table(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['measured']} traces of {summary['groups']} groups on {summary['executor']}",
        f"  {'':24}{'traces':>8}{'success':>10}{'uplift':>9}{'against the parent':>26}",
    ]
    for row in summary["table"]:
        against = row["against_parent"]
        shown = (
            "" if against is None else f"{against[0]:+.3f} ({against[1]:+.3f} {against[2]:+.3f})"
        )
        lines.append(
            f"  {row['row']:24}{row['traces']:>8}{row['success'][0]:>10.3f}"
            f"{row['uplift'][0]:>+9.3f}{shown:>26}"
        )
    for reason, count in summary["unknown"].items():
        lines.append(f"  {count} traces without a result: {reason}")
    return "\n".join(lines)
