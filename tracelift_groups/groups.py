"""One seed becomes one group, or a rejection with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from random import Random

from tracelift_groups.perturb.math.engine import Flaw, make_flaws, make_twins
from tracelift_groups.perturb.math.trace import MathTrace, Problem
from tracelift_groups.perturb.template import dimensions_of, load_templates
from tracelift_groups.records import Group, Rejected, Seed, Trace
from tracelift_groups.reference import NoReference, gold_reference
from tracelift_groups.rubric import flawed_rubric, sound_rubric

MIN_FLAWED = 4
MIN_TWINS = 1


def make_group(seed: Seed, run_seed: int) -> Group | Rejected:
    """Build the group of a math seed.

    The outcome depends on the seed's content and ``run_seed`` alone: not on the order of the
    seeds, on other seeds, or on who runs it.
    """
    if seed.reasoning is None or seed.answer is None:
        missing = "reasoning" if seed.reasoning is None else "answer"
        return reject(seed, f"no_{missing}", f"the seed has no gold {missing}")
    problem = Problem(seed.problem)
    try:
        reference = gold_reference(problem, seed.reasoning, seed.answer)
    except NoReference as none:
        return reject(seed, none.reason, none.detail)
    rng = random_for(run_seed, seed.seed_id)
    twins = make_twins(reference, rng)
    if len(twins) < MIN_TWINS:
        return reject(seed, "no_twin", "no rewording of the reference was confirmed sound")
    sound = [reference, *(twin.trace for twin in twins)]
    flaws = make_flaws(sound, load_templates("math"), rng, MIN_FLAWED)
    if len(flaws) < MIN_FLAWED:
        kinds = ", ".join(flaw.kind for flaw in flaws) or "none"
        return reject(
            seed, "too_few_flaws", f"{len(flaws)} of at least {MIN_FLAWED} certified ({kinds})"
        )
    return Group(
        group_id=seed.seed_id,
        source=seed.source,
        domain=seed.domain,
        problem=seed.problem,
        answer=seed.answer,
        traces=(*_sound_traces(seed.seed_id, sound), *_flawed_traces(seed.seed_id, flaws)),
    )


def reject(seed: Seed, reason: str, detail: str) -> Rejected:
    """Record why a seed did not become a group."""
    return Rejected(
        seed_id=seed.seed_id,
        where=seed.where,
        reason=reason,
        detail=detail,
        problem=seed.problem,
    )


def random_for(run_seed: int, name: str) -> Random:
    """A generator that depends on the run's seed and a name, and on nothing else."""
    digest = hashlib.sha256(f"{run_seed}:{name}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def _sound_traces(group_id: str, sound: list[MathTrace]) -> list[Trace]:
    rubric = sound_rubric(dimensions_of("math"))
    return [
        Trace(
            trace_id=_trace_id(group_id, index),
            role="twin" if index else "reference",
            text=trace.text,
            steps=trace.steps,
            rubric=rubric,
            author="rule" if index else "human",
            parent_id=_trace_id(group_id, 0) if index else None,
        )
        for index, trace in enumerate(sound)
    ]


def _trace_id(group_id: str, index: int) -> str:
    return f"{group_id}/s{index}"


def _flawed_traces(group_id: str, flaws: list[Flaw]) -> list[Trace]:
    templates = {template.id: template for template in load_templates("math")}
    seen: Counter[str] = Counter()
    traces = []
    for flaw in flaws:
        seen[flaw.kind] += 1
        again = f"-{seen[flaw.kind]}" if seen[flaw.kind] > 1 else ""
        template, steps = templates[flaw.kind], flaw.trace.steps
        traces.append(
            Trace(
                trace_id=f"{group_id}/{flaw.kind}{again}",
                role="flawed",
                kind=flaw.kind,
                text=flaw.trace.text,
                steps=steps,
                rubric=flawed_rubric(template, flaw.certificate, len(steps)),
                certificate=flaw.certificate,
                author="rule",
                parent_id=_trace_id(group_id, flaw.parent),
            )
        )
    return traces
