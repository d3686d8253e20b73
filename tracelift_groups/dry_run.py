"""What a build would ask: calls, tokens and cost, before anything is paid.

A few seeds are put through the real pipeline with the scripted model answering, once with every
reply good and once with a share of bad ones, and what they ask is scaled up to all seeds. Tokens
are counted as a quarter of the characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tracelift_groups.build import BuildOptions
from tracelift_groups.errors import UserError
from tracelift_groups.llm.asking import Asks
from tracelift_groups.llm.opening import Script
from tracelift_groups.llm.prices import Price, prices_for
from tracelift_groups.llm.request import Request, Usage
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.records import Seed
from tracelift_groups.screen import screen
from tracelift_groups.work import Job

_LOOKED_AT = 12
# Bad replies of a weak model, for the upper end of what to expect.
_BAD_SHARE = 0.4


@dataclass(frozen=True)
class Expected:
    """What a build is expected to ask: from every reply being good to two in five being bad.

    Attributes:
        seeds: Seeds of the build.
        looked_at: Seeds that were tried.
        calls, input_tokens, output_tokens: Least and most to expect.
        by_task: Calls by stage, least and most.
        usd: Least and most; None where a price is not known.
    """

    seeds: int
    looked_at: int
    calls: tuple[int, int]
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    by_task: dict[str, tuple[int, int]]
    usd: tuple[float, float] | None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return dict(vars(self))

    def __str__(self) -> str:
        money = (
            "cost not known: no price for the model (--prices)"
            if self.usd is None
            else f"{self.usd[0]:.2f} to {self.usd[1]:.2f} USD"
        )
        tasks = ", ".join(f"{task} {low}-{high}" for task, (low, high) in self.by_task.items())
        return "\n".join(
            (
                f"{self.seeds} seeds: {self.calls[0]} to {self.calls[1]} calls ({tasks})",
                f"  {self.input_tokens[0]} to {self.input_tokens[1]} tokens in, "
                f"{self.output_tokens[0]} to {self.output_tokens[1]} out",
                f"  {money}",
                f"  scaled up from {self.looked_at} seeds with scripted replies; answers that are "
                "in the cache cost nothing",
            )
        )


class _Tallied:
    """What some seeds asked."""

    def __init__(self) -> None:
        self.by_task: Counter[str] = Counter()
        self.tokens: dict[str, list[int]] = {}

    def add(self, request: Request, usage: Usage) -> None:
        self.by_task[request.task] += 1
        tokens = self.tokens.setdefault(request.model, [0, 0])
        tokens[0] += usage.input_tokens or 0
        tokens[1] += usage.output_tokens or 0


def dry_run(options: BuildOptions) -> Expected:
    """Estimate what a build asks.

    Raises:
        UserError: No model would be asked, or the seeds cannot be read.
    """
    if not options.plan.asks:
        raise UserError(
            "this build asks no model", where="--dry-run", way_out="drop it, or add --engine llm"
        )
    seeds = screen(options.source, options.decontaminate).seeds
    if options.shard is not None:
        seeds = [seed for seed in seeds if options.shard.holds(seed.seed_id)]
    by_id = sorted(seeds, key=lambda seed: seed.seed_id)
    tried = Random(options.seed).sample(by_id, min(_LOOKED_AT, len(by_id)))
    job = Job(options.plan, options.seed, options.sandbox)
    script = options.model.seeds if isinstance(options.model, Script) else None
    good, bad = (_tried(tried, job, script, share) for share in (0.0, _BAD_SHARE))
    scale = len(seeds) / max(1, len(tried))

    def both(count: Callable[[_Tallied], float]) -> tuple[int, int]:
        low, high = sorted(round(scale * count(one)) for one in (good, bad))
        return low, high

    tasks = [*good.by_task, *(task for task in bad.by_task if task not in good.by_task)]
    prices = prices_for(options.model) if isinstance(options.model, ModelSettings) else {}
    costs = [_usd(one, prices, scale) for one in (good, bad)]
    known = [one for one in costs if one is not None]
    return Expected(
        seeds=len(seeds),
        looked_at=len(tried),
        calls=both(lambda one: one.by_task.total()),
        input_tokens=both(lambda one: sum(pair[0] for pair in one.tokens.values())),
        output_tokens=both(lambda one: sum(pair[1] for pair in one.tokens.values())),
        by_task={task: both(lambda one, task=task: one.by_task[task]) for task in tasks},  # type: ignore[misc]
        usd=(min(known), max(known)) if len(known) == len(costs) else None,
    )


def _tried(seeds: Sequence[Seed], job: Job, script: Path | None, bad_share: float) -> _Tallied:
    tallied = _Tallied()
    # It knows the seeds' own solutions, or few references would be confirmed, and nothing follow.
    model = ScriptedModel(script, bad_share, known=[seed for seed in seeds if seed.reasoning])
    for seed in seeds:
        _answer(job.stage(seed), model, tallied)
    return tallied


def _answer(stage: Asks[Any], model: ScriptedModel, tallied: _Tallied) -> None:
    answers = None
    while True:
        try:
            requests = next(stage) if answers is None else stage.send(answers)
        except StopIteration:
            return
        answers = [model.answer(request) for request in requests]
        for request, answer in zip(requests, answers, strict=True):
            tallied.add(request, answer.usage)


def _usd(tallied: _Tallied, prices: dict[str, Price], scale: float) -> float | None:
    total = 0.0
    for model, (given, taken) in tallied.tokens.items():
        price = prices.get(model)
        dollars = price.of(Usage(given, taken)) if price else None
        if dollars is None:
            return None
        total += scale * dollars
    return round(total, 4)
