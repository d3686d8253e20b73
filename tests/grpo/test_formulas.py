"""Every mode and formula against numbers worked out by hand."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tracelift_groups.grpo.formulas import Measured, Run, comparison, lowest, primary, value
from tracelift_groups.grpo.settings import RewardSettings

YES, NO = True, False
# 2 of 3 with the reasoning, 1 of 4 without: success 2/3, baseline 1/4, uplift 5/12.
MEASURED = Measured(
    successes=(YES, NO, YES),
    baseline=(NO, YES, NO, NO),
    separate=Run(passed=True, pass_rate=1.0),
    rm=0.6,
    judge=0.9,
)
# Half the tests of the further run's program pass; 2 of 3 against 1 of 3.
CODE = Measured(
    successes=(YES, NO, YES),
    baseline=(NO, YES, NO),
    separate=Run(passed=False, pass_rate=0.5, ran=True),
    rm=0.6,
    judge=0.9,
)


@pytest.mark.parametrize(
    ("mode", "weight", "expected"),
    [
        ("exec_only", 1.0, 2 / 3),
        ("tracelift", 1.0, 2 / 3 + 0.6 * 5 / 12),
        ("tracelift", 2.0, 2 / 3 + 2 * 0.6 * 5 / 12),
        ("no_uplift", 1.0, 2 / 3 + 0.6),
        ("no_uplift", 0.5, 2 / 3 + 0.3),
        ("uplift_only", 1.0, 0.6 * 5 / 12),
        ("llm_judge", 1.0, 2 / 3 + 0.9),
    ],
)
def test_the_sum(mode: str, weight: float, expected: float) -> None:
    settings = RewardSettings(mode=mode, rm_weight=weight)
    assert value(settings, MEASURED) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("exec_only", 0.5),
        ("tracelift", 0.5 + 0.5 * 0.6 * 5 / 12),
        ("no_uplift", 0.5 + 0.5 * 0.6),
        ("uplift_only", 0.5 * 0.6 * 5 / 12),
        ("llm_judge", 0.5 + 0.5 * 0.9),
    ],
)
def test_the_published_one_for_math(mode: str, expected: float) -> None:
    settings = RewardSettings(mode=mode, formula="published_math")
    assert value(settings, MEASURED) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        # primary: 0.8 x 0.5 + 0.2
        ("exec_only", 0.6),
        ("tracelift", 0.6 + 0.2 * 0.6 * 1.0),
        ("no_uplift", 0.6 + 0.2 * 0.6),
        ("uplift_only", 0.2 * 0.6),
        ("llm_judge", 0.6 + 0.2 * 0.9),
    ],
)
def test_the_published_one_for_code(mode: str, expected: float) -> None:
    settings = RewardSettings(mode=mode, formula="published_code")
    assert value(settings, CODE) == pytest.approx(expected)


def test_harm_costs() -> None:
    harmed = Measured((NO, NO), (YES, YES), Run(NO, 0.0), rm=0.7)
    assert value(RewardSettings(), harmed) == pytest.approx(-0.7)
    published = RewardSettings(formula="published_math")
    assert value(published, harmed) == pytest.approx(-0.35)


def test_the_code_reward_is_clamped_at_both_ends() -> None:
    settings = RewardSettings(formula="published_code")
    top = CODE._replace(separate=Run(YES, 1.0), successes=(YES,) * 3, baseline=(YES,) * 3)
    assert value(settings, top) == 1.0
    bottom = CODE._replace(separate=Run(NO, 0.0, None), successes=(NO,) * 3)
    assert value(settings, bottom) == 0.0


def test_the_reward_models_score_is_clamped() -> None:
    settings = RewardSettings(mode="no_uplift")
    assert value(settings, MEASURED._replace(rm=1.7)) == pytest.approx(2 / 3 + 1)
    assert value(settings, MEASURED._replace(rm=-0.2)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (Run(YES, 1.0, True), 1.0),
        (Run(NO, 0.25, True), 0.4),
        (Run(NO, 0.25, False), 0.25),
        (Run(NO, 0.0, False), 0.05),
        (Run(NO, 0.0, None), 0.0),
    ],
)
def test_the_published_primary_term(run: Run, expected: float) -> None:
    assert primary(run) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("with_plan", "without", "expected"),
    [
        (3, 2, 1.0),
        (1, 0, 1.0),
        (0, 1, -1.0),
        (2, 3, -1.0),
        (0, 0, 0.0),
        (1, 1, 0.5),
        (2, 2, 2 / 3),
        (3, 3, 1.0),
    ],
)
def test_the_published_comparison(with_plan: int, without: int, expected: float) -> None:
    runs = ([True] * n + [False] * (3 - n) for n in (with_plan, without))
    assert comparison(*runs) == pytest.approx(expected)


def test_the_published_comparison_is_for_three_runs() -> None:
    with pytest.raises(ValidationError, match="3 runs with 3"):
        RewardSettings(formula="published_code", repeats=4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (RewardSettings(), -1.0),
        (RewardSettings(rm_weight=0.25), -0.25),
        (RewardSettings(mode="uplift_only", rm_weight=0.25), -0.25),
        (RewardSettings(mode="exec_only"), 0.0),
        (RewardSettings(mode="no_uplift"), 0.0),
        (RewardSettings(mode="llm_judge"), 0.0),
        (RewardSettings(formula="published_math"), -0.5),
        (RewardSettings(formula="published_code"), 0.0),
    ],
)
def test_no_reasoning_is_worth_what_the_worst_is(settings: RewardSettings, expected: float) -> None:
    assert lowest(settings) == pytest.approx(expected)
    worst = Measured((NO,) * 3, (YES,) * 3, Run(NO, 0.0, None), rm=1.0, judge=0.0)
    if settings.mode in ("no_uplift", "exec_only"):
        worst = worst._replace(rm=0.0)
    assert value(settings, worst) == pytest.approx(expected)
