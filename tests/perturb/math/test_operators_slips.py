"""Slips: which wrong values, and whether later steps follow them."""

from __future__ import annotations

import pytest

from tests.perturb.word_problems import bakery, drafts, traced


def results(operator: str, problem: str, text: str) -> set[str]:
    """What the operator makes of a trace of one step."""
    return {
        draft.rstrip(".").rpartition("= ")[2] for draft in drafts(operator, traced(problem, text))
    }


@pytest.mark.parametrize(
    ("operator", "text", "values"),
    [
        ("digit_slip", "6 * 14 = 84.", {"82", "83", "85", "86", "64", "74", "94"}),
        ("digit_slip", "5 * 0.5 = 2.5.", {"2.3", "2.4", "2.6", "2.7", "1.5", "3.5", "4.5"}),
        ("digit_slip", "2 + 1 = 3.", {"1", "2", "4", "5"}),
        ("carry_slip", "38 + 27 = 65.", {"55"}),
        ("carry_slip", "52 - 27 = 25.", {"35"}),
        ("carry_slip", "14 * 6 = 84.", {"74"}),
        ("carry_slip", "380 + 270 = 650.", {"550"}),
        ("carry_slip", "388 + 277 = 665.", {"655", "565"}),
        ("carry_slip", "3.5 + 2.7 = 6.2.", set()),
        ("carry_slip", "84 / 6 = 14.", set()),
        ("table_slip", "7 * 8 = 56.", {"49", "63"}),
        ("table_slip", "72 / 8 = 9.", {"8", "10"}),
        ("table_slip", "930 / 10 = 93.", set()),
        ("table_slip", "7 * 0.5 = 3.5.", set()),
        ("transposition", "9 * 5 = 45.", {"54"}),
        ("transposition", "41 * 3 = 123.", {"213", "132"}),
        ("transposition", "5 * 0.5 = 2.5.", {"5.2"}),
        ("off_by_ten", "20 * 30 = 600.", {"60", "6000"}),
        ("off_by_ten", "0.5 * 8 = 4.", {"40"}),
        ("off_by_ten", "600 / 30 = 20.", {"2", "200"}),
        ("skipped_term", "3 + 4 + 5 = 12.", {"8", "7"}),
        ("skipped_term", "3 + 4 * 2 + 5 = 16.", {"8", "11"}),
        ("skipped_term", "9 - 4 + 5 = 10.", set()),
    ],
)
def test_the_values_that_a_slip_can_give(operator: str, text: str, values: set[str]) -> None:
    assert results(operator, "no numbers here", text) == values


def test_a_slip_is_carried_on_or_stays_where_it_happened() -> None:
    texts = drafts("carry_slip", bakery())
    assert texts == {
        "The trays hold 6 * 14 = 74 rolls.\n"
        "After the sale 74 - 50 = 24 rolls are left.\n"
        "They fill 24 / 2 = 12 bags.",
        "The trays hold 6 * 14 = 74 rolls.\n"
        "After the sale 84 - 50 = 34 rolls are left.\n"
        "They fill 34 / 2 = 17 bags.",
    }


def test_a_local_slip_takes_the_mentions_of_its_own_line_along() -> None:
    trace = traced("5 bags of 16, 3", "He has 80 pens since 5 * 16 = 80.\nThen 80 - 3 = 77.")
    assert "He has 70 pens since 5 * 16 = 70.\nThen 80 - 3 = 77." in drafts("carry_slip", trace)


def test_what_nothing_builds_on_cannot_be_contradicted() -> None:
    trace = traced("38 and 27", "He has 38 + 27 = 65 pens.\nSo there are 65 of them.")
    assert drafts("carry_slip", trace) == {"He has 38 + 27 = 55 pens.\nSo there are 55 of them."}


def test_a_step_that_is_checked_is_not_contradicted() -> None:
    trace = traced("38 and 27, 2", "38 + 27 = 65.\nCheck: 65 - 27 = 38.\n65 * 2 = 130.")
    assert drafts("carry_slip", trace) == {"38 + 27 = 65.\nCheck: 65 - 27 = 38.\n65 * 2 = 120."}
