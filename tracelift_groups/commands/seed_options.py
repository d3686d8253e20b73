"""The options that say where seeds come from, shared by ``build`` and ``preview``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracelift_groups.seeds import SOURCES, SeedSource, gsm_symbolic
from tracelift_groups.seeds.jsonl import parse_map

_OPTIONS = (
    click.option(
        "--source",
        "source_name",
        type=click.Choice(SOURCES),
        required=True,
        help="Where the seeds come from.",
    ),
    click.option(
        "--seeds",
        "seeds_file",
        type=click.Path(path_type=Path),
        help="Read the seeds from this JSONL (.gz too) or Parquet file, or folder of them, "
        "instead of the Hub.",
    ),
    click.option(
        "--map",
        "mapping",
        default="",
        metavar="FIELD=COLUMN,…",
        help="For jsonl: the file's columns for problem, answer, reasoning, and of code rows "
        "solution, tests, entry_point, setup; usual names are found without.",
    ),
    click.option(
        "--hub-split",
        help="Split of the Hub's data (gsm8k: train; opencodereasoning: split_0, split_1 or all, "
        "which is the default).",
    ),
    click.option(
        "--tests",
        "tests_file",
        type=click.Path(path_type=Path),
        help="For opencodereasoning: tests to join, a JSONL or Parquet file or a folder; "
        "else the examples of the statements.",
    ),
    click.option(
        "--statements",
        "statements_file",
        type=click.Path(path_type=Path),
        help="For opencodereasoning: the statements that split_1 leaves out; else from the Hub.",
    ),
    click.option(
        "--responses",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="For opencodereasoning: responses to take of each question.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        help="Read at most this many rows (gsm-symbolic, which has no end: 1000 unless given).",
    ),
    click.option(
        "--seed", type=int, default=0, show_default=True, help="Seed of everything drawn at random."
    ),
)


def seed_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the seed options to a command, which gets ``source: SeedSource`` and ``seed: int``."""

    @functools.wraps(function)
    def command(
        *,
        source_name: str,
        seeds_file: Path | None,
        mapping: str,
        hub_split: str | None,
        tests_file: Path | None,
        statements_file: Path | None,
        responses: int,
        limit: int | None,
        seed: int,
        **others: Any,
    ) -> None:
        if source_name == gsm_symbolic.NAME and limit is None:
            limit = gsm_symbolic.DEFAULT_LIMIT
            click.echo(f"{source_name} has no end: {limit} problems; --limit N for more", err=True)
        source = SeedSource(
            name=source_name,
            file=seeds_file,
            fields=parse_map(mapping),
            hub_split=hub_split,
            limit=limit,
            tests=tests_file,
            statements=statements_file,
            responses=responses,
            draw=seed if source_name == gsm_symbolic.NAME else 0,
        )
        function(source=source, seed=seed, **others)

    decorated: Callable[..., None] = command
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
