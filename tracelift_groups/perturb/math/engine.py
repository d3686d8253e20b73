"""The rule engine for word problems: twins of a reference, and one flaw of each kind.

Deterministic given the random generator. Nothing leaves here that the checks did not confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tracelift_groups.perturb.made import BY_RULE
from tracelift_groups.perturb.math import twins
from tracelift_groups.perturb.math.checks import certify, check_sound
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.operators import OPERATORS
from tracelift_groups.perturb.math.rewrite import Draft
from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.perturb.math.twins.working import expand_working
from tracelift_groups.perturb.template import Template
from tracelift_groups.records import Certificate

TWINS = 3
# Drafts of one operator on one parent that may fail their checks before the next is tried.
_PATIENCE = 4
# Kinds that take text away start more often from the sound trace with the most to take from, the
# others from one with less. Without this "says less" predicts "is flawed" (docs/log.md).
_FROM_FULLEST = {
    "unsupported_leap": 0.4,
    "premature_answer": 0.8,
    "missing_condition": 0.8,
    "unit_mismatch": 0.2,
}


class Twin(NamedTuple):
    """A certified rewording, and the moves that made it."""

    trace: MathTrace
    moves: tuple[str, ...]


class Flaw(NamedTuple):
    """A certified flaw; ``parent`` is an index into the sound traces that were given."""

    kind: str
    trace: MathTrace
    parent: int
    certificate: Certificate
    author: str = BY_RULE


def make_twins(reference: MathTrace, rng: Random, count: int = TWINS) -> list[Twin]:
    """Make up to ``count`` different sound rewordings; of three, one says more."""
    tendencies = [twins.LONGER, twins.SHORTEST, twins.SHORTER]
    rng.shuffle(tendencies)
    found: list[Twin] = []
    texts = {_plain(reference)}
    for index in range(count):
        for _ in range(3):
            twin = _twin(reference, tendencies[index % 3], rng)
            if twin and _plain(twin.trace) not in texts:
                texts.add(_plain(twin.trace))
                found.append(twin)
                break
    return found


def _twin(reference: MathTrace, tendency: Sequence[twins.Move], rng: Random) -> Twin | None:
    """Apply one or two moves of the tendency and a few that leave the length alone."""
    chosen = rng.sample(tendency, k=min(len(tendency), rng.choice((1, 2, 3))))
    if tendency is twins.LONGER and expand_working not in chosen and rng.random() < 0.7:
        chosen.append(expand_working)
    rest = [move for move in twins.NEUTRAL if move not in chosen]
    chosen += rng.sample(rest, k=rng.choice((1, 2, 3)))
    trace, made = reference, []
    for move in chosen:
        steps = move(trace, rng)
        if not steps:
            continue
        draft = trace.with_steps(steps)
        try:
            check_sound(reference, draft)
        except Unconfirmed:
            continue
        trace = draft
        made.append(move.__name__)
    return Twin(trace, tuple(made)) if made else None


def make_flaws(
    sound: Sequence[MathTrace], templates: Sequence[Template], rng: Random, least: int
) -> list[Flaw]:
    """Make one certified flaw for each template that applies, on parents drawn at random.

    Where fewer than ``least`` kinds apply, kinds that do give further flaws, each at another
    place or of another value.
    """
    texts = {_plain(trace) for trace in sound}
    found: list[Flaw] = []
    rest = list(templates)
    while rest:
        made = []
        for template in rest:
            flaw = _flaw(sound, template, texts, rng)
            if flaw:
                texts.add(_plain(flaw.trace))
                made.append(template)
                found.append(flaw)
            if len(found) >= least and len(made) < len(found):
                break  # further rounds only fill up
        rest = made if len(found) < least else []
    return sorted(found, key=lambda flaw: flaw.kind)


def _flaw(
    sound: Sequence[MathTrace], template: Template, texts: set[str], rng: Random
) -> Flaw | None:
    names = sorted(
        template.operators, key=lambda choice: rng.random() ** (1 / choice.weight), reverse=True
    )
    parents = list(range(len(sound)))
    rng.shuffle(parents)
    share = _FROM_FULLEST.get(template.id)
    if share is not None and rng.random() < share:
        parents.sort(key=lambda index: -len(sound[index].mentions))
    for choice in names:
        for index in parents:
            for tried, draft in enumerate(OPERATORS[choice.name](sound[index], rng)):
                flaw = _confirmed(template, sound[index], draft)
                if flaw and _plain(flaw[0]) not in texts:
                    return Flaw(template.id, flaw[0], index, flaw[1])
                if tried >= _PATIENCE:
                    break
    return None


def _confirmed(
    template: Template, parent: MathTrace, draft: Draft
) -> tuple[MathTrace, Certificate] | None:
    if not draft.steps or not all(step.strip() for step in draft.steps):
        return None
    trace = parent.with_steps(draft.steps)
    try:
        return trace, certify(template, parent, trace, draft.operator)
    except Unconfirmed:
        return None


def _plain(trace: MathTrace) -> str:
    """The text without spaces: two traces that differ in spaces alone are duplicates."""
    return "".join(trace.text.split())
