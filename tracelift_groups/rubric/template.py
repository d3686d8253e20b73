"""Rubric labels from the templates: what a kind costs, moved by what this one flaw did."""

from __future__ import annotations

from tracelift_groups.perturb.template import Position, Template
from tracelift_groups.records import Certificate, Rubric

BEST = 4


def sound_rubric(dimensions: tuple[str, ...]) -> Rubric:
    """Full marks: the reference and its twins."""
    return Rubric.of(dict.fromkeys(dimensions, BEST))


def position_of(step: int, steps: int) -> Position:
    """Return which third of the trace a step lies in; a lone step is late."""
    if steps <= 1:
        return "late"
    share = step / (steps - 1)
    return "early" if share < 1 / 3 else "middle" if share < 2 / 3 else "late"


def flawed_rubric(template: Template, certificate: Certificate, steps: int) -> Rubric:
    """Labels of a flawed trace.

    The template's labels, and every move whose conditions all hold, added up and kept within
    0 to 4.

    Args:
        template: The kind's template.
        certificate: Gives severity, whether the answer changed, and propagation.
        steps: Number of steps of the flawed trace; with the certificate's step, the position.
    """
    facts = {
        "severity": certificate.severity,
        "position": position_of(certificate.step, steps),
        "answer_changed": certificate.answer_changed,
        "propagation": certificate.propagation,
    }
    labels: dict[str, int] = dict(template.rubric.labels)
    for move in template.rubric.moves:
        conditions = {name: getattr(move, name) for name in facts}
        if all(wanted is None or wanted == facts[name] for name, wanted in conditions.items()):
            for dimension, by in move.labels.items():
                labels[dimension] += by
    return Rubric.of({name: min(BEST, max(0, label)) for name, label in labels.items()})
