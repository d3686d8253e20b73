"""Confused units: which factors, percentages and rates, and how they are misused."""

from __future__ import annotations

import pytest

from tests.perturb.word_problems import drafts, traced
from tracelift_groups.perturb.math.conversions import CONFUSED_FACTORS, is_factor


def test_a_factor_is_confused_with_each_of_its_neighbours() -> None:
    trace = traced("He runs for 3 hours.", "He runs 3 * 60 = 180 minutes.")
    assert drafts("wrong_factor", trace) == {
        "He runs 3 * 100 = 300 minutes.",
        "He runs 3 * 24 = 72 minutes.",
    }


def test_a_factor_that_is_spelled_out_stays() -> None:
    trace = traced("He runs for 3 hours.", "An hour has 60 minutes.\nHe runs 3 * 60 = 180 minutes.")
    assert drafts("wrong_factor", trace) == set()


def test_a_factor_that_the_problem_states_as_a_number_is_no_conversion() -> None:
    trace = traced("60 minutes are an hour; he runs 3 hours.", "He runs 3 * 60 = 180 minutes.")
    assert drafts("wrong_factor", trace) == set()
    assert drafts("skipped_conversion", trace) == set()


def test_a_term_is_no_conversion() -> None:
    trace = traced("He runs for 3 hours and an hour more.", "He runs 180 + 60 = 240 minutes.")
    assert drafts("wrong_factor", trace) == drafts("skipped_conversion", trace) == set()


def test_a_factor_counts_only_where_its_units_are_spoken_of() -> None:
    for factor in CONFUSED_FACTORS:
        assert not is_factor(factor, "He has some pens.")
    assert is_factor(next(f for f in CONFUSED_FACTORS if f == 60), "some hours")
    trace = traced("He has 3 boxes.", "He has 3 * 60 = 180 pens.")
    assert drafts("wrong_factor", trace) == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("180 / 60 = 3 hours", "180 * 60 = 10800 hours"),
        ("180 ÷ 60 = 3 hours", "180 × 60 = 10800 hours"),
        ("180 divided by 60 is 3 hours", "180 times 60 is 10800 hours"),
    ],
)
def test_a_conversion_is_turned_around_in_its_own_spelling(before: str, after: str) -> None:
    assert drafts("wrong_direction", traced("It runs 180 minutes.", before)) == {after}


def test_a_given_rate_is_turned_around() -> None:
    trace = traced("12 tickets at $4 each", "He pays 12 * 4 = $48.")
    assert drafts("wrong_direction", trace) == {"He pays 12 / 4 = $3."}


def test_what_divides_by_the_number_itself_is_not_skipped() -> None:
    # 60 / 3: the factor is what is divided, not what converts.
    trace = traced("He runs 3 times an hour.", "He runs every 60 / 3 = 20 minutes.")
    assert drafts("skipped_conversion", trace) == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("50 * 20% = $10", {"50 * 0.02 = $1", "50 * 2 = $100"}),
        ("50 * 0.2 = $10", {"50 * 0.02 = $1", "50 * 2 = $100"}),
        ("50 * .2 = $10", {"50 * .02 = $1", "50 * 2 = $100"}),
        ("50 * 20 / 100 = $10", {"50 * 20 / 10 = $100", "50 * 20 / 1000 = $1"}),
        ("50 * 0.3 = $15", set()),
        ("100% - 20% = 80%", set()),
    ],
)
def test_the_point_of_a_percentage_is_misplaced(before: str, after: set[str]) -> None:
    assert drafts("percent_scale", traced("A $50 coat is 20% off.", before)) == after


def test_per_cent_in_words_is_a_percentage_too() -> None:
    trace = traced("A $50 coat is 20 percent off.", "50 * 0.2 = $10")
    assert "50 * 2 = $100" in drafts("percent_scale", trace)


def test_a_percentage_is_taken_for_an_amount() -> None:
    trace = traced("A $50 coat is 20% off.", "It is 50 * 20% = $10 off.\nHe pays 50 - 10 = $40.")
    assert drafts("percent_as_amount", trace) == {"It is $20 off.\nHe pays 50 - 20 = $30."}


@pytest.mark.parametrize(
    ("problem", "after"),
    [
        ("12 pencils at 50 cents", {"12 * 50 = $600"}),
        ("12 pencils at $0.50", {"12 * 50 = $600"}),
        ("12 pencils, 50% each", set()),
        ("12 pencils, half of them", set()),
    ],
)
def test_cents_are_taken_for_dollars_only_where_there_are_cents(
    problem: str, after: set[str]
) -> None:
    assert drafts("cents_as_dollars", traced(problem, "12 * 0.50 = $6")) == after


@pytest.mark.parametrize(
    ("problem", "rate"),
    [
        ("He buys 6 tickets at $8 each.", True),
        ("He buys 6 tickets for $8 apiece.", True),
        ("He drives 6 hours at 8 miles per hour.", True),
        ("He drives 6 hours at 8 mph.", True),
        ("Each box holds 8 pens and he has 6.", True),
        ("A box holds 8 pens. He has 6.", True),
        ("He fills 6 trays, 8 at a time.", False),
        ("He has 6 rows of 8 pens.", False),
    ],
)
def test_a_rate_is_told_by_the_words_around_it(problem: str, rate: bool) -> None:
    proposed = drafts("rate_as_total", traced(problem, "It makes 6 * 8 = 48 so."))
    assert ("It makes 8 so." in proposed) is rate


def test_a_total_is_taken_for_the_rate_only_where_it_is_divided_out() -> None:
    each = traced("12 tickets for $96", "Each costs 96 / 12 = $8.\nThen 8 * 2 = $16.")
    assert drafts("total_as_rate", each) == {"Each costs $96.\nThen 96 * 2 = $192."}
    halves = traced("2 halves of 96 men", "A half has 96 / 2 = 48 men.\nThen 48 + 2 = 50.")
    assert drafts("total_as_rate", halves) == set()
