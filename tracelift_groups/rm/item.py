"""What is scored; apart, so that clients of a server need no PyTorch."""

from __future__ import annotations

from typing import NamedTuple

from tracelift_groups.records import Domain


class Item(NamedTuple):
    """A reasoning text to score, with what it is about."""

    problem: str
    reasoning: str
    domain: Domain = "math"
    tests: str | None = None
