"""What was called, what it cost, and when that is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelift_groups.errors import GateError, UserError
from tracelift_groups.llm.prices import Price, prices_for
from tracelift_groups.llm.request import Answer, Failed, Request
from tracelift_groups.llm.settings import ModelSettings

# Failures for which nobody is paid, unless the server says so.
_FREE = frozenset({"unavailable", "bad_request", "too_long"})

# Ten cents added up one by one are less than a tenth of a dollar in binary.
_ROUNDING = 1e-9


class BudgetSpent(GateError):  # noqa: N818 - an end that the user chose
    """The most that the user allowed is spent; what was answered is stored."""


@dataclass(frozen=True)
class Budget:
    """The most that may be spent, in US dollars and in calls; None is no limit."""

    max_cost: float | None = None
    max_calls: int | None = None


class Account:
    """Counts calls, tokens and money, and refuses the call after the last that is allowed.

    Every attempt that is sent is a call. Money is known when a call is answered, so at most the
    calls under way are spent beyond ``max_cost``; ``max_calls`` is never exceeded.

    Args:
        prices: By the name of the model.
        budget: What may be spent.
        batch: Whether calls are made through the Batch API, at its price.
    """

    def __init__(
        self,
        prices: Mapping[str, Price] | None = None,
        budget: Budget | None = None,
        *,
        batch: bool = False,
    ) -> None:
        self.prices = prices or {}
        self.budget = budget or Budget()
        self.batch = batch
        self.calls = 0
        self.answered_calls = 0
        self.from_cache = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.dollars = 0.0
        self.unpriced = 0
        self.failures: Counter[str] = Counter()
        self.by_task: Counter[str] = Counter()

    @classmethod
    def of(cls, settings: ModelSettings, *, batch: bool = False) -> Account:
        """Make the account that the settings ask for.

        Raises:
            UserError: ``--max-cost`` is given and the model has no known price.
        """
        budget = Budget(settings.max_cost, settings.max_calls)
        account = cls(prices_for(settings), budget, batch=batch)
        account.check_price(settings.model)
        return account

    def check_price(self, model: str) -> None:
        """Refuse a limit in dollars for a model whose price is not known.

        Raises:
            UserError: That is so.
        """
        if self.budget.max_cost is not None and model not in self.prices:
            raise UserError(
                f"the price of {model!r} is not known, so --max-cost cannot be kept",
                way_out="give it with --prices FILE, or use --max-calls",
            )

    def sending(self, model: str, count: int = 1) -> None:
        """Count calls that are about to be sent.

        Raises:
            BudgetSpent: They may not be.
            UserError: There is a limit in dollars and the model has no known price.
        """
        self.check_price(model)
        most_calls, most_dollars = self.budget.max_calls, self.budget.max_cost
        if most_calls is not None and self.calls + count > most_calls:
            raise BudgetSpent(f"--max-calls {most_calls} is reached: {self._spent()}")
        if most_dollars is not None and self.dollars > most_dollars - _ROUNDING:
            raise BudgetSpent(f"--max-cost {most_dollars:g} is reached: {self._spent()}")
        self.calls += count

    def pay(self, request: Request, answer: Answer) -> None:
        """Book what an answer cost.

        Whoever limits the calls under way must do this before another call takes the place of
        this one: or more than those under way could be spent beyond the limit.
        """
        dollars = self._price(request, answer)
        if dollars is not None:
            self.dollars += dollars
        elif not _is_free(answer):
            self.unpriced += 1

    def answered(self, request: Request, answer: Answer) -> None:
        """Count the answer to a call, which is stored by now.

        Raises:
            UserError: There is a limit in dollars and the server does not count tokens.
        """
        self.answered_calls += 1
        self.by_task[request.task] += 1
        if isinstance(answer, Failed):
            self.failures[answer.reason] += 1
        self.input_tokens += answer.usage.input_tokens or 0
        self.output_tokens += answer.usage.output_tokens or 0
        unknown = self._price(request, answer) is None and not _is_free(answer)
        if unknown and self.budget.max_cost is not None:
            raise UserError(
                "the server does not say how many tokens a call took, so --max-cost cannot be kept",
                way_out="use --max-calls",
            )

    def _price(self, request: Request, answer: Answer) -> float | None:
        """US dollars for an answer; None where the price or the tokens are not known."""
        price = self.prices.get(request.model)
        return price.of(answer.usage, batch=self.batch) if price else None

    def reused(self, count: int = 1) -> None:
        """Count answers that were there already."""
        self.from_cache += count

    @property
    def usd(self) -> float | None:
        """Money spent; None where some of it is not known."""
        return None if self.unpriced else self.dollars

    def summary(self) -> dict[str, Any]:
        """The account as JSON, for a manifest."""
        return {
            "model_calls": self.calls,
            "answers_from_cache": self.from_cache,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "usd": None if self.usd is None else round(self.usd, 6),
            "failures": dict(sorted(self.failures.items())),
            "answers_by_task": dict(sorted(self.by_task.items())),
        }

    def _spent(self) -> str:
        money = "" if self.usd is None or not self.prices else f", {self.usd:.4f} USD"
        tokens = self.input_tokens + self.output_tokens
        return (
            f"{self.calls} calls, {tokens} tokens{money} spent, and every answer is stored - "
            "the same command goes on from there"
        )


def _is_free(answer: Answer) -> bool:
    return isinstance(answer, Failed) and answer.reason in _FREE
