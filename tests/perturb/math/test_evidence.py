"""Postconditions: the exact evidence for a pair that bears the claim out, and every refusal."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.perturb.word_problems import BAKERY, BAKERY_TEXT, traced
from tracelift_groups.perturb.math.evidence import POSTCONDITIONS, Evidence, Pair, Unconfirmed
from tracelift_groups.perturb.math.evidence.pair import difference, masked
from tracelift_groups.perturb.template import load_templates

TRAYS, SALE, BAGS = BAKERY_TEXT.split("\n")


class Shown(NamedTuple):
    """Evidence with the words of its span instead of offsets."""

    step: int
    span: str
    before: str
    equation: str | None = None
    expected: str | None = None
    claimed: str | None = None
    quantity: str | None = None
    propagation: str | None = None
    lost: int = 0


def pair(problem: str, before: str, after: str) -> Pair:
    return Pair(traced(problem, before), traced(problem, after))


def shown(condition: str, problem: str, before: str, after: str) -> Shown:
    both = pair(problem, before, after)
    found = POSTCONDITIONS[condition](both)
    assert isinstance(found, Evidence)
    span = both.flawed.steps[found.step][found.start : found.end]
    return Shown(found.step, span, *found[3:])


def refused(condition: str, problem: str, before: str, after: str) -> str:
    with pytest.raises(Unconfirmed) as refusal:
        POSTCONDITIONS[condition](pair(problem, before, after))
    return str(refusal.value)


def test_every_postcondition_that_a_template_names_exists() -> None:
    named = {name for one in load_templates("math") for name in one.postconditions}
    assert named == set(POSTCONDITIONS)


# --- equations_true, answer_changed ---


def test_equations_true_wants_no_false_one() -> None:
    after = f"{TRAYS}\nAfter the sale 84 - 50 = 36 rolls are left.\nThey fill 36 / 2 = 18 bags."
    assert POSTCONDITIONS["equations_true"](pair(BAKERY, BAKERY_TEXT, BAKERY_TEXT)) is None
    assert refused("equations_true", BAKERY, BAKERY_TEXT, after) == "'84 - 50 = 36' does not hold"


def test_answer_changed_wants_another_value_at_the_end() -> None:
    assert POSTCONDITIONS["answer_changed"](pair(BAKERY, BAKERY_TEXT, f"{TRAYS}\n{SALE}")) is None
    same = refused("answer_changed", BAKERY, BAKERY_TEXT, BAGS)
    assert same == "the answer is still the same"
    none = refused("answer_changed", BAKERY, BAKERY_TEXT, "They fill some bags.")
    assert none == "the trace ends on no value"


# --- one_equation_false ---


def test_a_false_equation_that_later_steps_follow() -> None:
    after = """\
The trays hold 6 * 14 = 74 rolls.
After the sale 74 - 50 = 24 rolls are left.
They fill 24 / 2 = 12 bags."""
    assert shown("one_equation_false", BAKERY, BAKERY_TEXT, after) == Shown(
        0, "74", "84", "6 * 14 = 74", "84", "74", propagation="propagated"
    )


def test_a_false_equation_that_later_steps_contradict() -> None:
    after = f"The trays hold 6 * 14 = 74 rolls.\n{SALE}\n{BAGS}"
    assert shown("one_equation_false", BAKERY, BAKERY_TEXT, after) == Shown(
        0, "74", "84", "6 * 14 = 74", "84", "74", propagation="local"
    )


def test_a_false_last_equation_is_propagated() -> None:
    after = f"{TRAYS}\n{SALE}\nThey fill 34 / 2 = 18 bags."
    assert shown("one_equation_false", BAKERY, BAKERY_TEXT, after) == Shown(
        2, "18", "17", "34 / 2 = 18", "17", "18", propagation="propagated"
    )


def test_a_false_percentage_is_expected_as_it_is_written() -> None:
    problem, before = "20 of 50 men", "Red are 20 / 50 = 40% of the men."
    found = shown("one_equation_false", problem, before, "Red are 20 / 50 = 50% of the men.")
    assert (found.span, found.before, found.expected, found.claimed) == ("50%", "40%", "40", "50")


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (f"{TRAYS}\n{SALE}\n{BAGS}", "0 equations are false, not one"),
        (f"The trays hold 6 * 14 = 74 rolls.\n{SALE}\nThey fill 34 / 2 = 18 bags.",
         "2 equations are false, not one"),
        (f"The trays hold 6 * 14 = 74 rolls.\n{SALE}", "equations came or went"),
        (f"The trays hold 6 + 14 = 74 rolls.\n{SALE}\n{BAGS}",
         "the false equation has another left-hand side than the parent's"),
        (f"The trays hold 6 * 15 = 84 rolls.\n{SALE}\n{BAGS}",
         "the false equation has another left-hand side than the parent's"),
        (f"The trays hold 6 * 14 = 74 rolls.\n{SALE}\nThey fill 24 / 2 = 12 bags.",
         "later steps neither follow the wrong value nor all contradict it"),
        (f"The trays hold 6 * 14 = 74 rolls.\nAfter the sale 74 - 50 = 24 rolls are left.\n{BAGS}",
         "later steps neither follow the wrong value nor all contradict it"),
    ],
)  # fmt: skip
def test_one_equation_false_refuses(after: str, message: str) -> None:
    assert refused("one_equation_false", BAKERY, BAKERY_TEXT, after) == message


def test_one_equation_false_refuses_a_false_one_without_a_number_as_result() -> None:
    problem, before = "3 rows of 8", "There are 3 * 8 = (20 + 4)"
    message = refused("one_equation_false", problem, before, "There are 3 * 8 = (20 + 5)")
    assert message == "the false equation states no single number"


# --- one_operator_changed ---


def test_another_operator_that_the_rest_follows() -> None:
    after = """\
The trays hold 6 * 14 = 84 rolls.
After the sale 84 + 50 = 134 rolls are left.
They fill 134 / 2 = 67 bags."""
    assert shown("one_operator_changed", BAKERY, BAKERY_TEXT, after) == Shown(
        1, "84 + 50 = 134", "84 - 50 = 34", "84 + 50 = 134", "84 - 50 = 34", "84 + 50 = 134"
    )


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (f"{TRAYS}\n{SALE}\n{BAGS}", "0 equations have other operators, not one"),
        (f"{TRAYS}\n{SALE}", "equations came or went"),
        (f"{TRAYS}\n84 + 50 = 134.\n134 * 2 = 268.", "2 equations have other operators, not one"),
        (f"{TRAYS}\n84 - 50 - 2 = 32.\n32 / 2 = 16.", "an operation came or went"),
        (f"{TRAYS}\n84 + 40 = 124.\n124 / 2 = 62.", "the operands differ as well"),
        (f"{TRAYS}\n84 + 50 = 134.\n34 / 2 = 17.", "later steps do not follow the changed result"),
    ],
)
def test_one_operator_changed_refuses(after: str, message: str) -> None:
    assert refused("one_operator_changed", BAKERY, BAKERY_TEXT, after) == message


def test_one_operator_changed_refuses_two_changes_in_one_equation() -> None:
    message = refused("one_operator_changed", "2, 3, 4", "2 + 3 + 4 = 9.", "2 * 3 * 4 = 24.")
    assert message == "more than one operator differs"


# --- quantity_unused ---


@pytest.mark.parametrize(
    ("problem", "before", "after", "evidence"),
    [
        (  # one operand takes the equation's place
            BAKERY,
            BAKERY_TEXT,
            f"{TRAYS}\nAfter the sale 84 rolls are left.\nThey fill 84 / 2 = 42 bags.",
            Shown(1, "84", "84 - 50 = 34", None, "84 - 50 = 34", "84", "50"),
        ),
        (  # the whole step is gone
            BAKERY,
            BAKERY_TEXT,
            f"{TRAYS}\nThey fill 84 / 2 = 42 bags.",
            Shown(1, "84", "34", None, "84 - 50 = 34", "84", "50"),
        ),
        (  # a term of a longer sum
            "8 red, 3 blue and 5 green pens at $2",
            "He has 8 + 3 + 5 = 16 pens.\nThey cost 16 * 2 = $32.",
            "He has 8 + 5 = 13 pens.\nThey cost 13 * 2 = $26.",
            Shown(0, "8 + 5 = 13", "8 + 3 + 5 = 16", "8 + 5 = 13", "8 + 3 + 5 = 16", "8 + 5 = 13",
                  "3"),
        ),
        (  # a branch, and the term that it would become
            "3 red packs of 4 pens and 5 blue packs of 6 pens",
            "Red are 3 * 4 = 12 pens.\nBlue are 5 * 6 = 30 pens.\nIn all 12 + 30 = 42 pens.",
            "Blue are 5 * 6 = 30 pens.\nIn all 30 pens.",
            Shown(1, "30", "12 + 30 = 42", None, "12 + 30 = 42", "30", "3"),
        ),
        (  # a branch of a longer sum
            "3 red packs of 4 pens, 5 blue packs of 6 pens, 7 loose ones",
            "Red are 3 * 4 = 12.\nBlue are 5 * 6 = 30.\nIn all 12 + 30 + 7 = 49.",
            "Red are 3 * 4 = 12.\nIn all 12 + 7 = 19.",
            Shown(1, "12 + 7 = 19", "12 + 30 + 7 = 49", "12 + 7 = 19", "12 + 30 + 7 = 49",
                  "12 + 7 = 19", "5"),
        ),
        (  # in the problem's words
            "Tom has 20 pens and loses half a dozen, i.e. 6.",
            "He keeps 20 - 6 = 14 pens.\nTwice that is 14 * 2 = 28.",
            "He keeps 20 pens.\nTwice that is 20 * 2 = 40.",
            Shown(0, "20", "20 - 6 = 14", None, "20 - 6 = 14", "20", "6"),
        ),
    ],
)  # fmt: skip
def test_a_quantity_that_is_never_used(
    problem: str, before: str, after: str, evidence: Shown
) -> None:
    assert shown("quantity_unused", problem, before, after) == evidence


@pytest.mark.parametrize(
    "after",
    [
        # still mentioned, in digits and in words
        f"{TRAYS}\nAfter the sale of 50, 84 rolls are left.\nThey fill 84 / 2 = 42 bags.",
        f"{TRAYS}\nAfter the sale of fifty, 84 rolls are left.\nThey fill 84 / 2 = 42 bags.",
        # the rest does not follow
        f"{TRAYS}\nAfter the sale 84 rolls are left.\nThey fill 82 / 2 = 41 bags.",
        # something else is gone as well
        "They fill 84 / 2 = 42 bags.",
        # another value takes its place
        f"{TRAYS}\nAfter the sale 80 rolls are left.\nThey fill 80 / 2 = 40 bags.",
        # nothing is gone
        BAKERY_TEXT,
    ],
)
def test_quantity_unused_refuses(after: str) -> None:
    message = refused("quantity_unused", BAKERY, BAKERY_TEXT, after)
    assert message == "every quantity that the parent uses is still there"


# --- derivation_missing ---


@pytest.mark.parametrize(
    ("after", "evidence"),
    [
        (f"The trays hold 84 rolls.\n{SALE}\n{BAGS}",
         Shown(0, "84", "6 * 14 = 84", None, "6 * 14 = 84", "84", lost=1)),
        (f"{SALE}\n{BAGS}", Shown(0, "84", "6 * 14 = 84", None, "6 * 14 = 84", "84", lost=1)),
        (f"After the sale 34 rolls are left.\n{BAGS}",
         Shown(0, "34", "84 - 50 = 34", None, "84 - 50 = 34", "34", lost=2)),
        (BAGS, Shown(0, "34", "84 - 50 = 34", None, "84 - 50 = 34", "34", lost=2)),
    ],
)  # fmt: skip
def test_a_derivation_that_is_missing(after: str, evidence: Shown) -> None:
    assert shown("derivation_missing", BAKERY, BAKERY_TEXT, after) == evidence


@pytest.mark.parametrize(
    ("problem", "before", "after", "message"),
    [
        (BAKERY, BAKERY_TEXT, f"{TRAYS}\nThey fill 84 / 2 = 42 bags.",
         "the equations are not the parent's with some left out"),
        (BAKERY, BAKERY_TEXT, BAKERY_TEXT, "no derivation is gone"),
        (BAKERY, BAKERY_TEXT, f"{TRAYS}\n{SALE}", "the trace ends on another value"),
        (BAKERY, BAKERY_TEXT, f"{TRAYS}\n{SALE}\nThey fill 17 bags.",
         "no later step uses the result of a derivation that is gone"),
        # the problem gives the value
        (f"{BAKERY} That is 84 in all.", BAKERY_TEXT, f"{SALE}\n{BAGS}",
         "no later step uses the result of a derivation that is gone"),
        # another step derives it, too
        ("6 * 14, 50, 2, 42", f"{TRAYS}\nOr 42 * 2 = 84.\n{SALE}", f"Or 42 * 2 = 84.\n{SALE}",
         "no later step uses the result of a derivation that is gone"),
        # or derives it afterwards
        ("6 * 14, 50, 2, 42", f"{TRAYS}\n{SALE}\nOr 42 * 2 = 84.", f"{SALE}\nOr 42 * 2 = 84.",
         "no later step uses the result of a derivation that is gone"),
        # it is worked backwards
        (BAKERY, f"{TRAYS}\nCheck: 84 / 14 = 6.\n{SALE}", f"Check: 84 / 14 = 6.\n{SALE}",
         "no later step uses the result of a derivation that is gone"),
    ],
)  # fmt: skip
def test_derivation_missing_refuses(problem: str, before: str, after: str, message: str) -> None:
    assert refused("derivation_missing", problem, before, after) == message


# --- intermediate_presented ---


@pytest.mark.parametrize(
    ("problem", "before", "after", "evidence"),
    [
        (BAKERY, BAKERY_TEXT, f"{TRAYS}\nThey fill 84 bags.",
         Shown(1, "84", "34 / 2 = 17", None, "34 / 2 = 17", "84", lost=2)),
        (BAKERY, BAKERY_TEXT, f"{TRAYS}\n{SALE}",
         Shown(1, "34", "34 / 2 = 17", None, "34 / 2 = 17", "34", lost=1)),
        ("5 packs of 3 and 2 more", "He has 5 * 3 + 2 = 17 pens.", "He has 5 * 3 = 15 pens.",
         Shown(0, "5 * 3 = 15", "5 * 3 + 2 = 17", "5 * 3 = 15", "5 * 3 + 2 = 17", "5 * 3 = 15",
               lost=1)),
    ],
)  # fmt: skip
def test_an_intermediate_value_that_is_presented(
    problem: str, before: str, after: str, evidence: Shown
) -> None:
    assert shown("intermediate_presented", problem, before, after) == evidence


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (BAKERY_TEXT, "They fill some bags.", "the trace ends on no value"),
        (BAKERY_TEXT, f"{TRAYS}\nThey fill 50 bags.",
         "the closing value is no result of the steps before it"),
        (BAKERY_TEXT, f"{SALE}\nThey fill 34 bags.",
         "the equations are not the parent's first ones"),
        ("5 * 3 = 15.\n15 + 2 + 4 = 21.", "5 * 2 = 10.\n10 + 2 = 12.",
         "another equation than the last differs"),
        ("5 * 3 = 15.\n15 + 2 = 17.", "5 * 3 = 15.\n15 - 2 = 13.",
         "the last expression is no part of the parent's"),
        ("5 * 3 + 2 = 17.", "5 + 2 = 7.", "the last expression is no part of the parent's"),
    ],
)  # fmt: skip
def test_intermediate_presented_refuses(before: str, after: str, message: str) -> None:
    problem = f"{BAKERY} 5, 3, 2 and 4"
    assert refused("intermediate_presented", problem, before, after) == message


# --- unit_confused ---

RUN = "Max runs for 3 hours and Lena 20 minutes more."
RUN_TEXT = "Max runs 3 * 60 = 180 minutes.\nLena runs 180 + 20 = 200 minutes."
COAT = "A $50 coat is 20% off."
COAT_TEXT = "The discount is 50 * 20% = $10.\nThe coat costs 50 - 10 = $40."


@pytest.mark.parametrize(
    ("problem", "before", "after", "evidence"),
    [
        (RUN, RUN_TEXT, "Max runs 3 * 100 = 300 minutes.\nLena runs 300 + 20 = 320 minutes.",
         Shown(0, "3 * 100 = 300", "3 * 60 = 180", "3 * 100 = 300", "3 * 60 = 180",
               "3 * 100 = 300", "60")),
        (RUN, RUN_TEXT, "Max runs 3 / 60 = 0.05 minutes.\nLena runs 0.05 + 20 = 20.05 minutes.",
         Shown(0, "3 / 60 = 0.05", "3 * 60 = 180", "3 / 60 = 0.05", "3 * 60 = 180",
               "3 / 60 = 0.05", "60")),
        (RUN, RUN_TEXT, "Max runs 3 minutes.\nLena runs 3 + 20 = 23 minutes.",
         Shown(0, "3", "3 * 60 = 180", None, "3 * 60 = 180", "3", "60")),
        (COAT, COAT_TEXT, "The discount is 50 * 2 = $100.\nThe coat costs 150 - 100 = $50.", None),
        (COAT, COAT_TEXT, "The discount is 50 * 0.02 = $1.\nThe coat costs 50 - 1 = $49.",
         Shown(0, "50 * 0.02 = $1", "50 * 20% = $10", "50 * 0.02 = $1", "50 * 20% = $10",
               "50 * 0.02 = $1", "20%")),
        (COAT, COAT_TEXT, "The discount is $20.\nThe coat costs 50 - 20 = $30.",
         Shown(0, "$20", "50 * 20% = $10", None, "50 * 20% = $10", "20", "20%")),
        ("12 pencils at 50 cents", "He pays 12 * 0.50 = $6.", "He pays 12 * 50 = $600.",
         Shown(0, "12 * 50 = $600", "12 * 0.50 = $6", "12 * 50 = $600", "12 * 0.50 = $6",
               "12 * 50 = $600", "0.5")),
        ("6 tickets at $8 each", "He pays 6 * 8 = $48.\nTwice that is 48 * 2 = $96.",
         "He pays $8.\nTwice that is 8 * 2 = $16.",
         Shown(0, "$8", "6 * 8 = $48", None, "6 * 8 = $48", "8", "$8")),
        ("12 tickets for $96", "Each costs 96 / 12 = $8.\nThen 8 * 2 = $16.",
         "Each costs $96.\nThen 96 * 2 = $192.",
         Shown(0, "$96", "96 / 12 = $8", None, "96 / 12 = $8", "96", "12")),
    ],
)  # fmt: skip
def test_a_unit_that_is_confused(
    problem: str, before: str, after: str, evidence: Shown | None
) -> None:
    if evidence is None:
        assert "differs" in refused("unit_confused", problem, before, after)
    else:
        assert shown("unit_confused", problem, before, after) == evidence


@pytest.mark.parametrize(
    ("problem", "before", "after", "message"),
    [
        # nobody takes 60 for 61; the rest does not follow; nothing differs
        (RUN, RUN_TEXT, "Max runs 3 * 61 = 183 minutes.\nLena runs 183 + 20 = 203 minutes.",
         "no conversion, percentage or rate differs"),
        (RUN, RUN_TEXT, "Max runs 3 * 100 = 300 minutes.\nLena runs 180 + 20 = 200 minutes.",
         "no conversion, percentage or rate differs"),
        (RUN, RUN_TEXT, RUN_TEXT, "no conversion, percentage or rate differs"),
        # two operands differ; another operation
        (RUN, RUN_TEXT, "Max runs 4 * 100 = 400 minutes.\nLena runs 400 + 20 = 420 minutes.",
         "no conversion, percentage or rate differs"),
        (RUN, RUN_TEXT, "Max runs 3 + 60 = 63 minutes.\nLena runs 63 + 20 = 83 minutes.",
         "no conversion, percentage or rate differs"),
        # a term is skipped, not a conversion
        (RUN, RUN_TEXT, "Max runs 3 * 60 = 180 minutes.\nLena runs 180 minutes.",
         "no conversion, percentage or rate was skipped"),
        (RUN, RUN_TEXT, "Max runs 60 minutes.\nLena runs 60 + 20 = 80 minutes.",
         "no conversion, percentage or rate was skipped"),
        (RUN, RUN_TEXT, "Max runs 3 minutes.", "more than one equation came or went"),
        # no rate: 6 rows of 8
        ("6 rows of 8", "There are 6 * 8 = 48.\nTwice 48 * 2 = 96.",
         "There are 8.\nTwice 8 * 2 = 16.",
         "no conversion, percentage or rate was skipped"),
    ],
)  # fmt: skip
def test_unit_confused_refuses(problem: str, before: str, after: str, message: str) -> None:
    assert refused("unit_confused", problem, before, after) == message


# --- what the postconditions compare with ---


def test_a_masked_step_hides_numbers_and_spaces() -> None:
    assert masked("He has  $3.50 and 20% of 1,000.") == masked("He has 7 and 5 of 2.")
    assert masked("He has 3.") == "He has #."


@pytest.mark.parametrize(
    ("parent", "flawed", "mine", "other"),
    [
        ("He has 84 - 50 = 34 left.", "He has 84 left.", "- 50 = 34", ""),
        ("He has 3 left.", "He has 4 left.", "3", "4"),
        ("a b c", "a c", "b", ""),
        ("a", "b", "a", "b"),
        ("a b", "a b", "", ""),
    ],
)
def test_the_region_in_which_two_steps_differ(
    parent: str, flawed: str, mine: str, other: str
) -> None:
    region = difference(parent, flawed)
    assert parent[slice(*region.parent)] == mine
    assert flawed[slice(*region.flawed)] == other
