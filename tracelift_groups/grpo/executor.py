"""The frozen executor: problem and reasoning in, verdicts on its replies out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from tracelift_groups.grpo.formulas import Run
from tracelift_groups.grpo.models import Model
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.prompting import executor_prompt
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.llm.request import Answer, Failed, Request

# What the executor itself did with what it was given: no answer, which is no success. Other
# failures are of the endpoint and say nothing.
_ITS_OWN = frozenset({"truncated", "refused", "empty", "too_long"})
_NO_REPLY = Run(passed=False, pass_rate=0.0, ran=None)
_LOOKED_AT = 32
_log = logging.getLogger(__name__)


class Runs(NamedTuple):
    """Runs of the executor on one prompt.

    Attributes:
        runs: Their verdicts, in order; those that are known.
        missing: Why one is not known; empty where all are.
    """

    runs: tuple[Run, ...]
    missing: str = ""

    @property
    def passed(self) -> tuple[bool, ...] | None:
        """Which of the runs solve the problem; None where that is not known of all of them."""
        return None if self.missing else tuple(run.passed for run in self.runs)


class Executor:
    """Runs the model on prompts and judges what comes back.

    Args:
        model: The frozen model.
        verifier: Judges its replies.
        settings: Temperature, limits and prompt.
    """

    def __init__(self, model: Model, verifier: Verifier, settings: RewardSettings) -> None:
        self.model, self.verifier, self.settings = model, verifier, settings
        self._replies = self._cut = 0

    async def run(self, problem: Problem, reasoning: str | None, count: int) -> Runs:
        """Run it several times on a problem, all at once.

        Args:
            problem: The problem.
            reasoning: What to work from; None for the baseline.
            count: Runs. The first ones are the same however many follow.

        Raises:
            UserError: There is something to mend, or the endpoint is down.
        """
        settings = self.settings
        prompt = executor_prompt(problem, reasoning, settings.executor_prompt)
        math = problem.domain == "math"
        requests = [
            Request(
                task="baseline" if reasoning is None else "execute",
                model=self.model.name,
                prompt=prompt,
                temperature=settings.temperature,
                max_tokens=settings.max_tokens_math if math else settings.max_tokens_code,
                sample=sample,
                api=self.model.api,
            )
            for sample in range(count)
        ]
        answers = await self.model.ask(requests)
        self._watch(answers, requests[0].max_tokens if requests else 0)
        verdicts = await asyncio.gather(*(self._judge(problem, one) for one in answers))
        missing = next((one for one in verdicts if isinstance(one, str)), "")
        return Runs(tuple(one for one in verdicts if isinstance(one, Run)), missing)

    def _watch(self, answers: Sequence[Answer], limit: int) -> None:
        """Say so once where most of the first replies are cut: nothing could succeed."""
        if self._replies >= _LOOKED_AT:
            return
        self._replies += len(answers)
        self._cut += sum(isinstance(one, Failed) and one.reason == "truncated" for one in answers)
        if self._replies >= _LOOKED_AT and 2 * self._cut > self._replies:
            _log.warning(
                "%d of the executor's first %d replies did not end within %d tokens and count as "
                "no success: it thinks aloud, or has no end token; raise reward.max_tokens_math or "
                "max_tokens_code, or turn its thinking off",
                self._cut,
                self._replies,
                limit,
            )

    async def _judge(self, problem: Problem, answer: Answer) -> Run | str:
        """What one reply is worth, or why nothing is known."""
        if isinstance(answer, Failed):
            if answer.reason in _ITS_OWN:
                return _NO_REPLY
            return f"executor: {answer.reason} {answer.detail}".strip()
        partial = self.settings.formula == "published_code"  # the only one that reads pass rates
        outcome = await self.verifier.averify(problem, answer.text, partial=partial)
        return outcome.run if outcome.valid else f"verifier: {outcome.detail}"
