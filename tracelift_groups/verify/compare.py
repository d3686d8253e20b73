"""Compares a program's output with the expected one, token by token."""

from __future__ import annotations

import math
import re

RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-9
_FLOAT = re.compile(rb"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d{1,3})?")
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_LONGEST_NUMBER = 400


def _tokens_agree(expected: bytes, written: bytes) -> bool:
    if expected == written:
        return True
    if max(len(expected), len(written)) > _LONGEST_NUMBER:
        return False
    if not _FLOAT.fullmatch(expected) or not _NUMBER.fullmatch(written):
        return False
    return math.isclose(
        float(expected),
        float(written),
        rel_tol=RELATIVE_TOLERANCE,
        abs_tol=ABSOLUTE_TOLERANCE,
    )


def difference(expected: str, written: bytes) -> str | None:
    """Compares two outputs as sequences of tokens separated by white space.

    Tokens must be equal. Where the expected token is a float, that is, written with a decimal
    point or an exponent, a number within 1e-6 relative or 1e-9 absolute is equal too; an expected
    integer such as `3` is met by `3` alone, not by `3.0`. There must be no token more or less.

    Args:
        expected: The expected output.
        written: What the program wrote.

    Returns:
        None when they agree, else where they first differ. An empty expected output agrees with
        nothing.
    """
    wanted, got = expected.encode(errors="replace").split(), written.split()
    if not wanted:
        return "the expected output is empty"
    if wanted == got:
        return None
    for index, (left, right) in enumerate(zip(wanted, got, strict=False)):
        if not _tokens_agree(left, right):
            return f"token {index + 1}: expected {_show(left)}, got {_show(right)}"
    if len(wanted) != len(got):
        return f"expected {len(wanted)} tokens, got {len(got)}"
    return None


def _show(token: bytes) -> str:
    text = token.decode(errors="replace")
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
