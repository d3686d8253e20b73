"""The gate: certificates are derived from the texts alone, and nothing unconfirmed is written.

An engine proposes a flawed text; :func:`certify` reads problem, parent and flawed text, runs the
postconditions of the kind and writes the certificate itself. :func:`recheck` does the same for a
finished group and compares. What an engine believes it did is never asked.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache

from tracelift_groups.perturb.made import is_written
from tracelift_groups.perturb.math.equation import read_equations
from tracelift_groups.perturb.math.evidence import POSTCONDITIONS, Evidence, Pair, Unconfirmed
from tracelift_groups.perturb.math.evidence.pair import stated
from tracelift_groups.perturb.math.numbers import plain
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.perturb.template import Template, load_templates
from tracelift_groups.perturb.wording import giveaway
from tracelift_groups.records import Certificate, Group, Trace

_MARKER = re.compile(r"<<|>>|####|\\boxed")


def certify(template: Template, parent: MathTrace, flawed: MathTrace, operator: str) -> Certificate:
    """Derive the certificate of a flaw from the two texts.

    Args:
        template: The kind that the flaw claims to be.
        parent: The sound trace that it was made from.
        flawed: The trace to certify.
        operator: Who made it; recorded, not believed.

    Raises:
        Unconfirmed: Some postcondition does not hold, the edit is not local, the wording gives
            it away, or a number comes from nowhere.
    """
    pair = Pair(parent, flawed)
    _check_wording(pair)
    _check_local(pair)
    evidence: Evidence | None = None
    for name in template.postconditions:
        evidence = POSTCONDITIONS[name](pair) or evidence
    if evidence is None:
        raise Unconfirmed(f"no postcondition of {template.id} locates the flaw")
    _check_supported(pair, evidence, template)
    _check_leftovers(pair, evidence, template)
    answer = _ends_on(flawed, evidence)
    if "answer_changed" in template.postconditions and answer == parent.answer:
        raise Unconfirmed("the answer is still the same")
    start = flawed.offsets[evidence.step]
    return Certificate(
        kind=template.id,
        operator=operator,
        severity=template.rubric.severity.grade(_share(template, pair, evidence, answer)),
        step=evidence.step,
        start=start + evidence.start,
        end=start + evidence.end,
        before=evidence.before,
        after=flawed.steps[evidence.step][evidence.start : evidence.end],
        answer_before=_plain(parent.answer),
        answer_after=_plain(answer),
        answer_changed=parent.answer != answer,
        method="symbolic",
        propagation=evidence.propagation,
        equation=evidence.equation,
        expected=evidence.expected,
        claimed=evidence.claimed,
        quantity=evidence.quantity,
    )


def _ends_on(flawed: MathTrace, evidence: Evidence) -> Fraction | None:
    """What the flawed trace ends on; where its last step merely asserts a number, that number."""
    last = len(flawed.steps) - 1
    worked = any(node.step == last for node in flawed.nodes)
    if evidence.step == last and not worked:
        for mention in flawed.mentions:
            if mention.step == last and mention.number.start == evidence.start:
                return mention.number.value
    return flawed.answer


def _check_leftovers(pair: Pair, evidence: Evidence, template: Template) -> None:
    """Nothing may speak of results that are gone: no prose, and no check of a missing step."""
    derived = {node.value for node in pair.flawed.derivations}
    for node in pair.flawed.nodes:
        operands = pair.flawed.operands(node)
        if node.confirms and operands and operands[0].number.value not in derived:
            raise Unconfirmed("a step that is gone is still checked")
    if "derivation_missing" in template.postconditions or evidence.propagation == "local":
        return
    gone = {node.value for node in pair.parent.derivations} - derived
    for mention in pair.flawed.mentions:
        value = mention.number.value
        if mention.equation is not None or value not in gone or pair.parent.problem.states(value):
            continue
        asserted = mention.step == evidence.step and mention.number.start == evidence.start
        if not asserted and plain(value) != evidence.claimed:
            raise Unconfirmed(f"{plain(value)} is said, but what derived it is gone")


def _plain(value: Fraction | None) -> str | None:
    return None if value is None else plain(value)


def _share(template: Template, pair: Pair, evidence: Evidence, after: Fraction | None) -> float:
    """How much changed, by the template's measure: of the answer, or of the derivation."""
    if template.rubric.severity.measure == "steps":
        return evidence.lost / max(1, len(pair.parent.derivations))
    before = pair.parent.answer
    if before is None or after is None:
        return 1.0
    return float(abs(after - before) / abs(before)) if before else 1.0


def _check_wording(pair: Pair) -> None:
    if _MARKER.search(pair.flawed.text):
        raise Unconfirmed("an annotation or answer marker is left in the text")
    if " ".join(pair.flawed.text.split()) == " ".join(pair.parent.text.split()):
        raise Unconfirmed("nothing was changed")
    if word := giveaway(pair.parent.text, pair.flawed.text):
        raise Unconfirmed(f"the wording gives the flaw away: '{word}'")


def _check_local(pair: Pair) -> None:
    """At most one step is reworded; every other one is the parent's, numbers aside, or gone."""
    if sum(len(change.flawed) for change in pair.changes) > 1:
        raise Unconfirmed("more than one step was reworded")
    if (stray := pair.stray_number()) is not None:
        raise Unconfirmed(f"the prose has {stray} where the parent has another number")
    if unread(pair.flawed) > unread(pair.parent):
        raise Unconfirmed("an equation cannot be read, so it cannot be checked")


def unread(trace: MathTrace) -> int:
    """Equals signs that belong to no equation that was read."""
    return sum(_unread_in(step) for step in trace.steps)


@lru_cache(maxsize=4096)
def _unread_in(step: str) -> int:
    spans = [(equation.start, equation.end) for equation in read_equations(step)]
    signs = [match.start() for match in re.finditer("[=≈]", step)]
    return sum(not any(start <= at < end for start, end in spans) for at in signs)


def _check_supported(pair: Pair, evidence: Evidence, template: Template) -> None:
    """No operand of the flawed trace comes from nowhere, but for the one that is the flaw."""
    allowed = Counter(unsupported(pair.parent))
    allowed_values = set(allowed) | _values_of_flaw(pair, evidence, template)
    for value in unsupported(pair.flawed):
        if value not in allowed_values:
            raise Unconfirmed(f"{plain(value)} is used but neither given nor derived")


def _values_of_flaw(pair: Pair, evidence: Evidence, template: Template) -> set[Fraction]:
    if "derivation_missing" in template.postconditions:
        return {node.value for node in pair.parent.derivations}
    if evidence.propagation == "local":
        return {node.value for node in pair.parent.nodes}
    if "unit_confused" in template.postconditions:
        return {m.number.value for m in pair.flawed.mentions if m.step == evidence.step}
    return set()


def unsupported(trace: MathTrace) -> list[Fraction]:
    """Operands that are neither given by the problem nor derived before."""
    return [
        m.number.value
        for m in trace.mentions
        if m.source.kind == "constant" and m.equation is not None and not m.stated
    ]


def check_sound(reference: MathTrace, twin: MathTrace) -> None:
    """Check that a rewording is as sound as its reference.

    Every equation holds; every operand is given, derived before, or a constant that the
    reference uses too; every given quantity and every derived result that the reference's answer
    rests on still has its place; the trace ends on the same value.

    Raises:
        Unconfirmed: With what is amiss.
    """
    if _MARKER.search(twin.text):
        raise Unconfirmed("an annotation or answer marker is left in the text")
    if twin.false_equations:
        node = twin.false_equations[0]
        raise Unconfirmed(f"'{stated(twin, node)}' does not hold")
    if twin.answer != reference.answer:
        raise Unconfirmed("the twin ends on another value")
    if extra := set(unsupported(twin)) - set(unsupported(reference)):
        raise Unconfirmed(f"{plain(min(extra))} is used but neither given nor derived")
    if unread(twin) > unread(reference):
        raise Unconfirmed("an equation cannot be read, so it cannot be checked")
    known = {m.number.value for m in reference.mentions} | reference.problem.values
    known |= {node.value for node in twin.nodes}
    for mention in twin.mentions:
        if mention.equation is None and mention.number.value not in known:
            raise Unconfirmed(
                f"{plain(mention.number.value)} is said but neither given nor derived"
            )
    used = {m.number.value for m in twin.mentions if m.equation is not None and not m.stated}
    for mention in reference.mentions:
        if mention.source.kind != "problem" or mention.equation is None or mention.stated:
            continue
        if mention.number.value not in used:
            raise Unconfirmed(f"{plain(mention.number.value)} is not used any more")
    if sum(_operations(twin)) < sum(_operations(reference)):
        raise Unconfirmed("an operation of the derivation is gone")


def _operations(trace: MathTrace) -> list[int]:
    """How many numbers each derivation combines, less one."""
    return [len(trace.operands(node)) - 1 for node in trace.derivations]


def recheck(group: Group) -> list[str]:
    """Derive every certificate of a finished math group that rules made anew.

    Returns:
        One line for each trace whose certificate is not confirmed or differs from what the texts
        give; empty when all is well.
    """
    problem = Problem(group.problem)
    templates = {template.id: template for template in load_templates("math")}
    traces = {trace.trace_id: trace for trace in group.traces}
    wrong = []
    for trace in group.traces:
        if is_written(trace):
            continue
        try:
            if trace.role == "twin":
                check_sound(parsed(group.reference, problem), parsed(trace, problem))
            elif trace.role == "flawed":
                _recheck_flaw(trace, traces, templates, problem)
        except Unconfirmed as reason:
            wrong.append(f"{trace.trace_id}: {reason}")
    return wrong


def _recheck_flaw(
    trace: Trace, traces: dict[str, Trace], templates: dict[str, Template], problem: Problem
) -> None:
    template = templates.get(trace.kind or "")
    if trace.certificate is None or template is None or trace.parent_id is None:
        raise Unconfirmed("no certificate, parent or template to check against")
    derived = certify(
        template,
        parsed(traces[trace.parent_id], problem),
        parsed(trace, problem),
        trace.certificate.operator,
    )
    if names := derived.differences(trace.certificate):
        raise Unconfirmed(f"the texts give another certificate: {', '.join(names)}")


def parsed(trace: Trace, problem: Problem) -> MathTrace:
    """Parse a stored trace; what stands between its steps is read off its text."""
    if len(trace.steps) == 1:
        return parse_trace(trace.steps, problem)
    separator = trace.text[
        len(trace.steps[0]) : trace.text.index(trace.steps[1], len(trace.steps[0]))
    ]
    return parse_trace(trace.steps, problem, separator=separator)
