"""Moves: what each makes of a hand-written trace, and where it finds nothing to do."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from tests.perturb.word_problems import BAKERY, BAKERY_TEXT, bakery, traced
from tracelift_groups.perturb.math import twins
from tracelift_groups.perturb.math.checks import check_sound
from tracelift_groups.perturb.math.engine import make_twins
from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.perturb.math.twins import Move

MOVES: dict[str, Move] = {
    move.__name__: move for move in (*twins.SHORTER, *twins.SHORTEST, *twins.LONGER, *twins.NEUTRAL)
}
TRAYS, SALE, BAGS = BAKERY_TEXT.split("\n")


class Case(NamedTuple):
    problem: str
    before: str
    after: str


MADE = {
    "inline_step": Case(BAKERY, BAKERY_TEXT, f"{TRAYS}\nThey fill (84 - 50) / 2 = 17 bags."),
    "inline_all": Case(BAKERY, BAKERY_TEXT, "They fill ((6 * 14) - 50) / 2 = 17 bags."),
    "bare_working": Case(BAKERY, BAKERY_TEXT, f"6 * 14 = 84 rolls.\n{SALE}\n{BAGS}"),
    "drop_filler": Case(
        BAKERY, f"{TRAYS}\nHe sells 50 rolls.\n{SALE}\n{BAGS}", f"{TRAYS}\n{SALE}\n{BAGS}"
    ),
    "expand_working": Case(
        BAKERY,
        BAKERY_TEXT,
        f"The trays hold 6 * 14 = 6 * 10 + 6 * 4 = 60 + 24 = 84 rolls.\n{SALE}\n{BAGS}",
    ),
    "verify_steps": Case(
        BAKERY,
        BAKERY_TEXT,
        f"{TRAYS}\nCheck: 84 / 14 = 6.\n{SALE}\nCheck: 34 + 50 = 84.\n{BAGS}",
    ),
    "restate_given": Case(
        "A tray holds 14 rolls and 6 are full. Tom sells 50.",
        f"{TRAYS}\n{SALE}",
        f"A tray holds 14 rolls and 6 are full.\n{TRAYS}\n{SALE}",
    ),
    "state_goal": Case(
        "6 trays with 14 rolls each. How many rolls are there?",
        f"{TRAYS}\nSo 84.",
        f"We want to know how many rolls are there.\n{TRAYS}\nSo 84.",
    ),
    "split_sum": Case(
        "3 red, 4 blue and 5 green pens",
        "He has 3 + 4 + 5 = 12 pens.\nHalf is 12 / 2 = 6.",
        "To begin with, 3 + 4 = 7.\nHe has 7 + 5 = 12 pens.\nHalf is 12 / 2 = 6.",
    ),
    "spell_result": Case(BAKERY, BAKERY_TEXT, f"{TRAYS} That makes 84 rolls.\n{SALE}\n{BAGS}"),
    "name_numbers": Case(
        BAKERY, BAKERY_TEXT, f"With 6 and 14, the trays hold 6 * 14 = 84 rolls.\n{SALE}\n{BAGS}"
    ),
    "restyle_signs": Case(
        BAKERY,
        BAKERY_TEXT,
        "The trays hold 6×14=84 rolls.\n"
        "After the sale 84-50=34 rolls are left.\n"
        "They fill 34÷2=17 bags.",
    ),
    "restyle_numbers": Case(
        "40 boxes of 30 at $.50",
        "They hold 40 * 30 = 1200 nails.\nThey cost 1,200 * $.50 = $600.00.",
        "They hold 40 * 30 = 1,200 nails.\nThey cost 1,200 * $0.50 = $600.",
    ),
    "commute": Case(BAKERY, BAKERY_TEXT, f"The trays hold 14 * 6 = 84 rolls.\n{SALE}\n{BAGS}"),
    "turn_around": Case(
        "5 rows of 6, 2 more",
        "There are 30 men because 5 * 6 = 30.\nThen 30 + 2 = 32.",
        "5 * 6 = 30, so there are 30 men.\nThen 30 + 2 = 32.",
    ),
    "working_first": Case(
        BAKERY,
        f"{TRAYS}\nThat is all.",
        "The product of 6 and 14 is 84, so the trays hold 84 rolls.\nThat is all.",
    ),
    "openings": Case(
        BAKERY,
        f"{TRAYS}\nThen, they fill 84 / 2 = 42 bags.",
        f"{TRAYS}\nThey fill 84 / 2 = 42 bags.",
    ),
    "merge_lines": Case(BAKERY, BAKERY_TEXT, f"{TRAYS} {SALE}\n{BAGS}"),
    "swap_steps": Case(
        "3 packs of 4 and 5 packs of 6",
        "Red are 3 * 4 = 12.\nBlue are 5 * 6 = 30.\nAll are 12 + 30 = 42.",
        "Blue are 5 * 6 = 30.\nRed are 3 * 4 = 12.\nAll are 12 + 30 = 42.",
    ),
}
AND_MORE = "There are 30 men because 5 * 6 = 30 and more."
IDLE: dict[str, tuple[str, str]] = {
    "inline_step": ("3 and 4, 2", "3 + 4 = 7.\n7 * 2 = 14 and 14 - 7 = 7."),
    "inline_all": ("3 and 4", "3 + 4 = 7."),
    "bare_working": ("3 and 4, 2", "3 + 4 = 7.\n7 * 2 = 14."),
    "drop_filler": (BAKERY, f"{TRAYS}\nThey use 9 shelves.\n{SALE}"),
    "expand_working": ("3 and 40, 2", "40 - 30 = 10.\n10 + 7 = 17.\n20 / 2 = 10."),
    "verify_steps": (BAKERY, f"{TRAYS}\nCheck: 84 / 14 = 6.\n{SALE}"),
    "restate_given": ("He has 6 trays with 14 rolls. He sells 50.", BAKERY_TEXT),
    "state_goal": ("6 trays with 14 rolls each. How many are left of 50?", TRAYS),
    "split_sum": (BAKERY, BAKERY_TEXT),
    "spell_result": ("3 and 4, 2", "3 + 4 = 7.\n7 * 2 = 14."),
    "name_numbers": ("3 and 4, 2", "3 + 4 = 7.\n7 * 2 = 14."),
    "restyle_signs": (BAKERY, "He has 6 times 14 is 84 rolls."),
    "restyle_numbers": (BAKERY, BAKERY_TEXT),
    "commute": ("84, 50 and 2", f"{SALE}\n{BAGS}"),
    "turn_around": ("5 rows of 6", AND_MORE),
    "working_first": ("3 and 4", "3 + 4 = 7."),
    "openings": (BAKERY, f"Check: {TRAYS}"),
    "merge_lines": ("6 trays of 14", TRAYS),
    "swap_steps": (BAKERY, BAKERY_TEXT),
}


def made(move: Move, trace: MathTrace, seeds: int = 60) -> set[str | None]:
    """What a move makes of a trace over several random seeds."""
    found: set[str | None] = set()
    for seed in range(seeds):
        steps = move(trace, Random(seed))
        found.add(None if steps is None else trace.separator.join(steps))
    return found


def test_every_move_has_its_cases() -> None:
    assert set(MADE) == set(MOVES)
    assert set(IDLE) == set(MOVES)


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_move_makes_the_rewording(name: str) -> None:
    case = MADE[name]
    assert case.after in made(MOVES[name], traced(case.problem, case.before))


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_rewording_is_sound(name: str) -> None:
    case = MADE[name]
    check_sound(traced(case.problem, case.before), traced(case.problem, case.after))


@pytest.mark.parametrize("name", sorted(IDLE))
def test_a_move_that_finds_nothing_to_do_gives_none(name: str) -> None:
    problem, text = IDLE[name]
    assert made(MOVES[name], traced(problem, text)) == {None}


@pytest.mark.parametrize("name", sorted(MOVES))
def test_a_move_never_gives_the_trace_itself_back(name: str) -> None:
    case = MADE[name]
    for problem, text in ((case.problem, case.before), (BAKERY, BAKERY_TEXT)):
        assert text not in made(MOVES[name], traced(problem, text), 20)


@pytest.mark.parametrize("name", sorted(set(MOVES) - {"merge_lines", "state_goal"}))
def test_steps_with_unknowns_stay_as_they_are(name: str) -> None:
    steps = [f"{step} Let x be so." for step in MADE[name].before.split("\n")]
    trace = traced(MADE[name].problem, "\n".join([*steps, "Let y be so."]))
    for text in made(MOVES[name], trace, 20):
        assert text is None or all(step in text for step in steps)


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("15 * 12 = 180", "15 * 12 = 12 * 10 + 12 * 5 = 120 + 60 = 180"),
        ("4 x 25 = 100", "4 x 25 = 25 + 25 + 25 + 25 = 100"),
        ("45 + 38 = 83", "45 + 38 = 45 + 30 + 8 = 75 + 8 = 83"),
        ("91 - 38 = 53", "91 - 38 = 91 - 30 - 8 = 61 - 8 = 53"),
    ],
)
def test_working_out_the_long_way(step: str, after: str) -> None:
    assert after in made(MOVES["expand_working"], traced("some pens", step))


@pytest.mark.parametrize(
    ("step", "check"),
    [
        ("15 + 9 = 24", "24 - 9 = 15"),
        ("24 - 9 = 15", "15 + 9 = 24"),
        ("3 x 4 = 12", "12 / 4 = 3"),
        ("12 / 4 = 3", "3 * 4 = 12"),
        ("$3 + $4 = $7", "$7 - $4 = $3"),
    ],
)
def test_a_step_is_worked_backwards(step: str, check: str) -> None:
    text = f"It is {step}.\nIn the end 100 - 1 = 99."
    leads = ("Check: {}.", "To check: {}.", "Working back, {}.", "As a check, {}.")
    assert made(MOVES["verify_steps"], traced("some pens", text)) == {
        f"It is {step}.\n{lead.format(check)}\nIn the end 100 - 1 = 99." for lead in leads
    }


@pytest.mark.parametrize(
    "step", ["10 / 3 = 3.33", "50 * 20% = 10", "3 * $4 = $12", "2 + 3 + 4 = 9"]
)
def test_what_does_not_work_backwards_exactly_is_not_checked(step: str) -> None:
    text = f"It is {step}.\nIn the end 100 - 1 = 99."
    assert made(MOVES["verify_steps"], traced("20% of some", text)) == {None}


@pytest.mark.parametrize(
    ("step", "reworded"),
    [
        ("He has 84 - 50 = 34 pens.",
         {"84 minus 50 leaves 34", "84 minus 50 is 34", "84 minus 50 gives 34"}),
        ("He has 6 * 14 = 84 pens.",
         {"6 times 14 is 84", "6 times 14 makes 84", "6 times 14 gives 84",
          "The product of 6 and 14 is 84", "6 * 14 = 84"}),
        ("He has 3 + 4 + 5 = 12 pens.", {"The sum of 3, 4 and 5 is 12", "3 + 4 + 5 = 12"}),
    ],
)  # fmt: skip
def test_the_working_comes_first_in_signs_or_words(step: str, reworded: set[str]) -> None:
    value = step.split("= ")[1]
    texts = made(MOVES["working_first"], traced("some", step), 80) - {None}
    assert {f"{working}, so he has {value}" for working in reworded} <= texts


def test_an_opening_keeps_its_place_before_the_working() -> None:
    trace = traced("some", "Then he has 6 * 14 = 84 pens.")
    assert "Then 6 * 14 = 84, so he has 84 pens." in made(MOVES["working_first"], trace, 80)


def test_openings_are_added_by_the_place_of_the_step_and_names_keep_their_capital() -> None:
    trace = traced("some", "The trays hold 6 * 14 = 84.\nTom sells 84 - 50 = 34.\nHe keeps 34.")
    texts = {text for text in made(MOVES["openings"], trace, 200) if text}
    steps = [set(column) for column in zip(*(text.split("\n") for text in texts), strict=True)]
    the = "he trays hold 6 * 14 = 84."
    assert steps[0] == {
        f"T{the}",
        *(f"{o}, t{the}" for o in ("First", "To start", "To begin with")),
    }
    sells = "Tom sells 84 - 50 = 34."
    assert steps[1] == {
        sells, *(f"{o}{sells}" for o in ("Then ", "Next, ", "After that, ", "Now "))
    }  # fmt: skip
    assert steps[2] == {
        "He keeps 34.",
        *(f"{o}he keeps 34." for o in ("So ", "Finally, ", "Therefore, ", "In the end, ")),
    }


def test_inlining_stops_before_expressions_grow_long() -> None:
    steps = ["3 + 4 = 7"]
    total = 7
    for number in (11, 13, 17, 19, 23, 29):
        steps.append(f"{total} + {number} = {total + number}")
        total += number
    trace = traced("3, 4, 11, 13, 17, 19, 23 and 29", "\n".join(steps))
    for text in made(MOVES["inline_all"], trace, 10):
        assert text is not None
        assert all(len(line.split(" = ")[0].split("+")) <= 6 for line in text.split("\n"))


def test_what_refers_back_is_neither_swapped_nor_restated() -> None:
    swap = "Red are 3 * 4 = 12.\nThen he has 5 * 6 = 30 more.\nAll are 12 + 30 = 42."
    assert made(MOVES["swap_steps"], traced("3, 4, 5, 6", swap)) == {None}
    given = "Tom has 6 trays of 14 rolls. They cost $50 in the new shop."
    assert made(MOVES["restate_given"], traced(given, BAKERY_TEXT)) == {
        f"Tom has 6 trays of 14 rolls.\n{BAKERY_TEXT}"
    }


@pytest.mark.parametrize("seed", range(10))
def test_twins_are_sound_and_differ_from_each_other_and_the_reference(seed: int) -> None:
    reference = bakery()
    found = make_twins(reference, Random(seed))
    assert 1 <= len(found) <= 3
    for twin in found:
        check_sound(reference, twin.trace)
        assert twin.moves
        assert set(twin.moves) <= set(MOVES)
    texts = ["".join(text.split()) for text in [BAKERY_TEXT, *(t.trace.text for t in found)]]
    assert len(set(texts)) == len(texts)


def test_as_many_twins_as_asked_for_at_most() -> None:
    assert len(make_twins(bakery(), Random(0), 1)) == 1
    assert make_twins(bakery(), Random(0), 0) == []


def test_the_same_generator_gives_the_same_twins() -> None:
    one, two, other = (make_twins(bakery(), Random(seed)) for seed in (1, 1, 2))
    assert [twin.trace.text for twin in one] == [twin.trace.text for twin in two]
    assert [twin.trace.text for twin in one] != [twin.trace.text for twin in other]


def test_units_stay_behind_where_working_goes_into_brackets() -> None:
    trace = traced("6 trays of 14, 50", "It is 6 trays * 14 rolls = 84 rolls.\nSo 84 - 50 = 34.")
    assert made(MOVES["inline_step"], trace) == {"So (6 * 14) - 50 = 34."}


def test_a_check_is_not_swapped_with_its_neighbours() -> None:
    text = "Red are 3 * 4 = 12.\nCheck: 30 / 6 = 5.\nBlue are 5 * 6 = 30.\nAll are 12 + 30 = 42."
    assert made(MOVES["swap_steps"], traced("3, 4, 5, 6", text)) == {None}


@pytest.mark.parametrize("name", ["working_first", "name_numbers"])
def test_a_line_whose_working_is_in_its_second_sentence_stays(name: str) -> None:
    trace = traced("6 trays of 14", f"He has some trays. {TRAYS}\nThat is all.")
    assert made(MOVES[name], trace) == {None}


@pytest.mark.parametrize("step", ["3 * 4 + 5 = 17", "3 bags * 4 = 12", "3(4) = 12", "7 - 4 = 3"])
def test_only_plain_operands_with_units_alike_are_commuted(step: str) -> None:
    assert made(MOVES["commute"], traced("3, 4, 5 and 7", step)) == {None}
    assert "4 bags * 3 bags = 12" in made(MOVES["commute"], traced("3", "3 bags * 4 bags = 12"))
