"""The gate against texts that no operator of ours makes: wrong certificates must not pass."""

from __future__ import annotations

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.groups import make_group
from tracelift_groups.perturb.math.checks import certify, check_sound
from tracelift_groups.perturb.math.equation import read_equations
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.numbers import read_numbers
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.perturb.template import load_template, load_templates
from tracelift_groups.records import Seed
from tracelift_groups.reference.math import clean, read_answer

BAKERY = Problem("A baker fills 6 trays with 14 rolls each and sells 50 rolls. How many are left?")
SOUND = "The trays hold 6 * 14 = 84 rolls.\nHe sells 50 rolls.\nThen 84 - 50 = 34 rolls are left."
TEMPLATES = {template.id: template for template in load_templates("math")}


def parsed(text: str, problem: Problem = BAKERY) -> MathTrace:
    return parse_trace(text, problem, separator="\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("So 2 + 3 * 4 = 14.", "So 2 + 3 = 5."),
        ("So 5 * 3 + 2 = 17.", "So 5 + 3 = 8."),
        ("So 20 - 5 + 3 = 18.", "So 5 + 3 = 8."),
    ],
)
def test_a_value_that_is_not_on_the_way_is_no_premature_answer(before: str, after: str) -> None:
    problem = Problem("He has 2, 3, 4, 5 and 20. How many?")
    with pytest.raises(Unconfirmed, match="no part of the parent"):
        certify(TEMPLATES["premature_answer"], parsed(before, problem), parsed(after, problem), "x")


def test_a_value_on_the_way_is() -> None:
    problem = Problem("He has 2, 3 and 4. How many?")
    pair = parsed("So 2 + 3 * 4 = 14.", problem), parsed("So 3 * 4 = 12.", problem)
    assert certify(TEMPLATES["premature_answer"], *pair, "x").answer_after == "12"


def test_a_number_in_the_prose_that_changed_on_its_own_is_refused() -> None:
    flawed = SOUND.replace("84 - 50 = 34", "84 + 50 = 134")
    assert certify(TEMPLATES["wrong_operation"], parsed(SOUND), parsed(flawed), "x")
    with pytest.raises(Unconfirmed, match="the prose has 70"):
        odd = flawed.replace("He sells 50", "He sells 70")
        certify(TEMPLATES["wrong_operation"], parsed(SOUND), parsed(odd), "x")


def test_a_result_said_in_front_must_be_the_one_worked_out() -> None:
    parent = "There are 84 rolls because 6 * 14 = 84.\nThen 84 - 50 = 34 are left."
    flawed = "There are 84 rolls because 6 * 14 = 74.\nThen 74 - 50 = 24 are left."
    with pytest.raises(Unconfirmed, match="the prose has 84"):
        certify(TEMPLATES["arithmetic_error"], parsed(parent), parsed(flawed), "x")


@pytest.mark.parametrize("line", ["84 + 50 = -3.", "6 * 14 = a total of 74.", "84 / 50 ≈ 3.9."])
def test_an_equation_that_cannot_be_read_does_not_pass_as_sound(line: str) -> None:
    with pytest.raises(Unconfirmed):
        check_sound(parsed(SOUND), parsed(f"{line}\n{SOUND}"))


def test_a_number_from_nowhere_in_the_prose_of_a_twin_is_refused() -> None:
    with pytest.raises(Unconfirmed, match="999"):
        check_sound(parsed(SOUND), parsed(SOUND.replace("sells 50 rolls", "sells 999 rolls")))


def test_a_quantity_in_hyphenated_words_is_still_there() -> None:
    problem = Problem("He has 84 rolls and sells twenty-five. How many are left?")
    before = parsed("After the sale 84 - 25 = 59 rolls are left.", problem)
    after = parsed("After the sale of twenty-five rolls 84 rolls are left.", problem)
    with pytest.raises(Unconfirmed):
        certify(TEMPLATES["missing_condition"], before, after, "x")


def test_a_false_equation_is_read_to_its_end() -> None:
    (equation,) = read_equations("So 6 * 14 = 70 + 4 here")
    assert not equation.holds
    assert equation.result is None


def test_a_percentage_that_is_used_as_a_decimal_is_not_changed_alone() -> None:
    problem = Problem("She expects 220 people; 5% do not show. How many come?")
    trace = parsed("She expects 100 - 5 = 95% to show up.\nSo 220 * 0.95 = 209 come.", problem)
    assert trace.uncertain(trace.nodes[0])


def test_the_answer_is_not_read_off_the_numbers_named_in_front() -> None:
    problem = Problem("She works 40 hours at $15. What does she earn?")
    trace = parsed(
        "It takes 40 * 6 = 240 hours.\nPutting $15 and 240 together, she earns $15.", problem
    )
    assert trace.answer == 15


def test_very_long_numbers_do_not_end_a_build() -> None:
    assert read_numbers("1" * 5000) == ()
    seed = Seed(source="x", domain="math", problem="1" * 5000, answer="3", reasoning="1 + 2 = 3")
    make_group(seed, 0)


def test_numbers_with_two_points_are_no_two_numbers() -> None:
    assert [number.value for number in read_numbers("version 1.2.3")] == [read_answer("1.2")]


def test_negative_answers_with_a_currency_sign() -> None:
    assert read_answer("$-4") == read_answer("-$4") == -4


def test_only_a_closing_sentence_is_taken_for_the_answer() -> None:
    assert clean("He guesses the answer is 5, but 3 + 4 = 7.") == (
        "He guesses the answer is 5, but 3 + 4 = 7."
    )
    assert clean("There are 3 + 4 = 7. The answer is 7.") == "There are 3 + 4 = 7."


@pytest.mark.parametrize("field", ["operators", "postconditions"])
def test_a_name_that_the_engine_does_not_know_is_an_error_at_load(
    tmp_path: object, field: str
) -> None:
    from pathlib import Path

    from tracelift_groups.assets import asset

    text = asset("perturbations", "math", "wrong_operation.yaml").read_text(encoding="utf-8")
    old = "add_or_subtract" if field == "operators" else "one_operator_changed"
    path = Path(str(tmp_path)) / "wrong_operation.yaml"
    path.write_text(text.replace(old, "nonsense"), encoding="utf-8")
    with pytest.raises(UserError, match=f"{field}: unknown name 'nonsense'"):
        load_template(path)
