"""What the engines give to a group, whichever engine and domain."""

from __future__ import annotations

from typing import Protocol

from tracelift_groups.records import Certificate

BY_RULE = "rule"


class Text(Protocol):
    """A parsed trace."""

    @property
    def text(self) -> str:
        """The reasoning."""
        ...

    @property
    def steps(self) -> tuple[str, ...]:
        """Its steps."""
        ...


class Flawed(Protocol):
    """A certified flaw."""

    @property
    def kind(self) -> str:
        """The kind of flaw."""
        ...

    @property
    def trace(self) -> Text:
        """The flawed trace."""
        ...

    @property
    def parent(self) -> int:
        """Which of the sound traces it was made from."""
        ...

    @property
    def certificate(self) -> Certificate:
        """What shows it."""
        ...

    @property
    def author(self) -> str:
        """Who made it: ``rule`` or a model's name."""
        ...
