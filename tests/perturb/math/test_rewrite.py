"""Edits: applied, carried through the trace, and sentences left behind when working goes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.perturb.word_problems import bakery, traced
from tracelift_groups.perturb.math.rewrite import (
    Replacement,
    apply,
    as_written,
    assert_value,
    if_changed,
    plausible,
    propagate,
    reworked,
)
from tracelift_groups.perturb.math.trace import MathTrace

F = Fraction


def carried(trace: MathTrace, node: int, value: int | Fraction) -> tuple[str, ...] | None:
    edits = propagate(trace, trace.nodes[node], F(value))
    return None if edits is None else apply(trace, edits)


def asserted(trace: MathTrace, node: int, value: int | Fraction) -> str | None:
    edits = assert_value(trace, trace.nodes[node], F(value))
    return None if edits is None else apply(trace, edits)[trace.nodes[node].step]


def test_replacements_are_made_and_steps_dropped() -> None:
    trace = traced("1", "One two.\nThree four.\nFive.")
    edits = [
        Replacement(0, 4, 7, "2"),
        Replacement(0, 0, 3, "1"),
        Replacement(1, 5, 5, ","),
    ]
    assert apply(trace, edits) == ("1 2.", "Three, four.", "Five.")
    assert apply(trace, edits, drop=[1]) == ("1 2.", "Five.")


def test_a_step_whose_front_is_cut_gets_a_capital() -> None:
    trace = traced("1", "First, he runs.\nOk.")
    assert apply(trace, [Replacement(0, 0, 7, "")])[0] == "He runs."


def test_the_same_replacement_twice_counts_once() -> None:
    trace = traced("1", "One two.\nOk.")
    edit = Replacement(0, 0, 3, "1")
    assert apply(trace, [edit, edit])[0] == "1 two."


def test_overlapping_replacements_are_refused() -> None:
    trace = traced("1", "One two.\nOk.")
    with pytest.raises(ValueError, match="overlap"):
        apply(trace, [Replacement(0, 0, 5, "a"), Replacement(0, 4, 7, "b")])


def test_if_changed_gives_none_for_the_traces_own_steps() -> None:
    trace = bakery()
    assert if_changed(trace, trace.steps) is None
    assert if_changed(trace, ("a",)) == ("a",)


def test_reworked_is_what_the_edited_text_says() -> None:
    trace = traced("2, 3, 4", "So 2 + 3 * 4 = 14.")
    (node,) = trace.nodes
    step = trace.steps[0]
    plus, times = step.index("+"), step.index("*")
    assert reworked(step, node.equation, []) == 14
    assert reworked(step, node.equation, [Replacement(0, plus, plus + 1, "*")]) == 24
    assert reworked(step, node.equation, [Replacement(0, times, times + 1, "-")]) == 1
    assert reworked(step, node.equation, [Replacement(0, times + 2, times + 3, "10")]) == 32
    assert reworked(step, node.equation, [Replacement(0, plus + 2, times + 3, "7")]) == 9
    assert reworked(step, node.equation, [Replacement(0, times, times + 3, "/ 0")]) is None
    assert reworked(step, node.equation, [Replacement(0, times, times + 1, "y")]) is None


def test_a_percentage_is_written_a_hundred_times_its_value() -> None:
    trace = traced("20, 50", "20 / 50 = 40%.\n20 / 50 = 0.4.")
    (one, two) = (node.equation for node in trace.nodes)
    assert one.result is not None
    assert two.result is not None
    assert as_written(F(1, 2), one.result, one) == 50
    assert as_written(F(1, 2), two.result, two) == F(1, 2)


@pytest.mark.parametrize(
    ("value", "like", "step", "fits"),
    [
        (F(12), F(10), "5 * 2 = 10", True),
        (F(10), F(10), "5 * 2 = 10", False),
        (F(0), F(10), "5 * 2 = 10", False),
        (F(-3), F(10), "5 * 2 = 10", False),
        (F(25, 2), F(10), "5 * 2 = 10", False),
        (F(25, 2), F(10), "5 * 2 = $10", True),
        (F(1001, 1000), F(10), "5 * 2 = $10", False),
        (F(10_000_001), F(10), "5 * 2 = 10", False),
        (F(1, 3), F(1, 2), "1 / 2 = 0.5", False),
        (F(1, 4), F(1, 2), "1 / 2 = 0.5", True),
        (F(1, 8), F(1, 2), "1 / 2 = 0.5", False),
        (F(1, 8), F(1, 2), "1 / 2 = 0.500", True),
        (F(12), F(1, 2), "1 / 2 = 0.5", True),
    ],
)
def test_plausible_is_what_a_solver_would_write_unsuspicious(
    value: Fraction, like: Fraction, step: str, fits: bool
) -> None:
    result = traced("1", step).nodes[0].equation.result
    assert result is not None
    assert plausible(value, like, result) is fits


def test_a_changed_result_is_carried_to_the_end() -> None:
    assert carried(bakery(), 0, 74) == (
        "The trays hold 6 * 14 = 74 rolls.",
        "After the sale 74 - 50 = 24 rolls are left.",
        "They fill 24 / 2 = 12 bags.",
    )
    assert carried(bakery(), 1, 36)[1:] == (  # type: ignore[index]
        "After the sale 84 - 50 = 36 rolls are left.",
        "They fill 36 / 2 = 18 bags.",
    )


def test_mentions_in_prose_follow_in_their_own_style() -> None:
    trace = traced(
        "1,100 and 100, 2",
        "He has 1,100 + 100 = 1,200 coins.\nWith 1200 coins he buys 1200 / 2 = $600.00 of gold.",
    )
    assert carried(trace, 0, 1400) == (
        "He has 1,100 + 100 = 1,400 coins.",
        "With 1400 coins he buys 1400 / 2 = $700.00 of gold.",
    )


def test_a_result_before_its_working_follows_too() -> None:
    trace = traced("5 rows of 6, 2", "They get $30 because 5 * 6 = 30.\nHalf is 30 / 2 = 15.")
    assert carried(trace, 0, 32) == (
        "They get $32 because 5 * 6 = 32.",
        "Half is 32 / 2 = 16.",
    )


@pytest.mark.parametrize(
    ("problem", "text", "value"),
    [
        # half a bag; nothing left; fewer than nothing
        ("6, 14, 50, 2", "6 * 14 = 84.\n84 / 2 = 42.", 85),
        ("6, 14, 50, 2", "6 * 14 = 84.\n84 - 50 = 34.", 50),
        ("6, 14, 50, 2", "6 * 14 = 84.\n84 - 50 = 34.", 40),
        # a mention that may or may not be the result
        ("8 pens, 5 bags, 3 boxes", "5 + 3 = 8.\n8 * 2 = 16.", 9),
        # "the twelve girls"
        ("3 rows of 4, 2", "3 * 4 = 12 girls.\nThe twelve girls have 12 * 2 = 24 hands.", 14),
        # a later step with unknowns
        ("3 rows of 4, 2", "3 * 4 = 12 girls.\ny = 12 * 2 = 24.", 14),
        # the solver's own check would tell
        ("3 rows of 5, 2", "3 * 5 = 15.\nCheck: 15 / 5 = 3.", 20),
        # a chain with a value in between
        ("15 rows, 3 of 4", "3 * 4 = 12.\n15 * 12 = 150 + 30 = 180.", 14),
        # no single number as the last side
        ("3 rows of 4, 2", "3 * 4 = 12.\n12 * 2 = 20 + 4", 14),
    ],
)
def test_what_cannot_be_carried_with_certainty_is_not(problem: str, text: str, value: int) -> None:
    assert carried(traced(problem, text), 0, value) is None


def test_values_that_a_solver_would_stumble_over_pass_where_not_strict() -> None:
    trace = traced("6, 14, 50, 2", "6 * 14 = 84.\n84 / 2 = 42.")
    edits = propagate(trace, trace.nodes[0], F(85), strict=False)
    assert edits is not None
    assert apply(trace, edits) == ("6 * 14 = 85.", "85 / 2 = 42.5.")


def test_a_price_that_does_not_come_out_even_is_rounded_to_cents() -> None:
    trace = traced("$6, $3, 3 men", "6 + 3 = $9.\n9 / 3 = $3 each.")
    assert carried(trace, 0, 10) == ("6 + 3 = $10.", "10 / 3 = $3.33 each.")


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("He bikes 20 * 2 = 40 miles.", "He bikes 40 miles."),
        ("He bikes 40 miles because 20 * 2 = 40.", "He bikes 40 miles."),
        ("He bikes 40 miles, since 20 * 2 = 40 miles.", "He bikes 40 miles."),
        ("20 * 2 = 40, so he bikes 40 miles.", "He bikes 40 miles."),
        ("He goes twice, so 20 * 2 = 40 miles.", "He goes twice, so that is 40 miles."),
        ("Therefore, 20 * 2 = 40 miles.", "Therefore, that is 40 miles."),
        ("It is 20 * 2 = 40.", "It is 40."),
    ],
)
def test_a_sentence_without_its_working(step: str, text: str) -> None:
    trace = traced("20 miles an hour, 2 hours", f"{step}\nThen 40 + 2 = 42.")
    assert asserted(trace, 0, 40) == text


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("He bikes 20 * 2 = 40 miles.", "He bikes 30 miles."),
        ("He bikes 40 miles because 20 * 2 = 40.", "He bikes 30 miles."),
        ("20 * 2 = 40, so he bikes 40 miles.", "He bikes 30 miles."),
    ],
)
def test_another_value_stands_where_the_result_stood(step: str, text: str) -> None:
    trace = traced("20 miles an hour, 2 hours", f"{step}\nThen 40 + 2 = 42.")
    assert asserted(trace, 0, 30) == text


@pytest.mark.parametrize(
    "step",
    [
        "We get it by multiplying 20 * 2 = 40 miles.",
        "He bikes a lot because 20 * 2 = 40.",
        "He bikes 40 miles: 20 * 2 = 40.",
        "He bikes 20 * 2 = 40 miles and 20 * 3 = 60 more.",
        "y = 20 * 2 = 40 miles",
        "He bikes 20 * 2 = 30 + 10",
    ],
)
def test_no_sentence_is_left_without_its_working(step: str) -> None:
    trace = traced("20 miles an hour, 2 hours, 3", step)
    assert asserted(trace, 0, 40) is None


def test_one_is_not_asserted() -> None:
    trace = traced("20 miles an hour, 2 hours", "He bikes 20 * 2 = 40 miles.")
    assert asserted(trace, 0, 1) is None
    assert asserted(trace, 0, 2) == "He bikes 2 miles."


def test_the_style_of_another_number_is_taken_but_money_stays_money() -> None:
    trace = traced("1,200 coins, $2", "He has 1,200 * 2 = 2400 coins.\nHe pays 1,200 * 2 = $2400.")
    like = next(m.number for m in trace.mentions if m.number.style.thousands)
    for node, text in ((0, "He has 1,200 coins."), (1, "He pays $1200.")):
        edits = assert_value(trace, trace.nodes[node], F(1200), like)
        assert edits is not None
        assert apply(trace, edits)[node] == text
