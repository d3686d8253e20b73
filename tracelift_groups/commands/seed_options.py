"""The options that say where seeds come from, shared by ``build`` and ``preview``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tracelift_groups.seeds import SOURCES, SeedSource
from tracelift_groups.seeds.jsonl import parse_map

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--source", type=click.Choice(SOURCES), required=True, help="Where the seeds come from."
    ),
    click.option(
        "--seeds",
        "seeds_file",
        type=click.Path(path_type=Path),
        help="Read the seeds from this JSONL file (.gz too) instead of the Hub.",
    ),
    click.option(
        "--map",
        "mapping",
        default="",
        metavar="FIELD=COLUMN,…",
        help="For jsonl: the file's columns for problem, answer, reasoning.",
    ),
    click.option(
        "--hub-split", default="train", show_default=True, help="Split of the Hub's data."
    ),
    click.option("--limit", type=click.IntRange(min=1), help="Read at most this many rows."),
    click.option(
        "--seed", type=int, default=0, show_default=True, help="Seed of everything drawn at random."
    ),
)


def seed_options(function: F) -> F:
    """Add the seed options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def seed_source(
    source: str, seeds_file: Path | None, mapping: str, hub_split: str, limit: int | None
) -> SeedSource:
    """Build the source that the options ask for."""
    return SeedSource(
        name=source,
        file=seeds_file,
        fields=parse_map(mapping),
        hub_split=hub_split,
        limit=limit,
    )
