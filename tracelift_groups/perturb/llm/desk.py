"""What the engine asks of a domain, and the rules that a model's text must keep in every domain."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from tracelift_groups.perturb.llm.difference import Difference, difference, styles
from tracelift_groups.perturb.llm.shapes import Perturbed, PerturbedPlan
from tracelift_groups.perturb.made import BY_MODEL, Text, step_at
from tracelift_groups.perturb.template import Template
from tracelift_groups.perturb.wording import giveaway
from tracelift_groups.records import Certificate, Severity

# Longer than any reasoning that is worth a group; keeps what follows from taking for ever.
_LONGEST_CHARACTERS = 60_000
# A flaw, and what has to go with it; numbers that follow from it are not counted.
_MOST_PLACES = 3
# Where so much may be new the flaw has no one place: another method, a plan without specifics.
_EVERYWHERE = 0.9
_TWIN_LENGTHS = (0.4, 2.0)
# Characters may grow so many times as far as words: one word of a text may have thousands.
_LONGER_WORDS = 2.0


class Unsuitable(Exception):  # noqa: N818 - an outcome that is recorded, not a failure
    """A text that cannot serve: ``reason`` is counted, ``detail`` is for the reader."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


class Twin(NamedTuple):
    """A rewording; where it is not ``proven`` sound, a judge has to find nothing in it."""

    trace: Text
    proven: bool


class Flaw(NamedTuple):
    """A flawed trace and its certificate; where it is not ``proven``, a judge has to find it."""

    trace: Text
    certificate: Certificate
    proven: bool


class Desk(Protocol):
    """What a domain does with a model's replies."""

    @property
    def problem(self) -> str:
        """The problem's text."""
        ...

    @property
    def program(self) -> str | None:
        """The verified program of a code problem."""
        ...

    def twin(self, reasoning: str) -> Twin:
        """Read a rewording of the reference.

        Raises:
            Unsuitable: It is none, or does not keep what it must.
        """
        ...

    def flaw(self, template: Template, parent: Text, reply: Perturbed | PerturbedPlan) -> Flaw:
        """Read a flawed trace that was made from a sound one, and certify it.

        Raises:
            Unsuitable: It is not of that kind, or breaks a rule.
        """
        ...


def everywhere(template: Template) -> bool:
    """Whether a flaw of a kind may be all over its trace."""
    return template.limits.changed >= _EVERYWHERE


def check_length(text: str) -> None:
    """Refuse what is empty, or too long to be looked at.

    Raises:
        Unsuitable: ``empty`` or ``too_long``.
    """
    if not text.strip():
        raise Unsuitable("empty", "no reasoning is left")
    if len(text) > _LONGEST_CHARACTERS:
        raise Unsuitable("too_long", f"{len(text)} characters")


def check_twin(reference: str, text: str) -> None:
    """Check that a rewording has other words and about the length; its layout is its own.

    Raises:
        Unsuitable: ``unchanged`` or ``length``.
    """
    if "".join(text.split()) == "".join(reference.split()):
        raise Unsuitable("unchanged", "the text is the reference's")
    check_band(reference, text, *_TWIN_LENGTHS)


def check_flaw(template: Template, parent: str, text: str) -> Difference:
    """Check what every flaw must keep: one place, no give-away, the style, about the length.

    Raises:
        Unsuitable: ``unchanged``, ``giveaway``, ``length``, ``style`` or ``not_local``.
    """
    limits = template.limits
    found = difference(parent, text)
    if found is None:
        raise Unsuitable("unchanged", "the text is its parent's")
    if word := giveaway(parent, text):
        raise Unsuitable("giveaway", f"the wording gives the flaw away: '{word}'")
    check_band(parent, text, limits.shortest, limits.longest)
    _check_style(parent, text)
    if found.new > limits.changed:
        raise Unsuitable(
            "not_local",
            f"{found.new:.0%} of the words are new, at most {limits.changed:.0%} may be",
        )
    if not everywhere(template) and found.places > _MOST_PLACES:
        raise Unsuitable("not_local", f"it differs in {found.places} places")
    return found


def check_band(original: str, text: str, shortest: float, longest: float) -> None:
    """Check that a text has about as many words as its original, and no endless ones.

    Raises:
        Unsuitable: ``length``.
    """
    share = len(text.split()) / max(1, len(original.split()))
    if not shortest <= share <= longest:
        raise Unsuitable(
            "length", f"{share:.2f} times as long, {shortest:.2f} to {longest:.2f} is allowed"
        )
    if len(text) > _LONGER_WORDS * longest * len(original):
        raise Unsuitable("length", f"{len(text)} characters, the original has {len(original)}")


def _check_style(original: str, text: str) -> None:
    if new := styles(text) - styles(original):
        raise Unsuitable("style", f"the original has no {', '.join(sorted(new))}")


def judged(
    template: Template,
    trace: Text,
    found: Difference,
    severity: Severity,
    answers: tuple[str | None, str | None] = (None, None),
) -> Certificate:
    """The certificate of a flaw that a judge has yet to find: where it is, and what was there."""
    return Certificate(
        kind=template.id,
        operator=BY_MODEL,
        severity=severity,
        step=step_at(trace, found.start),
        start=found.start,
        end=found.end,
        before=found.before,
        after=trace.text[found.start : found.end],
        answer_before=answers[0],
        answer_after=answers[1],
        answer_changed=answers[0] != answers[1],
        method="judged",
    )
