"""``tlg build``: seeds to a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tracelift_groups.commands.seed_options import seed_options
from tracelift_groups.seeds import SeedSource

_EXAMPLES = """
\b
Examples:
  tlg build --source sample --out runs/sample
  tlg build --source gsm8k --out runs/gsm8k --workers 2
  tlg build --source gsm8k --seeds train.jsonl --out runs/gsm8k --decontaminate test.jsonl
  tlg build --source opencodereasoning --limit 500 --out runs/ocr
  tlg build --source jsonl --seeds my.jsonl --map problem=question,answer=gold --out runs/my
"""


@click.command(epilog=_EXAMPLES)
@seed_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; by default all cores.")
@click.option("--engine", type=click.Choice(["rule"]), default="rule", help="Who makes the flaws.")
@click.option("--reference", type=click.Choice(["gold"]), default="gold", help="Reference traces.")
@click.option("--rubric", type=click.Choice(["template"]), default="template", help="Labels.")
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
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON on stdout.")
def command(
    source: SeedSource,
    seed: int,
    out: Path,
    workers: int | None,
    engine: str,
    reference: str,
    rubric: str,
    decontaminate: tuple[Path, ...],
    resume: str,
    sandbox_url: str | None,
    unsafe_local_exec: bool,
    as_json: bool,
) -> None:
    """Make groups from seeds.

    Writes OUT/groups/{train,validation}.parquet, rejected.jsonl, manifest.json and a dataset card.
    An interrupted build goes on when the same command is given again.
    """
    from tracelift_groups.build import BuildOptions, build
    from tracelift_groups.commands.progress import progress_reporter
    from tracelift_groups.perturb.code.runs import Sandbox
    from tracelift_groups.workers import default_workers

    options = BuildOptions(
        source=source,
        seed=seed,
        workers=workers or default_workers(),
        decontaminate=decontaminate,
        sandbox=Sandbox(url=sandbox_url, unsafe=unsafe_local_exec),
    )
    with progress_reporter(sys.stderr) as report:
        manifest = build(options, out, resume=resume == "auto", on_progress=report)
    if as_json:
        click.echo(json.dumps(manifest, indent=2))
    else:
        click.echo(_summary(manifest, out))


def _summary(manifest: dict[str, Any], out: Path) -> str:
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
    lines.append(f"  in {out}")
    return "\n".join(lines)
