"""What a tester is to do, in a form that travels: compiled tests and what was read from them."""

from __future__ import annotations

import marshal
import types
from typing import NamedTuple

HELD = "__assert_held__"
"""The name under which tests find the function that notes an assert that held."""
CANDIDATE = "candidate"


class Plan(NamedTuple):
    """Compiled tests.

    Attributes:
        entry_point: What `candidate` stands for, or "".
        setup_text: The setup as written, for the candidate.
        setup: The setup, its asserts counted.
        tests: The tests, their asserts counted, `check(candidate)` called if they define it.
        records: Classes that the setup defines; their instances travel as data.
        remote: Names that only the program can define.
        modules: Modules that the tests use without importing them, by the name they use.
        asserts: Number of assert statements.
        other_checks: Whether the tests also check by raising or by assert-like functions.
    """

    entry_point: str
    setup_text: str
    setup: types.CodeType
    tests: types.CodeType
    records: list[str]
    remote: list[str]
    modules: dict[str, str]
    asserts: int
    other_checks: bool


def dump(plan: Plan) -> bytes:
    """Bytes for `load` under the same interpreter."""
    return marshal.dumps(tuple(plan))


def load(data: bytes) -> Plan:
    """The plan that `dump` wrote. Trusted data only."""
    return Plan(*marshal.loads(data))
