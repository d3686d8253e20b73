"""Chance that is none: numbers that depend on what they are drawn for, and on nothing else."""

from __future__ import annotations

import hashlib
from random import Random


def _number(parts: tuple[object, ...]) -> int:
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])


def chance(*parts: object) -> float:
    """A number in [0, 1), evenly spread over different parts."""
    return _number(parts) / 2**64


def rng_of(*parts: object) -> Random:
    """A random generator that equal parts start in the same state."""
    return Random(_number(parts))
