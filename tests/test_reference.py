"""Gold reasoning cleaned and verified, or refused with a reason."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tracelift_groups.perturb.math.trace import Problem
from tracelift_groups.reference import NoReference
from tracelift_groups.reference.math import clean, gold_reference, read_answer

PROBLEM = Problem("6 trays with 14 rolls each, 50 rolls sold")


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        # a marker goes whole, and what is stated stays once
        ("48/2 = <<48/2=24>>24 clips.", "48/2 = 24 clips."),
        ("So 48/2=<<48/2=24>>24.", "So 48/2=24."),
        ("He pays 3 * $5 = $<<3*5=15>>15.", "He pays 3 * $5 = $15."),
        ("It is 50 - 10 = <<50-10=40>> 40.", "It is 50 - 10 = 40."),
        ("Two: 2 * 3 = <<2*3=6>>6 and 6 + 1 = <<6+1=7>>7.", "Two: 2 * 3 = 6 and 6 + 1 = 7."),
        ("Tax is 20% of 50 = $<<50*20*.01=10>>10.", "Tax is 20% of 50 = $10."),
        # what the prose leaves out is written out
        ("that's $<<18*9=162>>162 a day", "that's 18 * 9 = $162 a day"),
        ("so <<18*9=162>>162 a day", "so 18 * 9 = 162 a day"),
        ("He pays 20 * .50 $<<20*.50=10>>10.", "He pays 20 * .50 = $10."),
        ("6 hours = <<6*60=360>>360 minutes", "6 hours = 6 * 60 = 360 minutes"),
        # a lone number works nothing out
        ("He has <<5=5>>5 cats.", "He has 5 cats."),
        ("He has 5<<+5=5>> cats.", "He has 5 cats."),
        # tidy spaces
        ("  Two\u00a0 spaces \t here. ", "Two spaces here."),
    ],
)
def test_annotations_are_removed_and_missing_working_written_out(line: str, cleaned: str) -> None:
    assert clean(line) == cleaned


@pytest.mark.parametrize(
    "ending",
    [
        "#### 72", "  #### 1,200", "The answer is 72.", "So the answer is 72",
        "Thus, the answer is 72",
        "Therefore the final answer is 72.", "the final answer is $72", "Answer: 72", "ANSWER = 72",
        "\\boxed{72}",
    ],
)  # fmt: skip
def test_a_final_answer_line_is_removed(ending: str) -> None:
    assert clean(f"3 + 4 = 7.\n{ending}") == "3 + 4 = 7."


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        ("So 3 + 4 = 7. The answer is 7.", "So 3 + 4 = 7."),
        ("So 3 + 4 = 7. Therefore, the final answer is 7 cats.", "So 3 + 4 = 7."),
        ("He answers 3 questions.", "He answers 3 questions."),
        ("He has 7 answers.", "He has 7 answers."),
    ],
)
def test_an_answer_behind_the_reasoning_is_removed(line: str, cleaned: str) -> None:
    assert clean(line) == cleaned


def test_empty_lines_go_and_lines_keep_their_order() -> None:
    assert clean("One.\n\n  \nTwo.\n#### 2\n") == "One.\nTwo."


def test_a_reference_is_the_cleaned_and_parsed_reasoning() -> None:
    trace = gold_reference(
        PROBLEM,
        "The trays hold 6*14=<<6*14=84>>84.\nThen 84-50=<<84-50=34>>34 are left.\n#### 34",
        "34",
    )
    assert trace.steps == ("The trays hold 6*14=84.", "Then 84-50=34 are left.")
    assert trace.answer == 34


@pytest.mark.parametrize(
    ("reasoning", "answer", "reason", "detail"),
    [
        ("#### 34", "34", "empty_reasoning",
         "nothing is left once the answer line is removed"),
        ("  \n", "34", "empty_reasoning", "nothing is left once the answer line is removed"),
        ("6 * 14 = 84.", "some", "bad_answer", "the gold answer 'some' is not one number"),
        ("6 * 14 = 84.", "8 or 4", "bad_answer", "the gold answer '8 or 4' is not one number"),
        ("He has 84.", "84", "no_equation",
         "no explicit arithmetic such as 'a * b = c' to build on"),
        ("6 trays.\n6 * 14 = 74.", "74", "false_equation", "step 1: '6 * 14 = 74' does not hold"),
        ("6 * 14 = 84.", "85", "answer_mismatch", "the reasoning ends on 84, not 85"),
        ("6 * 14 = 84.", "1/3", "bad_answer", "the gold answer '1/3' is not one number"),
    ],
)  # fmt: skip
def test_what_cannot_serve_is_refused_with_a_reason(
    reasoning: str, answer: str, reason: str, detail: str
) -> None:
    with pytest.raises(NoReference) as refusal:
        gold_reference(PROBLEM, reasoning, answer)
    assert (refusal.value.reason, refusal.value.detail) == (reason, detail)
    assert str(refusal.value) == f"{reason}: {detail}"


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("34", Fraction(34)),
        (" 1,200 ", Fraction(1200)),
        ("$3.50", Fraction(7, 2)),
        ("-4", Fraction(-4)),
        ("−4", Fraction(-4)),
        ("20%", Fraction(20)),
        ("12 cats", Fraction(12)),
    ],
)
def test_a_gold_answer_is_one_number(answer: str, value: Fraction) -> None:
    assert read_answer(answer) == value
