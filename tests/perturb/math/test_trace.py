"""Traces: steps, which number comes from where, who builds on whom, what they end on."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.perturb.word_problems import BAKERY, bakery, traced
from tracelift_groups.perturb.math.trace import (
    CHECK,
    MathTrace,
    Problem,
    parse_trace,
    split_steps,
)

F = Fraction


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("One.\nTwo.\n\n  Three.  \n", ("One.", "Two.", "Three.")),
        ("He has 3. She has 4.\nTogether 7.", ("He has 3. She has 4.", "Together 7.")),
        ("He has 3 cats. She has 4. Together they have 7.",
         ("He has 3 cats.", "She has 4.", "Together they have 7.")),
        ("Mr. Smith has 3.5 cats. Mrs. Smith has none!",
         ("Mr. Smith has 3.5 cats.", "Mrs. Smith has none!")),
        ("Is it 3? Yes. (It is.) \"So\" it is.",
         ("Is it 3?", "Yes.", "(It is.) \"So\" it is.")),
        ("It costs $5. $5 is fine.", ("It costs $5.", "$5 is fine.")),
        ("He lives in St. Ives, e.g. Tom. J. Smith too.",
         ("He lives in St. Ives, e.g. Tom.", "J. Smith too.")),
        ("a line", ("a line",)),
        ("  One.  ", ("One.",)),
        ("  \n ", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_steps_are_lines_or_the_sentences_of_a_paragraph(text: str, steps: tuple[str, ...]) -> None:
    assert split_steps(text) == steps


def test_the_text_of_a_trace_is_what_was_parsed() -> None:
    for text in ("3 + 4 = 7.\n7 + 1 = 8.", "It is 3 + 4 = 7. Then 7 + 1 = 8."):
        trace = traced("3, 4 and 1", text)
        assert trace.text == text
        assert [text[at : at + 3] for at in trace.offsets] == [s[:3] for s in trace.steps]


def sources(trace: MathTrace, step: int) -> list[str]:
    """Every number of a step with its source: "84 of 0" comes from the first equation."""
    return [
        f"{m.number.value} {m.source.kind}"
        + ("" if m.source.equation is None else f" {m.source.equation}")
        for m in trace.mentions
        if m.step == step
    ]


def test_operands_are_linked_to_the_problem_and_to_earlier_results() -> None:
    trace = bakery()
    assert sources(trace, 0) == ["6 problem", "14 problem", "84 step 0"]
    assert sources(trace, 1) == ["84 step 0", "50 problem", "34 step 1"]
    assert sources(trace, 2) == ["34 step 1", "2 problem", "17 step 2"]


def test_a_number_that_nobody_states_is_a_constant() -> None:
    trace = traced("He works 3 hours.", "That is 3 * 60 = 180 minutes.")
    assert sources(trace, 0) == ["3 problem", "60 constant", "180 step 0"]


def test_a_number_in_prose_is_the_result_that_the_line_works_out() -> None:
    trace = traced("5 rows of 6", "They earned $30 because 5 x 6 = 30.\nSo he has 30 dollars.")
    assert sources(trace, 0) == ["30 step 0", "5 problem", "6 problem", "30 step 0"]
    assert sources(trace, 1) == ["30 step 0"]
    assert [m.equation for m in trace.mentions] == [None, 0, 0, 0, None]
    assert [m.stated for m in trace.mentions] == [False, False, False, True, False]


def test_a_result_that_is_also_given_is_unsure_unless_one_of_the_two_is_spent() -> None:
    both = "He has 8 pens, 5 bags and 3 boxes."
    unsure = traced(both, "5 + 3 = 8 in all.\n8 * 2 = 16 then.")
    assert sources(unsure, 1)[0] == "8 unsure"
    spent = traced(both, "8 - 1 = 7 left.\n5 + 3 = 8 in all.\n8 * 2 = 16 then.")
    assert sources(spent, 2)[0] == "8 step 1"
    used = traced(both, "5 + 3 = 8 in all.\n5 * 8 = 40 then.")
    assert sources(used, 1)[1] == "8 unsure"


def test_once_the_given_number_is_spent_an_unused_equal_result_is_meant() -> None:
    trace = traced("He has 8 pens, 5 bags and 3 boxes.", "8 + 8 = 16.\n5 + 3 = 8.\n8 * 2 = 16.")
    assert sources(trace, 0) == ["8 problem", "8 problem", "16 step 0"]
    assert sources(trace, 2)[0] == "8 step 1"


def test_two_equal_results_are_told_apart_while_one_is_unused() -> None:
    trace = traced(
        "2, 6, 3, 4, 7", "2 * 6 = 12 red.\n12 + 7 = 19 so.\n3 * 4 = 12 blue.\n12 + 3 = 15 now."
    )
    assert sources(trace, 1)[0] == "12 step 0"
    assert sources(trace, 3)[0] == "12 step 2"


def test_equal_results_that_are_both_used_up_are_unsure() -> None:
    trace = traced(
        "2, 6, 3, 4, 7",
        "2 * 6 = 12 red.\n12 + 7 = 19.\n3 * 4 = 12 blue.\n12 + 3 = 15.\n12 + 4 = 16.",
    )
    assert sources(trace, 4)[0] == "12 unsure"


def test_a_result_that_might_be_a_conversion_factor_is_unsure() -> None:
    trace = traced(
        "20 men, 3 rooms, 5", "20 * 3 = 60 men.\nIn 5 hours that is 5 * 60 = 300 minutes."
    )
    assert sources(trace, 1)[2] == "60 unsure"
    assert trace.uncertain(trace.nodes[0])


def test_a_value_within_a_chain_that_nobody_states_is_unsure() -> None:
    trace = traced("15 rows of 12", "15 * 12 = 150 + 30 = 180 in all.")
    assert sources(trace, 0) == [
        "15 problem", "12 problem", "150 unsure", "30 unsure", "180 step 0",
    ]  # fmt: skip


def test_problem_states_values_in_words_and_percentages() -> None:
    problem = Problem("He sells 20% of two dozen eggs.")
    assert all(problem.states(F(value)) for value in (20, 2, 12))
    assert problem.states(F(1, 5))
    assert not problem.states(F(24))
    assert not problem.states(F(80))


def graph() -> MathTrace:
    return traced(
        "3 rows of 4, 5 rows of 6, 9 more, then half",
        "3 * 4 = 12 red.\n5 * 6 = 30 blue.\n12 + 30 = 42 in all.\n42 + 9 = 51 now.\n30 - 9 = 21.",
    )


def test_consumers_are_the_equations_that_build_on_a_result() -> None:
    trace = graph()
    users = [[user.index for user in trace.consumers(node)] for node in trace.nodes]
    assert users == [[2], [2, 4], [3], [], []]


def test_serving_are_those_whose_results_serve_one_equation_alone() -> None:
    trace = graph()
    serving = [set(trace.serving(node)) for node in trace.nodes]
    assert serving == [set(), set(), {0}, {0, 2}, set()]


def test_mentions_of_a_result_take_its_statement_in() -> None:
    trace = graph()
    blue = trace.mentions_of(trace.nodes[1])
    assert [(m.step, m.stated) for m in blue] == [(1, True), (2, False), (4, False)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7.\n7 * 2 = 14.", 14),
        ("3 + 4 = 7.\nSo it is 7 cats.", 7),
        ("3 + 4 = 7.\n7 * 2 = 14.\nSo of 20 he has 7 left.", 7),
        ("3 + 4 = 7.\n7 * 2 = 14.\nSo 7 cats make 14.", 14),
        ("3 + 4 = 7.\nThat is all.", 7),
        ("3 + 4 = 7.\nCheck: 7 - 4 = 3.", 7),
        ("3 + 4 = 8.", 8),
        ("20 / 50 = 40% of it.", 40),
        ("It is 5 * 2 = 10, then 10 - 4 = 6.", 6),
    ],
)
def test_the_answer_is_what_the_trace_ends_on(text: str, answer: int) -> None:
    assert traced("3 cats, 4 dogs, 2, 20 and 50", text).answer == answer


def test_a_trace_without_numbers_has_no_answer() -> None:
    assert traced("3 cats", "He has some.").answer is None


@pytest.mark.parametrize(
    "lead", ["Check: ", "(Check: ", "To check: ", "Checking, ", "Working back, ", "As a check, "]
)
def test_a_line_that_works_backwards_confirms_and_is_no_derivation(lead: str) -> None:
    assert CHECK.match(lead)
    trace = traced("15 red and 9 blue", f"15 + 9 = 24 in all.\n{lead}24 - 9 = 15.\n24 * 2 = 48.")
    assert [node.confirms for node in trace.nodes] == [False, True, False]
    assert [node.index for node in trace.derivations] == [0, 2]
    assert trace.confirmed(trace.nodes[0])
    assert [user.index for user in trace.consumers(trace.nodes[0])] == [2]
    assert not trace.confirmed(trace.nodes[2])


def test_a_line_that_merely_speaks_of_checks_confirms_nothing() -> None:
    trace = traced("15 red and 9 blue", "The checks cost 15 + 9 = 24.\nThe check is 24 + 9 = 33.")
    assert [node.confirms for node in trace.nodes] == [False, False]


@pytest.mark.parametrize(
    ("step", "opaque"),
    [
        ("2x = 10", True),
        ("Let x be 4", True),
        ("So (C+5) is 9", True),
        ("y = 3 + 4 = 7", True),
        ("5 m + 6 m = 11 m", False),
        ("He has a cat + 4", False),
        ("Plan B costs 4", False),
        ("3 + 4 = 7", False),
    ],
)
def test_steps_with_unknowns_are_opaque(step: str, opaque: bool) -> None:
    assert (0 in traced("4 and 3", step).opaque) is opaque


def test_alone_is_an_equation_without_neighbours_and_unknowns() -> None:
    trace = traced("3, 4, 2", "3 + 4 = 7 and 7 * 2 = 14.\n14 + 3 = 17.\ny = 17 - 4 = 13")
    assert [trace.alone(node) for node in trace.nodes] == [False, False, True, False]


def test_false_equations_are_listed() -> None:
    trace = traced("3 and 4", "3 + 4 = 8.\n8 + 4 = 12.")
    assert [node.index for node in trace.false_equations] == [0]


def test_with_steps_keeps_problem_and_separator() -> None:
    trace = parse_trace("It is 3 + 4 = 7. So 7.", Problem("3 and 4"))
    other = trace.with_steps(["One.", "Two."])
    assert other.text == "One. Two."
    assert other.problem is trace.problem


def test_hostile_traces_are_parsed() -> None:
    text = "\n".join(["(" * 1_000, "1 + " * 500, "x" * 10_000, "3 + 4 = 7", "= " * 1_000])
    assert traced(BAKERY, text).answer is not None
