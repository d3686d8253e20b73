"""The executor-grounded reward: verifier success + reward model x uplift on the frozen executor.

A batch's executor calls are all under way at once, beside one call of the reward model. A score
depends on its problem and completion and on what the executor replied, never on its batch. Where a
call that counts came to nothing the score is invalid: no number stands in for it.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.executor import Executor, Runs
from tracelift_groups.grpo.formulas import Measured, lowest, value
from tracelift_groups.grpo.judging import judge_all
from tracelift_groups.grpo.models import Model, repeats_differ
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.reasoning import Format, Reasoning, extract
from tracelift_groups.grpo.scorer import RmScorer
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.rm.item import Item

T = TypeVar("T")


class Rollout(NamedTuple):
    """What a planner wrote for a problem.

    Attributes:
        problem: The problem.
        completion: The planner's text.
        prefilled: Whether the prompt ended with the opening tag.
    """

    problem: Problem
    completion: str
    prefilled: bool = False


class Score(NamedTuple):
    """The reward of one completion.

    Attributes:
        value: None where it is not valid.
        valid: False where something that counts could not be measured.
        parts: What was measured: ``success``, ``baseline``, ``uplift``, ``rm``, ``judge``, and
            always ``length`` (characters of the reasoning), ``format_ok``, ``leaked``.
        reason: Why it is not valid, or the format of a completion without a reasoning.
    """

    value: float | None
    valid: bool
    parts: Mapping[str, float]
    reason: str = ""


ScoreRollouts = Callable[[Sequence[Rollout]], Sequence[Score]]
"""What gives the reward: a :class:`Reward`, or anything like it."""


class Reward:
    """Scores completions.

    Blocking calls may come from any thread; the asking is done by an event loop in a thread of
    its own, which the models and the reward model belong to.

    Args:
        settings: What counts, and how.
        executor: The frozen model that works from the reasoning.
        rm: Where the mode needs it.
        judge: Where the mode needs it.
        verifier: By default one of its own; closed with the rest.

    Raises:
        UserError: The mode needs a reward model or a judge, and there is none.
    """

    def __init__(
        self,
        settings: RewardSettings,
        executor: Model,
        *,
        rm: RmScorer | None = None,
        judge: Model | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        if settings.needs_rm and rm is None:
            raise UserError(f"mode {settings.mode} needs a reward model", way_out="give --rm")
        if settings.needs_judge and judge is None:
            raise UserError(f"mode {settings.mode} needs a judge", way_out="give --judge")
        self.settings, self.executor = settings, executor
        self._rm, self._judge = rm, judge
        self.verifier = verifier or Verifier()
        self._executor = Executor(executor, self.verifier, settings)
        self._known: dict[Problem, Runs] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reward", daemon=True)
        self._thread.start()

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """Score a batch and wait for it.

        Raises:
            UserError: There is something to mend, or the endpoint is down.
        """
        scores = self._submit(self._score(rollouts))
        try:
            return scores.result()
        except BaseException:
            scores.cancel()  # after Ctrl-C nobody waits for it any more
            raise

    async def ascore(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """Score a batch, from any event loop."""
        return await asyncio.wrap_future(self._submit(self._score(rollouts)))

    def repeats_differ(self) -> bool | None:
        """Ask the executor whether its repeats differ at all (:func:`.models.repeats_differ`)."""
        return self._submit(repeats_differ(self.executor, self.settings.temperature)).result()

    def close(self) -> None:
        """Wait for what is paid for; close models, reward model and verifier.

        All of them are closed, even where one of them fails to. A batch that another thread still
        waits for is cancelled.
        """
        if self._loop.is_closed():
            return
        try:
            self._submit(self._close()).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self.verifier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _close(self) -> None:
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(self._cancel_the_rest)
            for one in (self._rm, self._judge, self.executor):
                if one is not None:
                    last_first.push_async_callback(one.close)

    async def _cancel_the_rest(self) -> None:
        """End the batches that were under way, so that nobody waits for ever."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _score(self, rollouts: Sequence[Rollout]) -> list[Score]:
        found = [self._extract(rollout) for rollout in rollouts]
        usable = [number for number, reasoning in enumerate(found) if reasoning.usable]
        problems = [rollouts[number].problem for number in usable]
        texts = [found[number].text for number in usable]
        items = [
            Item(problem.text, text, problem.domain, problem.tests)
            for problem, text in zip(problems, texts, strict=True)
        ]
        runs, baselines, rm, judged = await asyncio.gather(
            self._with_text(problems, texts),
            self._baselines(problems),
            self._rm_scores(items),
            self._verdicts(items),
        )
        scores = [self._without_reasoning(reasoning) for reasoning in found]
        for place, number in enumerate(usable):
            baseline = baselines.get(problems[place])
            scores[number] = self._combine(
                found[number], runs[place], baseline, rm[place], judged[place]
            )
        return scores

    def _extract(self, rollout: Rollout) -> Reasoning:
        found = extract(rollout.completion, rollout.problem.domain, prefilled=rollout.prefilled)
        if found.leaked and self.settings.leak == "forbid":
            return found._replace(text="", format=Format.LEAKED)
        return found

    async def _rm_scores(self, items: Sequence[Item]) -> list[float | None]:
        if self._rm is None or not self.settings.needs_rm or not items:
            return [None] * len(items)
        scores = await self._rm.score(items)
        return [one if one is not None and math.isfinite(one) else None for one in scores]

    async def _verdicts(self, items: Sequence[Item]) -> list[float | None]:
        if self._judge is None or not self.settings.needs_judge:
            return [None] * len(items)
        return await judge_all(self._judge, items)

    async def _with_text(self, problems: Sequence[Problem], texts: Sequence[str]) -> list[Runs]:
        wanted = self.settings
        count = wanted.separate_run + wanted.needs_repeats * wanted.repeats
        runs = (
            self._executor.run(problem, text, count)
            for problem, text in zip(problems, texts, strict=True)
        )
        return list(await asyncio.gather(*runs))

    async def _baselines(self, problems: Sequence[Problem]) -> dict[Problem, Runs]:
        """Run the executor without a reasoning, once for each problem, and remember it."""
        if not self.settings.needs_uplift:
            return {}
        count, wanted = self.settings.baseline_repeats, list(dict.fromkeys(problems))
        new = [one for one in wanted if one not in self._known]
        runs = await asyncio.gather(*(self._executor.run(one, None, count) for one in new))
        found = dict(zip(new, runs, strict=True))
        self._known |= {one: known for one, known in found.items() if not known.missing}
        return {one: found.get(one) or self._known[one] for one in wanted}

    def _without_reasoning(self, reasoning: Reasoning) -> Score:
        return Score(lowest(self.settings), True, _parts(reasoning), str(reasoning.format))

    def _combine(
        self,
        reasoning: Reasoning,
        runs: Runs,
        baseline: Runs | None,
        rm: float | None,
        judged: float | None,
    ) -> Score:
        settings = self.settings
        apart = int(settings.separate_run)
        repeats = runs._replace(runs=runs.runs[apart:])
        measured = Measured(
            successes=repeats.passed if settings.needs_repeats else None,
            baseline=None if baseline is None else baseline.passed,
            separate=runs.runs[0] if apart and not runs.missing else None,
            rm=rm,
            judge=judged,
        )
        missing = runs.missing or (baseline.missing if baseline else "")
        if settings.needs_rm and rm is None:
            missing = missing or "the reward model gave no score"
        if settings.needs_judge and judged is None:
            missing = missing or "the judge gave no verdict"
        parts = _parts(reasoning) | _measured_parts(measured)
        if missing:
            return Score(None, False, parts, missing)
        return Score(value(settings, measured), True, parts)


def _parts(reasoning: Reasoning) -> dict[str, float]:
    return {
        "length": float(len(reasoning.text)),
        "format_ok": float(reasoning.usable),
        "leaked": float(reasoning.leaked),
    }


def _measured_parts(measured: Measured) -> dict[str, float]:
    baseline = measured.baseline
    found = {
        "success": measured.success,
        "baseline": None if baseline is None else sum(baseline) / len(baseline),
        "uplift": measured.uplift,
        "rm": measured.rm,
        "judge": measured.judge,
    }
    return {name: number for name, number in found.items() if number is not None}
