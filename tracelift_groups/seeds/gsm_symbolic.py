"""GSM-Symbolic: word problems drawn from templates by the package ``reasoning-gym``, without end.

Every item brings a worked solution in GSM8K's layout (lines of prose with equations, and a last
line ``#### N``). The same seed and number give the same item, on any machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed

NAME = "gsm-symbolic"

DEFAULT_LIMIT = 1000
"""Problems where no ``--limit`` is given."""

FAULTY = {
    27: "what six complexes hold together is asserted, not worked out, and the last is the third",
    66: "the number of episodes is asserted, not worked out",
    70: "the solution multiplies by a fraction that the problem does not state",
    82: "the share is written as '40=40', not worked out from the percentage",
}
"""Templates whose solutions are no sound reasoning although their equations hold, and why."""

_REQUEST = " Give the result as your final answer. Do not include units."
# 24.0, as Python writes a float; $24.00 is a price and stays.
_WHOLE_FLOAT = re.compile(r"(?<![\d.])(\d+)\.0(?!\.?\d)")
_ROUNDED = re.compile(r"\d\.\d{7,}")
# The generator draws the templates of a whole data set at once; the draws of a longer one begin
# with those of a shorter one, so any lengths give the same items.
_BLOCK = 1024


def generator_version() -> str:
    """The generator and its version: another one may draw other problems.

    Raises:
        UserError: The package is not installed.
    """
    try:
        return f"reasoning-gym {version('reasoning-gym')}"
    except PackageNotFoundError as error:
        raise _not_installed() from error


def items(seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the generator's items with the numbers of their templates, without end.

    Raises:
        UserError: The package is not installed.
    """
    try:
        from reasoning_gym.arithmetic.gsm_symbolic import gsm_symbolic as generator
    except ImportError as error:
        raise _not_installed() from error
    size = 0
    for number in count():
        if number >= size:
            size = _BLOCK + 2 * number
            config = generator.GSMSymbolicDatasetConfig(seed=seed, size=size)
            made = generator.GSMSymbolicDataset(config)
        yield made.task_indices[number], made[number]


def seeds(seed: int) -> Iterator[Seed | Rejected]:
    """Yield one seed or rejection for each item, without end.

    Raises:
        UserError: The package is not installed.
    """
    for number, (template, item) in enumerate(items(seed)):
        yield read(item, template, f"{NAME}/{seed}:{number} (template {template})")


def read(item: dict[str, Any], template: int, where: str) -> Seed | Rejected:
    """Turn one item into a seed, or say what is wrong with it."""
    problem = _tidy(item["question"].removesuffix(_REQUEST))
    if template in FAULTY:
        return _reject(problem, where, "faulty_template", FAULTY[template])
    reasoning = _tidy(item["metadata"]["answer_cot"].rpartition("####")[0])
    if found := _ROUNDED.search(problem) or _ROUNDED.search(reasoning):
        spelled = re.search(r"\d+\.\d{7,}", found.string)
        assert spelled is not None
        return _reject(problem, where, "rounding_noise", f"the figure {spelled[0]}")
    return Seed(
        source=NAME,
        domain="math",
        problem=problem,
        answer=_tidy(str(item["answer"])),
        reasoning=reasoning,
        author="template",
        where=where,
    )


def _not_installed() -> UserError:
    return UserError(
        f"the source {NAME} needs the package reasoning-gym",
        way_out='pip install "tracelift-groups[synthetic]" (needs a C compiler)',
    )


def _tidy(text: str) -> str:
    return _WHOLE_FLOAT.sub(r"\1", text).strip()


def _reject(problem: str, where: str, reason: str, detail: str) -> Rejected:
    return Rejected(seed_id=None, where=where, reason=reason, detail=detail, problem=problem)
