"""Missing work: what can be asserted, left out, or ended on."""

from __future__ import annotations

from tests.perturb.word_problems import bakery, drafts, traced

TRAYS, SALE, BAGS = bakery().steps


def test_only_what_a_later_step_needs_is_asserted() -> None:
    assert drafts("assert_result", bakery()) == {
        f"The trays hold 84 rolls.\n{SALE}\n{BAGS}",
        f"{TRAYS}\nAfter the sale 34 rolls are left.\n{BAGS}",
    }
    assert drafts("drop_derivation", bakery()) == {f"{SALE}\n{BAGS}", f"{TRAYS}\n{BAGS}"}


def test_a_value_that_the_problem_gives_is_no_leap() -> None:
    trace = traced("6 trays of 14, 84 in all, 50 sold", "6 * 14 = 84 in all.\n84 - 50 = 34 left.")
    assert drafts("assert_result", trace) == drafts("drop_derivation", trace) == set()


def test_a_step_that_is_checked_is_no_leap() -> None:
    trace = traced(
        "6 trays of 14, 50 sold", "So 6 * 14 = 84.\nCheck: 84 / 14 = 6.\nSo 84 - 50 = 34."
    )
    assert drafts("assert_result", trace) == drafts("drop_derivation", trace) == set()


def test_vague_working_names_the_numbers_in_several_ways() -> None:
    rest = f"\n{SALE}\n{BAGS}"
    named = {text for text in drafts("vague_working", bakery(), 40) if text.endswith(rest)}
    assert named == {
        f"{lead}the trays hold 84 rolls.{rest}"
        for lead in (
            "Putting 6 and 14 together, ",
            "Going by 6 and 14, ",
            "With 6 and 14, ",
            "Taking 6 and 14 into account, ",
            "Working from 6 and 14, ",
        )
    }


def test_vague_working_does_not_name_a_number_twice() -> None:
    trace = traced("9 rows of 9 pens, 5 more", "There are 9 * 9 = 81 pens.\nSo 81 + 5 = 86.")
    assert drafts("vague_working", trace) == set()


def test_jumping_ahead_leaves_out_all_that_led_up_to_it() -> None:
    trace = traced(
        "3 packs of 4 and 5 packs of 6, 2",
        "Red are 3 * 4 = 12.\nBlue are 5 * 6 = 30.\nAll are 12 + 30 = 42.\nHalf is 42 / 2 = 21.",
    )
    assert drafts("jump_ahead", trace) == {"All are 42.\nHalf is 42 / 2 = 21."}


def test_the_closing_sentence_takes_an_intermediate_value() -> None:
    assert drafts("conclude_early", bakery()) == {
        f"{TRAYS}\nThey fill 84 bags.",
        f"{TRAYS}\n{SALE}\nThey fill 34 bags.",
    }


def test_a_closing_sentence_in_prose_takes_it_too() -> None:
    trace = traced("6 trays of 14, 50 sold", f"{TRAYS}\n{SALE}\nSo he is left with 34 of them.")
    assert drafts("conclude_early", trace) == {f"{TRAYS}\nSo he is left with 84 of them."}


def test_a_trace_that_closes_on_a_check_is_not_concluded_early() -> None:
    trace = traced("6 trays of 14, 50 sold", f"{TRAYS}\n{SALE}\nCheck: 34 + 50 = 84.")
    assert drafts("conclude_early", trace) == set()


def test_a_trace_does_not_stop_on_a_line_that_promises_more() -> None:
    first, then = f"First, the {TRAYS[4:]}", f"Then {SALE}"
    trace = traced("6 trays of 14, 50 sold, by 2", f"{first}\n{then}\n{BAGS}")
    assert drafts("stop_early", trace) == set()
    assert drafts("stop_early", bakery()) == {TRAYS, f"{TRAYS}\n{SALE}"}


def test_an_expression_is_cut_on_either_side() -> None:
    trace = traced("5, 3, 2 and 4", "He has (5 * 3) + (2 * 4) = 23 pens.")
    assert drafts("cut_expression", trace) == {"He has 5 * 3 = 15 pens.", "He has 2 * 4 = 8 pens."}
    chain = traced("20, 5 and 3", "He has 20 - 5 - 3 = 12 pens.")
    assert drafts("cut_expression", chain) == {"He has 20 - 5 = 15 pens."}
