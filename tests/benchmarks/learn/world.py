"""The world of the learning proof: small word problems of gsm-symbolic, and groups of them.

Kept are six templates of two or three steps with short texts, and of their problems those in which
no number is above 99; each template has some thousand. That is what a model of a million parameters
can learn. Held-out problems come from another draw and share no text with the others.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tracelift_groups.groupfiles import groups_of
from tracelift_groups.records import Group, Seed
from tracelift_groups.seeds import gsm_symbolic
from tracelift_groups.store import write_atomically
from tracelift_groups.tables import write_groups

TEMPLATES = (10, 16, 31, 43, 48, 62)
LARGEST = 99

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TRAIN_DRAW, _HELD_OUT_DRAW = 1, 2


class Drawn(NamedTuple):
    """A problem, and the template that it is of."""

    seed: Seed
    template: int


def draw(seed: int, count: int, without: frozenset[str] = frozenset()) -> list[Drawn]:
    """Draw different problems, equally many of each template (the first ones get the remainder).

    Args:
        seed: Of the generator.
        count: How many.
        without: Texts that are passed over.
    """
    seen = set(without)
    left = {name: count // len(TEMPLATES) for name in TEMPLATES}
    for name in TEMPLATES[: count % len(TEMPLATES)]:
        left[name] += 1
    found = []
    for template, item in gsm_symbolic.items(seed):
        if not any(left.values()):
            break
        if not left.get(template):
            continue
        made = gsm_symbolic.read(item, template, "")
        if isinstance(made, Seed) and made.problem not in seen and _small(made):
            seen.add(made.problem)
            left[template] -= 1
            found.append(Drawn(made, template))
    return found


def make_seeds(folder: Path, train: int, held_out: int) -> None:
    """Write ``train.jsonl`` and ``held_out.jsonl``."""
    first = draw(_TRAIN_DRAW, train)
    texts = frozenset(one.seed.problem for one in first)
    for name, drawn in (("train", first), ("held_out", draw(_HELD_OUT_DRAW, held_out, texts))):
        rows = [
            {
                "problem": one.seed.problem,
                "answer": one.seed.answer,
                "reasoning": one.seed.reasoning,
                "template": one.template,
            }
            for one in drawn
        ]
        lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        write_atomically(folder / f"{name}.jsonl", lines)


def make_groups(seeds: Path, run: Path, file: Path, workers: int) -> None:
    """Build the groups of a seed file, and put them in one file that names no split.

    ``tlg build`` keeps problems of one template in one split, as it should: here the problems to
    measure on are drawn apart, and training may use every template.
    """
    build = [sys.executable, "-m", "tracelift_groups", "build", "--source", "jsonl"]
    command = [*build, "--seeds", str(seeds), "--out", str(run), "--workers", str(workers)]
    subprocess.run(command, check=True)
    groups = [group.model_copy(update={"split": None}) for group in groups_of(run)]
    dimensions = tuple(groups[0].reference.rubric.labels)
    rows = (group.model_dump() for group in sorted(groups, key=lambda one: one.group_id))
    write_groups(str(file), rows, dimensions)


def read_world(file: Path) -> list[Group]:
    """Read the groups of :func:`make_groups`."""
    return list(groups_of(file))


def _small(seed: Seed) -> bool:
    return all(number <= LARGEST for number in _numbers(f"{seed.problem} {seed.reasoning}"))


def _numbers(text: str) -> Iterator[float]:
    return (float(found[0].replace(",", "")) for found in _NUMBER.finditer(text))
