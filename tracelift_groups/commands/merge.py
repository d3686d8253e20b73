"""``tlg merge``: the parts of a build to one run folder."""

from __future__ import annotations

import json
from pathlib import Path

import click

_EXAMPLES = """
\b
Example:
  tlg build --source sample --shard 1/2 --out parts/1
  tlg build --source sample --shard 2/2 --out parts/2
  tlg merge parts/1 parts/2 --out runs/sample
"""


@click.command(epilog=_EXAMPLES)
@click.argument("shards", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON on stdout.")
def command(shards: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Join the parts that tlg build --shard made: the same bytes as a build in one piece.

    SHARDS are the folders of all the parts, in any order.
    """
    from tracelift_groups.commands.build import summary
    from tracelift_groups.shards import merge

    manifest = merge(shards, out)
    click.echo(json.dumps(manifest, indent=2) if as_json else summary(manifest, out))
