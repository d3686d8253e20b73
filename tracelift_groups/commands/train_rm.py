"""``tlg train-rm``: groups to a reward model."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from tracelift_groups.commands.extras import require_extra

_EXAMPLES = """
\b
Examples:
  tlg train-rm runs/sample -o rms/sample
  tlg train-rm runs/gsm8k --recipe minilm optim.epochs=2 -o rms/minilm
  tlg train-rm runs/gsm8k --recipe my.yaml loss.ranking.form=listwise seed=1 -o rms/mine
  accelerate launch --config_file rm/accelerate/ddp.yaml -m tracelift_groups \\
      train-rm runs/gsm8k --recipe qwen2.5-0.5b -o rms/qwen2.5-0.5b
"""


@click.command(epilog=_EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--recipe",
    default="tiny",
    show_default=True,
    help="A shipped recipe's name (see the folder rm/) or the path of one.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the model."
)
@click.option(
    "--resume",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Go on with an interrupted training, or start over.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
def command(
    run: Path, overrides: tuple[str, ...], recipe: str, out: Path, resume: str, as_json: bool
) -> None:
    """Train a reasoning reward model on the groups of a run.

    RUN is a run folder, a .parquet file of groups, a .jsonl file in the published layout, or a
    dataset on the Hub (hf://datasets/user/name).
    KEY=VALUE overrides a recipe's key, dotted: optim.lr=1e-4. The weights kept are those of the
    evaluation with the best held-out group accuracy. An interrupted training goes on when the
    same command is given again.
    """
    from tracelift_groups.commands.training import training_reporter
    from tracelift_groups.rm.recipe import load_recipe

    loaded = load_recipe(recipe, overrides)
    require_extra("train")
    from tracelift_groups.groupfiles import local_copy
    from tracelift_groups.rm.train import train

    info = train(
        local_copy(run),
        loaded,
        out,
        resume=resume == "auto",
        on_report=training_reporter(sys.stderr),
    )
    if os.environ.get("RANK", "0") != "0":
        return  # under accelerate launch, the first process speaks for all
    if as_json:
        click.echo(json.dumps({**info, "folder": str(out)}, indent=2))
    else:
        click.echo(_summary(info, out))


def _summary(info: dict[str, Any], out: Path) -> str:
    counts, best = info["groups"], info["best"]
    left_out = {
        name: sum(split.get(name, 0) for split in counts.values())
        for name in ("traces_too_long", "traces_alike", "groups_too_small", "tests_shortened")
    }
    odd = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in left_out.items() if count
    )
    lines = [
        f"{info['parameters'] / 1e6:.1f}M parameters, {info['steps']} steps over "
        f"{counts['train'].get('groups', 0)} groups in {info['seconds']:.0f} s"
    ]
    if odd:
        lines.append(f"  left out: {odd}")
    if best["group_accuracy"] is None:
        lines.append("  no validation groups: the last weights are kept, their accuracy unknown")
    else:
        lines.append(
            f"  held out ({counts['validation']['groups']} groups), best at step {best['step']}: "
            f"a sound trace on top in {100 * best['group_accuracy']:.1f} % of groups, "
            f"{100 * best['pair_accuracy']:.1f} % of pairs in order"
        )
    lines.append(f"  in {out}")
    return "\n".join(lines)
