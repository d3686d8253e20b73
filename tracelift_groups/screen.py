"""Reads the seeds of a build and sets aside what no group can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.groups import reject
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds import SeedSource
from tracelift_groups.splits import overlapping


class Screened(NamedTuple):
    """The seeds to work on, and the rows that were set aside."""

    seeds: list[Seed]
    rejected: list[Rejected]


def screen(source: SeedSource, decontaminate: Sequence[Path]) -> Screened:
    """Read all seeds; set malformed, duplicate and contaminated ones aside.

    Of seeds with the same problem the one with the smallest answer and reasoning is kept, so the
    outcome does not depend on their order.

    Raises:
        UserError: No row is usable, or a file cannot be read.
    """
    kept: dict[str, Seed] = {}
    rejected: list[Rejected] = []
    for item in source:
        if isinstance(item, Rejected):
            rejected.append(item)
            continue
        other = kept.setdefault(item.seed_id, item)
        if other is not item:
            first, second = sorted((other, item), key=_content)
            kept[item.seed_id] = first
            detail = f"the same problem as {first.where}"
            rejected.append(reject(second, "duplicate_problem", detail))
    if not kept:
        where = source.path.name if source.path else source.name
        first_reason = f": {rejected[0].where}: {rejected[0].detail}" if rejected else ""
        raise UserError(
            f"no usable row{first_reason}",
            where=where,
            way_out="check the file and, for --source jsonl, --map",
        )
    seeds = list(kept.values())
    if decontaminate:
        found = overlapping([seed.problem for seed in seeds], decontaminate)
        for index, overlap in found.items():
            detail = f"near-duplicate of {overlap.where}: {overlap.problem[:120]}"
            rejected.append(reject(seeds[index], "contaminated", detail))
        seeds = [seed for index, seed in enumerate(seeds) if index not in found]
    return Screened(seeds, rejected)


def _content(seed: Seed) -> tuple[str, ...]:
    content = (seed.answer, seed.reference_solution, seed.tests, seed.reasoning, seed.where)
    return tuple(part or "" for part in content)
