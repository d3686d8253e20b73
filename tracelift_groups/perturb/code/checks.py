"""The gate for code traces: certificates are derived from the texts, and programs are run."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from tracelift_groups.perturb.code.drafts import parsed
from tracelift_groups.perturb.code.evidence import (
    POSTCONDITIONS,
    Change,
    Exhibit,
    Unconfirmed,
)
from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.runs import Runs, sandbox_of
from tracelift_groups.perturb.code.text import CodeTrace, is_heading
from tracelift_groups.perturb.code.twins import can_go
from tracelift_groups.perturb.code.wording import normal
from tracelift_groups.perturb.made import is_written, step_at
from tracelift_groups.perturb.template import Template, load_templates
from tracelift_groups.perturb.wording import giveaway
from tracelift_groups.records import Certificate, Group, Trace
from tracelift_groups.reference import NoReference
from tracelift_groups.reference.code import CodeReference, gold_reference

FENCE = re.compile(r"^\s*(?:```|~~~)", re.M)
_PIECE = re.compile(r"\s+|`[^`]*`|[\w]+|[^\w\s]")


def certify(
    template: Template,
    reference: CodeReference,
    parent: CodeTrace,
    flawed: CodeTrace,
    program: str | None,
    operator: str,
    runs: Runs,
    name: str,
) -> Certificate:
    """Derive the certificate of a flaw from the two texts, and run the program that follows.

    Args:
        template: The kind that the flaw claims to be.
        reference: The verified program and the tests.
        parent: The sound trace that the flaw was made from.
        flawed: The trace to certify.
        program: The program that is said to follow from it; None where none does.
        operator: Who made it; recorded, not believed.
        runs: Runs programs.
        name: What runs are remembered by: the problem.

    Raises:
        Unconfirmed: Some postcondition does not hold, or the wording gives it away.
    """
    if word := giveaway(parent.text, flawed.text):
        raise Unconfirmed(f"the wording gives the flaw away: '{word}'")
    if FENCE.search(flawed.text):
        raise Unconfirmed("there is a program in the text")
    try:
        made = parsed(program) if program is not None else None
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Unconfirmed(f"the program that is said to follow does not parse: {error}") from error
    exhibit = Exhibit(
        template.id,
        parent,
        flawed,
        reference.program,
        made,
        reference.tests,
        runs,
        name,
        reference.any_order,
    )
    for postcondition in template.postconditions:
        POSTCONDITIONS[postcondition](exhibit)
    place = _place(exhibit)
    outcome = exhibit.outcomes[0] if exhibit.outcomes else None
    failure = outcome.failure if outcome else None
    return Certificate(
        kind=template.id,
        operator=operator,
        severity=template.rubric.severity.grade(_share(template, exhibit)),
        step=place.step,
        start=place.start,
        end=place.end,
        before=place.before,
        after=flawed.text[place.start : place.end],
        answer_before=None,
        answer_after=None,
        answer_changed=failure is not None,
        method="executed" if failure else "symbolic",
        propagation=("local" if exhibit.against else "propagated") if made else None,
        expected=failure.case.expected if failure else None,
        program=program,
        input=failure.case.input if failure else None,
        got=failure.got if failure else None,
    )


class _Place:
    """Where a flaw is: the step, the characters of the text, and what the parent has there."""

    def __init__(self, step: int, start: int, end: int, before: str) -> None:
        self.step, self.start, self.end, self.before = step, start, end, before


def _place(exhibit: Exhibit) -> _Place:
    """The first sentence that differs by itself, down to the words that do."""
    flawed = exhibit.flawed
    changes = [change for change in exhibit.changes if not change.follows]
    if not changes:
        first = flawed.steps[0]
        start = flawed.text.index(first)
        return _Place(0, start, start + len(first), exhibit.parent.steps[0])
    change = changes[0]
    if change.after is None:
        start = _gap(exhibit, change)
        return _Place(step_at(flawed, start), start, start, change.before.text)
    offset = _offset(flawed, change.after.line) + change.after.start
    one, two = change.before.text, change.after.text
    head, tail = _common(one, two)
    start, end = offset + head, offset + len(two) - tail
    return _Place(step_at(flawed, start), start, end, one[head : len(one) - tail])


def _gap(exhibit: Exhibit, change: Change) -> int:
    """Where a sentence that is gone would stand: behind the one before it."""
    parent, flawed = exhibit.parent, exhibit.flawed
    known = {sentence.text: sentence for sentence in flawed.sentences}
    before = parent.sentences[: parent.sentences.index(change.before)]
    for sentence in reversed(before):
        if found := known.get(sentence.text):
            return _offset(flawed, found.line) + found.end
    return 0


def _offset(trace: CodeTrace, line: int) -> int:
    return sum(len(other) + 1 for other in trace.lines[:line])


def _common(one: str, two: str) -> tuple[int, int]:
    """How many characters two sentences share in front and behind, in whole words."""
    first, second = _PIECE.findall(one), _PIECE.findall(two)
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    head = blocks[0].size if blocks[0].a == blocks[0].b == 0 else 0
    last = [block for block in blocks if block.size]
    tail = 0
    if (
        last
        and last[-1].a + last[-1].size == len(first)
        and last[-1].b + last[-1].size == len(second)
    ):
        tail = min(last[-1].size, len(first) - head, len(second) - head)
    return len("".join(first[:head])), len("".join(first[len(first) - tail :]))


def _share(template: Template, exhibit: Exhibit) -> float:
    """How bad it is, by the template's measure: tests failed, or sentences changed."""
    if template.rubric.severity.measure == "tests" and exhibit.outcomes:
        return exhibit.outcomes[0].failed / exhibit.outcomes[0].total
    kept = {sentence.text for sentence in exhibit.flawed.sentences}
    before = exhibit.parent.sentences
    return sum(sentence.text not in kept for sentence in before) / len(before)


def check_sound(reference: CodeReference, twin: CodeTrace) -> None:
    """Check that a rewording is as sound as its reference.

    Each of its sentences means the same as one of the reference's, or says what the program does;
    each of the reference's has its place, or says nothing that is not said elsewhere.

    Raises:
        Unconfirmed: With the sentence that is amiss.
    """
    if FENCE.search(twin.text):
        raise Unconfirmed("there is a program in the text")
    facts = {normal(sentence) for sentence in said_by(reference.program)}
    known = {normal(sentence.text) for sentence in reference.trace.sentences}
    said = set()
    for sentence in twin.sentences:
        own = normal(sentence.text)
        said.add(own)
        if own not in known and own not in facts:
            raise Unconfirmed(f"'{sentence.text[:80]}' is new")
    order = [normal(s.text) for s in reference.trace.sentences]
    places = [order.index(own) for own in map(normal, _texts(twin)) if order.count(own) == 1]
    if places != sorted(places):
        raise Unconfirmed("sentences of the reference stand in another order")
    texts = _texts(twin)
    for sentence in reference.trace.sentences:
        if normal(sentence.text) in said or is_heading(sentence.text):
            continue
        if not can_go(sentence.text, texts):
            raise Unconfirmed(f"'{sentence.text[:80]}' is not said any more")


def _texts(trace: CodeTrace) -> list[str]:
    return [sentence.text for sentence in trace.sentences]


def recheck(group: Group) -> list[str]:
    """Derive every certificate that rules made of a code group anew; programs are run again.

    Returns:
        One line for each trace whose certificate is not confirmed or differs; empty when all is
        well.
    """
    own = sandbox_of()
    try:
        reference = gold_reference(
            group.problem, group.reference.text, group.reference_solution, group.tests, own
        )
    except NoReference as reason:
        return [f"{group.reference.trace_id}: {reason.detail}"]
    reference = reference._replace(trace=CodeTrace(group.reference.text))
    templates = {template.id: template for template in load_templates("code")}
    traces = {trace.trace_id: trace for trace in group.traces}
    wrong = []
    for trace in group.traces:
        if is_written(trace):
            continue
        try:
            if trace.role == "twin":
                check_sound(reference, CodeTrace(trace.text))
            elif trace.role == "flawed":
                _recheck_flaw(trace, traces, templates, reference, own, group.group_id)
        except Unconfirmed as reason:
            wrong.append(f"{trace.trace_id}: {reason}")
    return wrong


def _recheck_flaw(
    trace: Trace,
    traces: dict[str, Trace],
    templates: dict[str, Template],
    reference: CodeReference,
    own: Runs,
    name: str,
) -> None:
    template = templates.get(trace.kind or "")
    if trace.certificate is None or template is None or trace.parent_id is None:
        raise Unconfirmed("no certificate, parent or template to check against")
    derived = certify(
        template,
        reference,
        CodeTrace(traces[trace.parent_id].text),
        CodeTrace(trace.text),
        trace.certificate.program,
        trace.certificate.operator,
        own,
        name,
    )
    if names := derived.differences(trace.certificate):
        raise Unconfirmed(f"the texts give another certificate: {', '.join(names)}")
