"""One seed becomes one group, or a rejection with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Protocol

from tracelift_groups.perturb.code.runs import Sandbox, sandbox_of
from tracelift_groups.perturb.template import dimensions_of, load_templates
from tracelift_groups.records import Certificate, Domain, Group, Rejected, Seed, Trace
from tracelift_groups.reference import NoReference
from tracelift_groups.rubric import flawed_rubric, sound_rubric

MIN_FLAWED = 4
MIN_TWINS = 1
MIN_KINDS_CODE = 3


class Text(Protocol):
    """What an engine's trace gives to a group."""

    @property
    def text(self) -> str:
        """The reasoning."""
        ...

    @property
    def steps(self) -> tuple[str, ...]:
        """Its steps."""
        ...


class Flawed(Protocol):
    """What an engine's flaw gives to a group."""

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
        """Which sound trace it was made from."""
        ...

    @property
    def certificate(self) -> Certificate:
        """What shows it."""
        ...


def make_group(
    seed: Seed,
    run_seed: int,
    sandbox: Sandbox = Sandbox(),  # noqa: B008 - frozen
) -> Group | Rejected:
    """Build the group of a seed.

    The outcome depends on the seed's content and ``run_seed`` alone: not on the order of the
    seeds, on other seeds, or on who runs it.

    Args:
        seed: The seed.
        run_seed: The run's seed of everything drawn at random.
        sandbox: For code: where programs run.

    Raises:
        UserError: Code, on a machine that cannot isolate programs.
        SandboxDown: The sandbox failed: nothing is known of the seed, and the run must stop.
    """
    if seed.domain == "math":
        return _math_group(seed, run_seed)
    return _code_group(seed, run_seed, sandbox)


def _math_group(seed: Seed, run_seed: int) -> Group | Rejected:
    from tracelift_groups.perturb.math.engine import make_flaws, make_twins
    from tracelift_groups.perturb.math.trace import Problem
    from tracelift_groups.reference.math import gold_reference

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
    return _assembled(seed, sound, flaws)


def _code_group(seed: Seed, run_seed: int, sandbox: Sandbox) -> Group | Rejected:
    from tracelift_groups.perturb.code.engine import Engine
    from tracelift_groups.reference.code import gold_reference

    runs = sandbox_of(sandbox)
    try:
        reference = gold_reference(
            seed.problem, seed.reasoning, seed.reference_solution, seed.tests, runs
        )
    except NoReference as none:
        return reject(seed, none.reason, none.detail)
    rng = random_for(run_seed, seed.seed_id)
    engine = Engine(reference, load_templates("code"), seed.seed_id, rng, runs)
    twins = engine.twins()
    if len(twins) < MIN_TWINS:
        return reject(seed, "no_twin", "no rewording of the reference was confirmed sound")
    sound = [reference.trace, *twins]
    flaws = engine.flaws(sound, MIN_FLAWED, MIN_KINDS_CODE)
    kinds = {flaw.kind for flaw in flaws}
    if len(flaws) >= MIN_FLAWED and len(kinds) < MIN_KINDS_CODE:
        named = ", ".join(sorted(kinds))
        return reject(
            seed, "too_few_kinds", f"{len(kinds)} of at least {MIN_KINDS_CODE} kinds ({named})"
        )
    return _assembled(seed, sound, flaws)


def _assembled(seed: Seed, sound: Sequence[Text], flaws: Sequence[Flawed]) -> Group | Rejected:
    if len(flaws) < MIN_FLAWED:
        kinds = ", ".join(flaw.kind for flaw in flaws) or "none"
        return reject(
            seed, "too_few_flaws", f"{len(flaws)} of at least {MIN_FLAWED} certified ({kinds})"
        )
    name = seed.seed_id
    return Group(
        group_id=name,
        source=seed.source,
        domain=seed.domain,
        problem=seed.problem,
        answer=seed.answer,
        tests=seed.tests,
        reference_solution=seed.reference_solution,
        traces=(
            *_sound_traces(name, seed.domain, sound, seed.author),
            *_flawed_traces(name, seed.domain, flaws),
        ),
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


def _sound_traces(group_id: str, domain: Domain, sound: Sequence[Text], author: str) -> list[Trace]:
    rubric = sound_rubric(dimensions_of(domain))
    return [
        Trace(
            trace_id=_trace_id(group_id, index),
            role="twin" if index else "reference",
            text=trace.text,
            steps=trace.steps,
            rubric=rubric,
            author="rule" if index else author,
            parent_id=_trace_id(group_id, 0) if index else None,
        )
        for index, trace in enumerate(sound)
    ]


def _trace_id(group_id: str, index: int) -> str:
    return f"{group_id}/s{index}"


def _flawed_traces(group_id: str, domain: Domain, flaws: Sequence[Flawed]) -> list[Trace]:
    templates = {template.id: template for template in load_templates(domain)}
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
