"""``tlg build``: seeds to a run folder."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
  tlg build --source sample --out runs/sample
  tlg build --source gsm8k --out runs/gsm8k --workers 2
  tlg build --source gsm8k --seeds train.jsonl --out runs/gsm8k --decontaminate test.jsonl
  tlg build --source opencodereasoning --limit 500 --out runs/ocr
  tlg build --source jsonl --seeds my.jsonl --map problem=question,answer=gold --out runs/my
  tlg build --source sample --engine auto --rubric judge --model scripted --out runs/scripted
  tlg build --source gsm8k --engine llm --reference generate --model NAME --base-url URL \\
            --max-cost 5 --out runs/model
"""


@click.command(epilog=_EXAMPLES)
@seed_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; by default all cores.")
@model_options
@click.option(
    "--decontaminate",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Drop seeds that repeat a problem of this evaluation file (may be given repeatedly).",
)
@click.option(
    "--resume",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Go on with an interrupted build, or start over.",
)
@click.option(
    "--sandbox-url",
    metavar="URL",
    help="For code: run programs on a server that speaks SandboxFusion's protocol.",
)
@click.option(
    "--unsafe-local-exec",
    is_flag=True,
    help="For code: run programs even where they cannot be isolated.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the calls, tokens and cost to expect; ask nobody."
)
@click.option(
    "--batch",
    is_flag=True,
    help="Ask through OpenAI's Batch API: submit and leave; the same command collects.",
)
@click.option(
    "--backend",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where seeds are worked on: here, or with Ray Data on a cluster.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Make only part I of N, into a folder of its own; tlg merge joins them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON on stdout.")
def command(
    source: SeedSource,
    seed: int,
    out: Path,
    workers: int | None,
    plan: Plan,
    model: ModelSettings | Script | None,
    decontaminate: tuple[Path, ...],
    resume: str,
    sandbox_url: str | None,
    unsafe_local_exec: bool,
    dry_run: bool,
    batch: bool,
    backend: Literal["local", "ray"],
    shard: str | None,
    as_json: bool,
) -> None:
    """Make groups from seeds.

    Writes OUT/groups/{train,validation}.parquet, rejected.jsonl, manifest.json and a dataset card.
    An interrupted build goes on when the same command is given again.
    """
    from tracelift_groups.build import BuildOptions, build
    from tracelift_groups.commands.progress import progress_reporter
    from tracelift_groups.perturb.code.runs import Sandbox
    from tracelift_groups.shards import Shard
    from tracelift_groups.workers import default_workers

    options = BuildOptions(
        source=replace(source, bare=plan.reference == "generate"),
        plan=plan,
        model=model,
        seed=seed,
        workers=workers or default_workers(),
        decontaminate=decontaminate,
        sandbox=Sandbox(url=sandbox_url, unsafe=unsafe_local_exec),
        batch=batch,
        backend=backend,
        shard=Shard.parse(shard) if shard else None,
    )
    if dry_run:
        from tracelift_groups.dry_run import dry_run as estimate

        expected = estimate(options)
        click.echo(json.dumps(expected.as_json()) if as_json else str(expected))
        return
    with progress_reporter(sys.stderr) as report:
        manifest = build(options, out, resume=resume == "auto", on_progress=report)
    if as_json:
        click.echo(json.dumps(manifest, indent=2))
    elif options.shard:
        click.echo(f"shard {options.shard.named} is finished in {out}; join them with tlg merge")
    else:
        click.echo(summary(manifest, out))


def summary(manifest: dict[str, Any], out: Path) -> str:
    """What a finished run tells on a terminal."""
    counts, probes = manifest["counts"], manifest["probes"]
    lines = [
        f"{counts['groups']} groups and {counts['rejected']} rejected "
        f"from {counts['seeds_read']} seeds"
    ]
    if counts["by_rejection_reason"]:
        reasons = sorted(counts["by_rejection_reason"].items(), key=lambda item: -item[1])
        lines.append("  rejected: " + ", ".join(f"{n} {reason}" for reason, n in reasons))
    kinds = counts["groups_with_kind"].items()
    total = max(counts["groups"], 1)
    lines.append("  kinds: " + ", ".join(f"{kind} {100 * n / total:.0f} %" for kind, n in kinds))
    lines.append(
        f"  shortcuts (0.5 is chance): length {probes['length']['overall']:.3f}, "
        f"bag of words {probes['bag_of_words']['overall']:.3f}"
    )
    lines += _model_lines(manifest)
    lines.append(f"  in {out}")
    return "\n".join(lines)


def _model_lines(manifest: dict[str, Any]) -> list[str]:
    """What models did, what they cost, and what is to be known of their judgements."""
    lines = []
    spent = manifest["spent"]
    if spent["model_calls"]:
        drafts = manifest["counts"]["rejected_traces"].values()
        vain = sum(sum(reasons.values()) for reasons in drafts)
        money = "price not known" if spent["usd"] is None else f"{spent['usd']:.2f} USD"
        lines.append(
            f"  model: {spent['model_calls']} calls, {spent['tokens']} tokens, {money}; "
            f"{vain} drafts rejected"
        )
    if judges := manifest.get("judges"):
        known = [one for one in judges["agreement"].values() if one is not None]
        agreement = f"agreement (alpha) {sum(known) / len(known):.2f}, " if known else ""
        lines.append(
            f"  judges: {agreement}sound above flawed {judges['ordered']:.1%}, "
            f"above 0.95 {judges['saturated']:.1%} (flawed {judges['saturated_flawed']:.1%})"
        )
        if judges["warning"]:
            lines.append(f"  WARNING {judges['warning']}")
    if lost := manifest["counts"]["by_rejection_reason"].get("model_unavailable"):
        lines.append(
            f"  {lost} seeds got no answer from the endpoint; --resume never tries them again and "
            "asks nothing that was answered"
        )
    return lines
