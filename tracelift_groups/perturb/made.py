"""What the engines give to a group, whichever engine and domain."""

from __future__ import annotations

from typing import Protocol

from tracelift_groups.records import Certificate, Trace

BY_RULE = "rule"
BY_MODEL = "model"
"""The operator of a flaw that a model wrote."""


def is_written(trace: Trace) -> bool:
    """Whether a model wrote a twin or a flaw."""
    if trace.role == "flawed":
        return trace.certificate is not None and trace.certificate.operator == BY_MODEL
    return trace.role == "twin" and trace.author != BY_RULE


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


def step_at(trace: Text, offset: int) -> int:
    """The step that a character of the text belongs to."""
    position = 0
    for number, step in enumerate(trace.steps):
        position = trace.text.index(step, position) + len(step)
        if offset <= position:
            return number
    return len(trace.steps) - 1


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
