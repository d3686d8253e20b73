"""Derives the certificates of what a model wrote anew; what a judge said cannot be, and is kept."""

from __future__ import annotations

from collections.abc import Callable

from tracelift_groups.perturb.code.runs import Sandbox, sandbox_of
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.llm.code import CodeDesk
from tracelift_groups.perturb.llm.desk import Desk, Unsuitable
from tracelift_groups.perturb.llm.math import MathDesk
from tracelift_groups.perturb.llm.shapes import Perturbed, PerturbedPlan
from tracelift_groups.perturb.made import Text, is_written
from tracelift_groups.perturb.math.checks import parsed
from tracelift_groups.perturb.math.trace import Problem
from tracelift_groups.perturb.template import Template, load_templates
from tracelift_groups.records import Group, Trace
from tracelift_groups.reference import NoReference
from tracelift_groups.reference.code import gold_reference

_OF_THE_JUDGE = frozenset({"judge", "quote"})


def recheck(group: Group, sandbox: Sandbox = Sandbox()) -> list[str]:  # noqa: B008 - frozen
    """Check the traces of a finished group that a model wrote; programs are run again.

    Returns:
        One line for each trace that is not confirmed, or whose certificate differs.
    """
    written = [trace for trace in group.traces if is_written(trace)]
    if not written:
        return []
    try:
        desk, parse = _desk(group, sandbox)
    except NoReference as reason:
        return [f"{group.reference.trace_id}: {reason.detail}"]
    templates = {template.id: template for template in load_templates(group.domain)}
    traces = {trace.trace_id: trace for trace in group.traces}
    wrong = []
    for trace in written:
        try:
            if trace.role == "twin":
                desk.twin(trace.text)
            else:
                _recheck_flaw(trace, traces, templates, desk, parse)
        except Unsuitable as reason:
            wrong.append(f"{trace.trace_id}: {reason.detail}")
    return wrong


def _desk(group: Group, sandbox: Sandbox) -> tuple[Desk, Callable[[Trace], Text]]:
    if group.domain == "math":
        problem = Problem(group.problem)
        return MathDesk(problem, parsed(group.reference, problem)), lambda trace: parsed(
            trace, problem
        )
    reference = gold_reference(
        group.problem,
        group.reference.text,
        group.reference_solution,
        group.tests,
        sandbox_of(sandbox),
    )._replace(trace=CodeTrace(group.reference.text))
    desk = CodeDesk(group.problem, group.group_id, reference, sandbox)
    return desk, lambda trace: CodeTrace(trace.text)


def _recheck_flaw(
    trace: Trace,
    traces: dict[str, Trace],
    templates: dict[str, Template],
    desk: Desk,
    parse: Callable[[Trace], Text],
) -> None:
    held, template = trace.certificate, templates.get(trace.kind or "")
    if held is None or template is None or trace.parent_id is None:
        raise Unsuitable("unchecked", "no certificate, parent or template to check against")
    reply = (
        Perturbed(reasoning=trace.text)
        if held.program is None
        else PerturbedPlan(reasoning=trace.text, program=held.program)
    )
    flaw = desk.flaw(template, parse(traces[trace.parent_id]), reply)
    if not flaw.proven and held.judge is None:
        raise Unsuitable("unchecked", "nothing proves it, and no judge has found it")
    if names := set(flaw.certificate.differences(held)) - _OF_THE_JUDGE:
        named = ", ".join(sorted(names))
        raise Unsuitable("differs", f"the texts give another certificate: {named}")
