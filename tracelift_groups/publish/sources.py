"""Whose texts the groups of a source hold, and whether they may be given away."""

from __future__ import annotations

from typing import NamedTuple

from tracelift_groups.errors import UserError


class Source(NamedTuple):
    """Where problems come from.

    Attributes:
        license: As the Hub names it.
        where: Where they come from, for the card.
    """

    license: str
    where: str


SOURCES = {
    "gsm8k": Source("mit", "GSM8K's train set (Cobbe et al. 2021, arXiv 2110.14168), MIT"),
    "gsm-symbolic": Source("apache-2.0", "templates of reasoning-gym, Apache-2.0"),
    "opencodereasoning": Source(
        "cc-by-4.0", "OpenCodeReasoning (NVIDIA, arXiv 2504.01943), CC BY 4.0"
    ),
    "sample": Source("apache-2.0", "problems written for tracelift-groups, Apache-2.0"),
    "sample-code": Source("apache-2.0", "problems written for tracelift-groups, Apache-2.0"),
}
OPEN = frozenset(
    "apache-2.0 mit bsd-3-clause bsd-2-clause cc0-1.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0 "
    "cc-by-nc-sa-4.0 odc-by cdla-permissive-2.0 cdla-permissive-1.0".split()
)
"""Licences that allow texts to be passed on."""


def source_of(name: str, given: str | None, where: str) -> Source:
    """Return a source's licence, or the one that the user vouches for.

    Args:
        name: Of the source in the run's manifest.
        given: ``--license``: for problems of the user's own.
        where: The run, for messages.

    Raises:
        UserError: Nobody says that the texts may be given away, or a licence that forbids it.
    """
    known = SOURCES.get(name)
    if known is not None and given in (None, known.license):
        return known
    if known is not None:
        raise UserError(
            f"the texts of {name} are under {known.license}", where="--license", way_out="drop it"
        )
    if given is None:
        raise UserError(
            f"the run holds texts of a source of your own ({name}), of whose licence nothing is "
            "known; nothing was uploaded",
            where=where,
            way_out="give their licence with --license if you may pass them on",
        )
    if given not in OPEN:
        raise UserError(
            f"{given!r} is no licence that lets texts be passed on; nothing was uploaded",
            where="--license",
            way_out=f"one of {', '.join(sorted(OPEN))}",
        )
    return Source(given, f"a file of the author's own ({name}), {given}")
