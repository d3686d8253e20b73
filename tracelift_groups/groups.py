"""One seed becomes one group, or a rejection with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from tracelift_groups.ground import MIN_FLAWED, MIN_KINDS_CODE, Ground, ground_of
from tracelift_groups.llm.asking import Asks, Unavailable, unasked
from tracelift_groups.perturb.code.runs import Sandbox
from tracelift_groups.perturb.llm.writer import Writer
from tracelift_groups.perturb.made import BY_RULE, Flawed, Text
from tracelift_groups.perturb.template import dimensions_of, load_templates
from tracelift_groups.plan import Plan
from tracelift_groups.records import (
    Domain,
    Group,
    Rejected,
    RejectedTrace,
    Seed,
    Trace,
)
from tracelift_groups.reference import NoReference
from tracelift_groups.rubric import flawed_rubric, sound_rubric
from tracelift_groups.rubric.judge import judgements, rubric_of

MIN_TWINS = 1
WRITTEN_TWINS = 2
WRITTEN_TURNS = 3  # the first asks for each kind, the others again for kinds that came out
MODEL_UNAVAILABLE = "model_unavailable"


class Sound(NamedTuple):
    """A sound trace and who wrote it; the first of a group is its reference."""

    trace: Text
    author: str


class Made(NamedTuple):
    """What became of a seed, and the traces that a model wrote in vain."""

    result: Group | Rejected
    rejected: tuple[RejectedTrace, ...] = ()


def make_group(
    seed: Seed,
    run_seed: int,
    sandbox: Sandbox = Sandbox(),  # noqa: B008 - frozen
) -> Group | Rejected:
    """Build the group of a seed by rules alone.

    Args:
        seed: The seed.
        run_seed: The run's seed of everything drawn at random.
        sandbox: For code: where programs run.

    Raises:
        UserError: Code, on a machine that cannot isolate programs.
        SandboxDown: The sandbox failed: nothing is known of the seed, and the run must stop.
    """
    return unasked(group_stage(seed, Plan(), run_seed, sandbox)).result


def group_stage(seed: Seed, plan: Plan, run_seed: int, sandbox: Sandbox) -> Asks[Made]:
    """Build the group of a seed.

    The outcome depends on the seed's content, the plan, ``run_seed`` and what the models answer:
    not on the order of the seeds, on other seeds, or on who runs it.

    Args:
        seed: The seed.
        plan: How groups are made.
        run_seed: The run's seed of everything drawn at random.
        sandbox: For code: where programs run.

    Raises:
        UserError: Code, on a machine that cannot isolate programs.
        SandboxDown: The sandbox failed: nothing is known of the seed, and the run must stop.
    """
    rejected: list[RejectedTrace] = []
    try:
        rng = random_for(run_seed, seed.seed_id)
        ground = yield from ground_of(seed, plan, rng, sandbox)
        result = yield from _group(seed, plan, run_seed, ground, rejected)
    except NoReference as none:
        result = reject(seed, none.reason, none.detail)
    except Unavailable as error:
        result = reject(seed, MODEL_UNAVAILABLE, str(error))
    return Made(result, tuple(rejected))


def _group(
    seed: Seed, plan: Plan, run_seed: int, ground: Ground, rejected: list[RejectedTrace]
) -> Asks[Group | Rejected]:
    sound = [Sound(ground.reference, ground.author)]
    flaws: list[Flawed] = []
    if ground.rules is not None:
        sound += [Sound(trace, BY_RULE) for trace in ground.rules.twins()]
        if len(sound) > MIN_TWINS:
            flaws += ground.rules.flaws([one.trace for one in sound])
    if plan.engine != "rule":
        draw = partial(_random, run_seed, seed.seed_id)
        writer = Writer(ground.desk, plan, seed.seed_id, draw)
        yield from _written(seed, plan, writer, sound, flaws)
        rejected += writer.rejected
    if len(sound) <= MIN_TWINS:
        return reject(seed, "no_twin", "no rewording of the reference was confirmed sound")
    if objection := _too_few(seed, flaws):
        return objection
    flaws.sort(key=lambda flaw: flaw.kind)
    traces = [
        *_sound_traces(seed.seed_id, seed.domain, sound),
        *_flawed_traces(seed.seed_id, seed.domain, flaws),
    ]
    if plan.rubric == "judge":
        traces = yield from _judged(seed, plan, traces)
    return Group(
        group_id=seed.seed_id,
        source=seed.source,
        domain=seed.domain,
        problem=seed.problem,
        answer=seed.answer,
        tests=seed.tests,
        reference_solution=ground.program or seed.reference_solution,
        traces=tuple(traces),
    )


def _written(
    seed: Seed, plan: Plan, writer: Writer, sound: list[Sound], flaws: list[Flawed]
) -> Asks[None]:
    """Add what a model writes: what the rules did not make, and twins in the model's own words."""
    kinds = {flaw.kind for flaw in flaws}
    missing = [one for one in load_templates(seed.domain) if one.id not in kinds]
    if not missing:
        return
    count = WRITTEN_TWINS if len(sound) == 1 else 1
    others = [one.trace for one in sound[1:]]
    twins = yield from writer.twins(sound[0].trace, others, count)
    sound += [Sound(trace, plan.author) for trace in twins]
    # A model's flaws need a sound trace of the model beside them, or the author would tell them
    # apart; and without any twin there will be no group to put them into.
    if len(sound) <= MIN_TWINS or plan.author not in {one.author for one in sound}:
        return
    texts, templates = [one.trace for one in sound], missing
    for turn in range(WRITTEN_TURNS):
        made = [flaw.trace for flaw in flaws]
        flaws += yield from writer.flaws(texts, templates, made, turn)
        kinds = {flaw.kind for flaw in flaws}
        templates = [one for one in load_templates(seed.domain) if one.id in kinds]
        if len(flaws) >= MIN_FLAWED or not templates:
            return


def _too_few(seed: Seed, flaws: Sequence[Flawed]) -> Rejected | None:
    kinds = {flaw.kind for flaw in flaws}
    if len(flaws) < MIN_FLAWED:
        named = ", ".join(flaw.kind for flaw in flaws) or "none"
        return reject(
            seed, "too_few_flaws", f"{len(flaws)} of at least {MIN_FLAWED} certified ({named})"
        )
    if seed.domain == "code" and len(kinds) < MIN_KINDS_CODE:
        named = ", ".join(sorted(kinds))
        return reject(
            seed, "too_few_kinds", f"{len(kinds)} of at least {MIN_KINDS_CODE} kinds ({named})"
        )
    return None


def _judged(seed: Seed, plan: Plan, traces: list[Trace]) -> Asks[list[Trace]]:
    """Put judges' labels in the place of the templates'."""
    texts = [trace.text for trace in traces]
    said = yield from judgements(seed.problem, texts, seed.domain, plan)
    if missing := [trace.trace_id for trace, one in zip(traces, said, strict=True) if not one]:
        raise NoReference("judge_failed", f"no judge gave scores for {', '.join(missing)}")
    return [
        trace.model_copy(update={"rubric": rubric_of(one), "judgements": one})
        for trace, one in zip(traces, said, strict=True)
    ]


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


def _random(run_seed: int, seed_id: str, name: str) -> Random:
    """A generator for one trace of a group."""
    return random_for(run_seed, f"{seed_id}/{name}")


def _sound_traces(group_id: str, domain: Domain, sound: Sequence[Sound]) -> list[Trace]:
    rubric = sound_rubric(dimensions_of(domain))
    return [
        Trace(
            trace_id=_trace_id(group_id, index),
            role="twin" if index else "reference",
            text=one.trace.text,
            steps=one.trace.steps,
            rubric=rubric,
            author=one.author,
            parent_id=_trace_id(group_id, 0) if index else None,
        )
        for index, one in enumerate(sound)
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
                author=flaw.author,
                parent_id=_trace_id(group_id, flaw.parent),
            )
        )
    return traces
