"""The value of a reasoning from what was measured: small pure functions.

Symbols: ``s`` verifier success with the reasoning, in [0, 1]; ``b`` the baseline's success without
it, in [0, 1]; ``u = s - b`` the uplift, in [-1, 1]; ``q`` the reward model's score, clamped to
[0, 1]; ``j`` a language model's verdict, in [0, 1].

================  ==============  ===========================  ================================
mode              ``sum``         ``published_math``           ``published_code``
================  ==============  ===========================  ================================
``exec_only``     s               0.5 e                        clamp(p)
``tracelift``     s + w q u       0.5 e + 0.5 q u              clamp(p + 0.2 q c)
``no_uplift``     s + w q         0.5 e + 0.5 q                clamp(p + 0.2 q)
``uplift_only``   w q u           0.5 q u                      clamp(0.2 q c)
``llm_judge``     s + w j         0.5 e + 0.5 j                clamp(p + 0.2 j)
================  ==============  ===========================  ================================

``e`` is the verdict on one further run with the reasoning, ``p = 0.8 pass rate + validity`` of that
run's program (0.2 it ran, 0.05 it crashed or timed out), ``c`` the comparison of the repeats. In
``sum`` the repeats themselves are the verifier's term. ``tracelift`` of the published columns is
what arXiv 2605.03862's code computes; the ablations take the terms away that the paper names, and
``llm_judge`` puts the judge where RM x uplift stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracelift_groups.grpo.settings import RewardSettings

_HALF = 0.5
_WEIGHT = {"published_math": _HALF, "published_code": 0.2}
_PASS_WEIGHT, _RAN, _CRASHED = 0.8, 0.2, 0.05
_ON_A_TIE = (0.0, 0.5, 2 / 3, 1.0)


class Run(NamedTuple):
    """What a verifier says of one executor run.

    Attributes:
        passed: Whether the reply solves the problem.
        pass_rate: Share of the tests that passed; for math 1 or 0.
        ran: Code: whether the program ran to its end on the tests; None if there is no program.
    """

    passed: bool
    pass_rate: float
    ran: bool | None = True


class Measured(NamedTuple):
    """What was measured of one reasoning; what the mode has no use for is None.

    Attributes:
        successes: Which of the repeats solve the problem with the reasoning.
        baseline: Which of the runs without it do.
        separate: The further run of the published formulas.
        rm: Reward model's score.
        judge: A language model's verdict.
    """

    successes: tuple[bool, ...] | None = None
    baseline: tuple[bool, ...] | None = None
    separate: Run | None = None
    rm: float | None = None
    judge: float | None = None

    @property
    def success(self) -> float | None:
        """``s``; where there are no repeats, the verdict on the further run."""
        if self.successes is not None:
            return share(self.successes)
        return None if self.separate is None else float(self.separate.passed)

    @property
    def uplift(self) -> float | None:
        """``u``, where both sides were measured."""
        if self.successes is None or self.baseline is None:
            return None
        return share(self.successes) - share(self.baseline)


def value(settings: RewardSettings, measured: Measured) -> float:
    """Return the reward of a reasoning of which everything that counts was measured."""
    verifier = 0.0 if settings.mode == "uplift_only" else _verifier_term(settings, measured)
    weight = _WEIGHT.get(settings.formula, settings.rm_weight)
    reward = verifier + weight * _reasoning_term(settings, measured)
    return clamp(reward) if settings.formula == "published_code" else reward


def lowest(settings: RewardSettings) -> float:
    """Return the least value that a reasoning can have: what a completion without one is given.

    Were it more, a planner that harms its executor would be better off writing no tags at all.
    """
    signed = settings.mode in ("tracelift", "uplift_only")
    if not signed or settings.formula == "published_code":
        return 0.0
    return -_WEIGHT.get(settings.formula, settings.rm_weight)


def clamp(number: float, low: float = 0.0, high: float = 1.0) -> float:
    """Return the nearest number in [low, high]."""
    return min(high, max(low, number))


def primary(run: Run) -> float:
    """The published verifier's term for programs, in [0, 1]."""
    validity = 0.0 if run.ran is None else _RAN if run.ran else _CRASHED
    return _PASS_WEIGHT * run.pass_rate + validity


def comparison(successes: Sequence[bool], baseline: Sequence[bool]) -> float:
    """The published comparison of three runs with a program's plan and three without, in [-1, 1].

    1 or -1 where more or fewer succeed with the plan; on a tie the count decides.
    """
    with_plan, without = sum(successes), sum(baseline)
    if with_plan != without:
        return 1.0 if with_plan > without else -1.0
    return _ON_A_TIE[with_plan]


def share(values: Sequence[bool]) -> float:
    """Share that is true."""
    return sum(values) / len(values)


def _verifier_term(settings: RewardSettings, measured: Measured) -> float:
    if settings.formula == "sum":
        assert measured.successes is not None
        return share(measured.successes)
    assert measured.separate is not None
    if settings.formula == "published_math":
        return _HALF * float(measured.separate.passed)
    return primary(measured.separate)


def _reasoning_term(settings: RewardSettings, measured: Measured) -> float:
    """What the weight is put on."""
    if settings.mode == "exec_only":
        return 0.0
    if settings.mode == "llm_judge":
        assert measured.judge is not None
        return clamp(measured.judge)
    assert measured.rm is not None
    quality = clamp(measured.rm)
    if settings.mode == "no_uplift":
        return quality
    assert measured.successes is not None and measured.baseline is not None
    if settings.formula == "published_code":
        return quality * comparison(measured.successes, measured.baseline)
    return quality * (share(measured.successes) - share(measured.baseline))
