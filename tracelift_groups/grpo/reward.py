"""The executor-grounded reward: verifier success + reward model x uplift on the frozen executor.

A batch's executor calls are all under way at once, beside one call of the reward model. A score
depends on its problem and completion and on what the executor replied, never on its batch. Where a
call that counts came to nothing the score is invalid: no number stands in for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.formulas import Measured, Run, lowest, value
from tracelift_groups.grpo.judging import judge_all
from tracelift_groups.grpo.models import Model, repeats_differ
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.prompting import executor_prompt
from tracelift_groups.grpo.reasoning import Format, Reasoning, extract
from tracelift_groups.grpo.scorer import RmScorer
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.llm.request import Answer, Failed, Reply, Request
from tracelift_groups.rm.item import Item

T = TypeVar("T")

# What the executor itself did with what it was given: no answer, which is no success. Other
# failures are of the endpoint and say nothing.
_EXECUTORS_OWN = frozenset({"truncated", "refused", "empty", "too_long"})
_NO_REPLY = Run(passed=False, pass_rate=0.0, ran=None)


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


class Reward:
    """Scores completions.

    Blocking calls may come from any thread; the asking is done by an event loop in a thread of
    its own, which the models and the reward model belong to.

    Args:
        settings: What counts, and how.
        executor: The frozen model that works from the reasoning.
        rm: Where the mode needs it.
        judge: Where the mode needs it.
        verifier: By default one of its own, which it closes.

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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reward", daemon=True)
        self._thread.start()

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """Score a batch and wait for it.

        Raises:
            UserError: There is something to mend, or the endpoint is down.
        """
        return self._submit(self._score(rollouts)).result()

    async def ascore(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """Score a batch, from any event loop."""
        return await asyncio.wrap_future(self._submit(self._score(rollouts)))

    def repeats_differ(self) -> bool | None:
        """Ask the executor whether its repeats differ at all (:func:`.models.repeats_differ`)."""
        return self._submit(repeats_differ(self.executor, self.settings.temperature)).result()

    def close(self) -> None:
        """Wait for what is under way; close models, reward model and verifier."""
        if self._loop.is_closed():
            return
        self._submit(self._close()).result()
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
        await self.executor.close()
        if self._judge is not None:
            await self._judge.close()
        if self._rm is not None:
            await self._rm.close()

    async def _score(self, rollouts: Sequence[Rollout]) -> list[Score]:
        found = [self._extract(rollout) for rollout in rollouts]
        usable = [number for number, reasoning in enumerate(found) if reasoning.usable]
        problems = [rollouts[number].problem for number in usable]
        texts = [found[number].text for number in usable]
        items = [
            Item(problem.text, text, problem.domain, problem.tests)
            for problem, text in zip(problems, texts, strict=True)
        ]
        runs, rm, judged = await asyncio.gather(
            self._execute(problems, texts), self._rm_scores(items), self._verdicts(items)
        )
        scores = [self._without_reasoning(reasoning) for reasoning in found]
        for place, number in enumerate(usable):
            scores[number] = self._combine(found[number], runs[place], rm[place], judged[place])
        return scores

    def _extract(self, rollout: Rollout) -> Reasoning:
        found = extract(rollout.completion, rollout.problem.domain, prefilled=rollout.prefilled)
        if found.leaked and self.settings.leak == "forbid":
            return found._replace(text="", format=Format.LEAKED)
        return found

    async def _rm_scores(self, items: Sequence[Item]) -> list[float | None]:
        if self._rm is None or not self.settings.needs_rm or not items:
            return [None] * len(items)
        return await self._rm.score(items)

    async def _verdicts(self, items: Sequence[Item]) -> list[float | None]:
        if self._judge is None or not self.settings.needs_judge:
            return [None] * len(items)
        return await judge_all(self._judge, items)

    async def _execute(self, problems: Sequence[Problem], texts: Sequence[str]) -> list[_Runs]:
        """Run the executor with every text, and once for each problem without one."""
        wanted = self.settings
        plans = [
            self._requests(
                problem, text, wanted.separate_run + wanted.needs_repeats * wanted.repeats
            )
            for problem, text in zip(problems, texts, strict=True)
        ]
        baselines = {}
        if wanted.needs_uplift:
            baselines = {
                problem.problem_id: self._requests(problem, None, wanted.baseline_repeats)
                for problem in problems
            }
        first = {problem.problem_id: problem for problem in problems}
        with_text = [self._judged(one, plan) for one, plan in zip(problems, plans, strict=True)]
        without = [self._judged(first[name], plan) for name, plan in baselines.items()]
        judged = await asyncio.gather(*with_text, *without)
        known = dict(zip(baselines, judged[len(plans) :], strict=True))
        return [
            _Runs(tuple(with_it), known.get(problem.problem_id))
            for problem, with_it in zip(problems, judged[: len(plans)], strict=True)
        ]

    def _requests(self, problem: Problem, text: str | None, count: int) -> list[Request]:
        wanted = self.settings
        prompt = executor_prompt(problem, text, wanted.executor_prompt)
        limit = wanted.max_tokens_math if problem.domain == "math" else wanted.max_tokens_code
        return [
            Request(
                task="execute" if text is not None else "baseline",
                model=self.executor.name,
                prompt=prompt,
                temperature=wanted.temperature,
                max_tokens=limit,
                sample=sample,
                api=self.executor.api,
            )
            for sample in range(count)
        ]

    async def _judged(self, problem: Problem, requests: Sequence[Request]) -> tuple[Run | str, ...]:
        answers = await self.executor.ask(requests)
        return tuple(await asyncio.gather(*(self._run(problem, answer) for answer in answers)))

    async def _run(self, problem: Problem, answer: Answer) -> Run | str:
        """What one reply is worth, or why nothing is known."""
        if isinstance(answer, Failed):
            if answer.reason in _EXECUTORS_OWN:
                return _NO_REPLY
            return f"executor: {answer.reason} {answer.detail}".strip()
        assert isinstance(answer, Reply)
        outcome = await self.verifier.averify(problem, answer.text)
        return outcome.run if outcome.valid else f"verifier: {outcome.detail}"

    def _without_reasoning(self, reasoning: Reasoning) -> Score:
        return Score(lowest(self.settings), True, _parts(reasoning), str(reasoning.format))

    def _combine(
        self, reasoning: Reasoning, runs: _Runs, rm: float | None, judged: float | None
    ) -> Score:
        settings, parts = self.settings, _parts(reasoning)
        missing = runs.missing
        separate = runs.with_text[0] if settings.separate_run else None
        repeats = runs.with_text[settings.separate_run :]
        measured = Measured(
            successes=_passed(repeats) if settings.needs_repeats else None,
            baseline=None if runs.baseline is None else _passed(runs.baseline),
            separate=separate if isinstance(separate, Run) else None,
            rm=rm,
            judge=judged,
        )
        if settings.needs_rm and rm is None:
            missing = missing or "the reward model gave no score"
        if settings.needs_judge and judged is None:
            missing = missing or "the judge gave no verdict"
        parts |= _measured_parts(measured)
        if missing:
            return Score(None, False, parts, missing)
        return Score(value(settings, measured), True, parts)


class _Runs(NamedTuple):
    """Executor runs of one text and of its problem alone: verdicts, or why there is none."""

    with_text: tuple[Run | str, ...]
    baseline: tuple[Run | str, ...] | None

    @property
    def missing(self) -> str:
        """Why something is not known; empty where all is."""
        return next(
            (one for one in (*self.with_text, *(self.baseline or ())) if isinstance(one, str)), ""
        )


def _passed(runs: Sequence[Run | str]) -> tuple[bool, ...] | None:
    """Which runs passed; None where one of them is not known."""
    known = [run.passed for run in runs if isinstance(run, Run)]
    return tuple(known) if len(known) == len(runs) else None


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
