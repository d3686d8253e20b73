"""Words that would tell a reader which trace is the flawed one."""

from __future__ import annotations

import re

GIVEAWAY = re.compile(
    r"\b(?:incorrect(?:ly)?|wrong(?:ly)?|mistake[ns]?|mistakenly|erroneous(?:ly)?|error|oops"
    r"|instead of|should (?:be|have)|forg[eo]t(?:s|ting|ten)?|ignor(?:e[ds]?|ing)|overlook\w*"
    r"|confus\w*|flaw(?:ed)?|misread\w*)\b",
    re.IGNORECASE,
)


def giveaway(parent: str, flawed: str) -> str | None:
    """Return a word of the flawed text that gives the flaw away and that its parent lacks."""
    known = {match[0].lower() for match in GIVEAWAY.finditer(parent)}
    return next(
        (match[0] for match in GIVEAWAY.finditer(flawed) if match[0].lower() not in known), None
    )
