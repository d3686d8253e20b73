"""Hand-written traces for every operator: one that it flaws, and one where it yields nothing."""

from __future__ import annotations

from typing import NamedTuple

from tests.perturb.word_problems import BAKERY, BAKERY_TEXT


class Case(NamedTuple):
    """A trace, and a text that the operator proposes for it."""

    problem: str
    before: str
    after: str


class Idle(NamedTuple):
    """A trace that gives the operator nothing to do."""

    problem: str
    text: str


BAKERY_AT_74 = """\
The trays hold 6 * 14 = 74 rolls.
After the sale 74 - 50 = 24 rolls are left.
They fill 24 / 2 = 12 bags."""
FLAWS: dict[str, Case] = {
    # slips
    "digit_slip": Case(BAKERY, BAKERY_TEXT, BAKERY_AT_74),
    "carry_slip": Case(BAKERY, BAKERY_TEXT, BAKERY_AT_74),
    "table_slip": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
The trays hold 6 * 14 = 78 rolls.
After the sale 78 - 50 = 28 rolls are left.
They fill 28 / 2 = 14 bags.""",
    ),
    "transposition": Case(
        "34 pens and 18 more, half of them red",
        "He has 34 + 18 = 52 pens.\nRed are 52 / 2 = 26 pens.",
        "He has 34 + 18 = 52 pens.\nRed are 52 / 2 = 62 pens.",
    ),
    "off_by_ten": Case(
        "40 boxes of 30 nails, and 50 nails",
        "The boxes hold 40 * 30 = 1,200 nails.\nAll in all 1,200 + 50 = 1,250 nails.",
        "The boxes hold 40 * 30 = 12,000 nails.\nAll in all 12,000 + 50 = 12,050 nails.",
    ),
    "skipped_term": Case(
        "3 red, 4 blue and 5 green pens for 2 men",
        "He has 3 + 4 + 5 = 12 pens.\nEach man gets 12 / 2 = 6 pens.",
        "He has 3 + 4 + 5 = 8 pens.\nEach man gets 8 / 2 = 4 pens.",
    ),
    # operations
    "add_or_subtract": Case(
        "Ana has 12 stamps and buys 9 more. She gives a third away.",
        "Ana has 12 + 9 = 21 stamps.\nShe gives 21 / 3 = 7 stamps away.",
        "Ana has 12 - 9 = 3 stamps.\nShe gives 3 / 3 = 1 stamps away.",
    ),
    "multiply_or_divide": Case(
        "12 men in 3 rows and 5 more",
        "There are 12 times 3 = 36 men.\nWith the others 36 + 5 = 41.",
        "There are 12 divided by 3 = 4 men.\nWith the others 4 + 5 = 9.",
    ),
    "add_for_multiply": Case(
        "6 trays with 14 rolls each",
        "The trays hold 6 × 14 = 84 rolls.",
        "The trays hold 6 + 14 = 20 rolls.",
    ),
    "subtract_for_divide": Case(
        "36 pens for 3 men, one gets 4 more",
        "Each gets 36 ÷ 3 = 12 pens.\nOne gets 12 + 4 = 16 pens.",
        "Each gets 36 - 3 = 33 pens.\nOne gets 33 + 4 = 37 pens.",
    ),
    # conditions
    "drop_term": Case(
        "8 red, 3 blue and 5 green pens at $2",
        "He has 8 + 3 + 5 = 16 pens.\nThey cost 16 * 2 = $32.",
        "He has 8 + 5 = 13 pens.\nThey cost 13 * 2 = $26.",
    ),
    "use_unadjusted": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
The trays hold 6 * 14 = 84 rolls.
After the sale 84 rolls are left.
They fill 84 / 2 = 42 bags.""",
    ),
    "drop_step": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
The trays hold 6 * 14 = 84 rolls.
They fill 84 / 2 = 42 bags.""",
    ),
    "drop_branch": Case(
        "3 red packs of 4 pens and 5 blue packs of 6 pens",
        """\
The red packs hold 3 * 4 = 12 pens.
The blue packs hold 5 * 6 = 30 pens.
In all there are 12 + 30 = 42 pens.""",
        """\
The blue packs hold 5 * 6 = 30 pens.
In all there are 30 pens.""",
    ),
    # units
    "wrong_factor": Case(
        "Lena runs for 1.5 hours and Max for 70 minutes.",
        "Lena runs 1.5 * 60 = 90 minutes.\nTogether they run 90 + 70 = 160 minutes.",
        "Lena runs 1.5 * 100 = 150 minutes.\nTogether they run 150 + 70 = 220 minutes.",
    ),
    "wrong_direction": Case(
        "A film runs 180 minutes, and Max sees it 2 times. How many hours?",
        "The film runs 180 / 60 = 3 hours.\nTwice that is 3 * 2 = 6 hours.",
        "The film runs 180 * 60 = 10800 hours.\nTwice that is 10800 * 2 = 21600 hours.",
    ),
    "skipped_conversion": Case(
        "Max runs for 3 hours and Lena 20 minutes more.",
        "Max runs 3 * 60 = 180 minutes.\nLena runs 180 + 20 = 200 minutes.",
        "Max runs 3 minutes.\nLena runs 3 + 20 = 23 minutes.",
    ),
    "percent_scale": Case(
        "A $50 coat is 20% off.",
        "The discount is 50 * 20% = $10.\nThe coat costs 50 - 10 = $40.",
        "The discount is 50 * 0.02 = $1.\nThe coat costs 50 - 1 = $49.",
    ),
    "percent_as_amount": Case(
        "A $50 coat is 20% off.",
        "The discount is 50 * .2 = $10.\nThe coat costs 50 - 10 = $40.",
        "The discount is $20.\nThe coat costs 50 - 20 = $30.",
    ),
    "cents_as_dollars": Case(
        "12 pencils cost 50 cents apiece, and a ruler $2.",
        "The pencils cost 12 * 0.50 = $6.\nAll cost 6 + 2 = $8.",
        "The pencils cost 12 * 50 = $600.\nAll cost 600 + 2 = $602.",
    ),
    "rate_as_total": Case(
        "6 tickets at $8 each and a drink for $3",
        "The tickets cost 6 * 8 = $48.\nHe pays 48 + 3 = $51.",
        "The tickets cost $8.\nHe pays 8 + 3 = $11.",
    ),
    "total_as_rate": Case(
        "12 tickets cost $96. What do 5 tickets cost?",
        "Each ticket costs 96 / 12 = $8.\nThey cost 5 * 8 = $40.",
        "Each ticket costs $96.\nThey cost 5 * 96 = $480.",
    ),
    # leaps
    "assert_result": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
The trays hold 6 * 14 = 84 rolls.
After the sale 34 rolls are left.
They fill 34 / 2 = 17 bags.""",
    ),
    "vague_working": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
Working from 6 and 14, the trays hold 84 rolls.
After the sale 84 - 50 = 34 rolls are left.
They fill 34 / 2 = 17 bags.""",
    ),
    "drop_derivation": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
After the sale 84 - 50 = 34 rolls are left.
They fill 34 / 2 = 17 bags.""",
    ),
    "jump_ahead": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
After the sale 34 rolls are left.
They fill 34 / 2 = 17 bags.""",
    ),
    "conclude_early": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
The trays hold 6 * 14 = 84 rolls.
They fill 84 bags.""",
    ),
    "stop_early": Case(
        BAKERY,
        BAKERY_TEXT,
        """\
The trays hold 6 * 14 = 84 rolls.
After the sale 84 - 50 = 34 rolls are left.""",
    ),
    "cut_expression": Case(
        "5 packs of 3 pens and 2 more",
        "He has (5 * 3) + 2 = 17 pens.",
        "He has 5 * 3 = 15 pens.",
    ),
}

ONE_STEP = Idle("6 trays with 14 rolls", "The trays hold 6 * 14 = 84 rolls.")
NO_UNIT = Idle(BAKERY, BAKERY_TEXT)
IDLE: dict[str, Idle] = {
    # a chain whose parts nobody could recompute
    "digit_slip": Idle("3 rows of 4", "There are 3 * 4 = 20 - 8 men."),
    "carry_slip": Idle("12 and 13, 88 and 44", "12 + 13 = 25.\n88 - 44 = 44.\n88 / 44 = 2."),
    "table_slip": Idle("13 and 15", "13 * 15 = 195.\n13 + 15 = 28."),
    "transposition": Idle("2 and 5, 3 and 2", "2 * 5 = 10.\n3 * 2 = 6."),
    "off_by_ten": Idle("6 and 14", "6 * 14 = 84.\n14 + 6 = 20."),
    "skipped_term": Idle("6 and 14, 3", "6 + 14 = 20.\n6 * 14 * 3 = 252."),
    "add_or_subtract": ONE_STEP,
    "multiply_or_divide": Idle("7 and 3", "7 * 3 = 21.\n7 + 3 = 10."),
    "add_for_multiply": Idle("2 and 2", "2 * 2 = 4."),
    "subtract_for_divide": ONE_STEP,
    # without the 5 there is no sum left; the 8 and the 3 are needed once more
    "drop_term": Idle("8, 3 and 5", "8 + 5 = 13.\n8 + 3 + 13 = 24.\n8 * 3 = 24."),
    "use_unadjusted": Idle("3 * 4, 5 * 6", "3 * 4 = 12.\n5 * 6 = 30.\n12 + 30 = 20 + 22."),
    "drop_step": ONE_STEP,
    "drop_branch": Idle(BAKERY, BAKERY_TEXT),
    "wrong_factor": NO_UNIT,
    "wrong_direction": Idle("34 pens for 2 men", "Each gets 34 / 2 = 17 pens."),
    "skipped_conversion": NO_UNIT,
    "percent_scale": NO_UNIT,
    "percent_as_amount": NO_UNIT,
    "cents_as_dollars": NO_UNIT,
    "rate_as_total": Idle("He fills 6 trays, 14 at a time.", "They hold 6 * 14 = 84 rolls."),
    "total_as_rate": Idle("12 tickets for $96", "He has 96 / 12 = $8."),
    "assert_result": ONE_STEP,
    "vague_working": ONE_STEP,
    "drop_derivation": ONE_STEP,
    "jump_ahead": Idle("6, 14 and 50", "6 * 14 = 84.\n84 - 50 = 34."),
    "conclude_early": ONE_STEP,
    "stop_early": ONE_STEP,
    "cut_expression": NO_UNIT,
}
