"""``tlg export-rm``: a reward model as a folder that others load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

_EXAMPLES = """
\b
Examples:
  tlg export-rm models/rm -o export/rm
  tlg export-rm models/rm --as sequence-classification -o export/rm-classifier
  tlg export-rm models/rm --as published -o export/rm-published
"""


@click.command(epilog=_EXAMPLES)
@click.argument("rm", metavar="RM", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "flavour",
    type=click.Choice(["native", "sequence-classification", "published"]),
    default="native",
    show_default=True,
    help="native: all of it. sequence-classification: one logit, for vLLM, SGLang and TRL. "
    "published: the published system's layout (Qwen2 only).",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The new folder.")
@click.option("--device", default="cpu", show_default=True, help="Where scores are compared.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    rm: Path,
    flavour: Literal["native", "sequence-classification", "published"],
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    """Write a reward model as a self-contained folder of safetensors, tokenizer and card.

    RM is a folder that train-rm wrote, or one in the published layout. What was written is loaded
    again and must give the same scores, one by one, in batches and padded on either side, within
    1e-5; otherwise nothing is kept and the exit status is 1.
    """
    from tracelift_groups.commands.extras import require_extra

    require_extra("train")
    from tracelift_groups.rm.export import export

    done = export(rm, out, flavour, device=device)
    worst = max(one.difference for one in done.differences)
    if as_json:
        ways = {one.way: one.difference for one in done.differences}
        outcome = {"folder": str(out), "as": flavour, "differences": ways}
        click.echo(json.dumps(outcome))
    else:
        click.echo(
            f"{out} ({flavour}): scores agree within {worst:.1e} in {len(done.differences)} ways"
        )
