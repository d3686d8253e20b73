"""What an operator proposes for one sentence, and the program that follows from it."""

from __future__ import annotations

from typing import NamedTuple


class Proposal(NamedTuple):
    """A sentence to take another's place.

    Attributes:
        kind: Kind of flaw.
        operator: Who proposes it.
        text: The flawed sentence; empty to leave it out.
        program: The program that a reader of the flawed sentence would write.
    """

    kind: str
    operator: str
    text: str
    program: str
