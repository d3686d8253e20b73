"""Vague traces: the specifics are gone, and what is left is whole sentences."""

from __future__ import annotations

import re

import pytest

from tests.perturb.code.programs import ROWS
from tracelift_groups.perturb.code.operators.vague import specifics, without_specifics
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.reference.code import clean

DANGLING = re.compile(
    r"\b(?:of|the|an?|to|with|and|or|for|in|on|at|is|are|if|when|that|which|as|be|each|every|both"
    r"|by|from|than|where|while|until)[.,;:!?]*$"
)


def vague(text: str) -> str:
    return without_specifics(CodeTrace(text)).text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("We look at everything once.", 0),
        ("`xs` is sorted.", 1),
        ("`xs` and `xs` again.", 2),
        (r"From \( 0 \) to 9.", 2),
        ("A hash map and binary search.", 2),
        ("It takes O(n) time.", 1),
        ("1. First.\n2. Second.", 0),  # a list's numbers are none
        ("The set of all answers.", 0),
    ],
)
def test_specifics_are_counted(text: str, count: int) -> None:
    assert specifics(text) == count


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("The time complexity is O(n).", ""),
        ("We go through all the numbers and remember what matters.",
         "We go through all the numbers and remember what matters."),
        ("We walk over the input array `nums` once.", "We walk over the input array once."),
        ("`a + b` is `c + 1` where `d - 2`.", ""),
        ("The values are kept sorted, so that `xs[0] + 1` is next.",
         "The values are kept sorted."),
        ("When values are kept sorted, `xs[0] + 1` is next.", ""),
    ],
)  # fmt: skip
def test_a_sentence_loses_what_could_be_held_on_to(text: str, left: str) -> None:
    assert vague(text) == left


@pytest.mark.parametrize(
    "text",
    ["We use a hash map to remember where each word was.",
     "We solve it by a sliding window over the letters.",
     "The pairs are kept in a heap, and taken one by one.",
     r"We look at \( n \) of the 7 words.", "The cost is O(n), and no more than that is needed."],
)  # fmt: skip
def test_no_structure_method_number_or_cost_is_left(text: str) -> None:
    assert specifics(text) > 0
    assert specifics(vague(text)) == 0


def test_a_sentence_that_is_a_fact_goes_whole() -> None:
    fact = "The result is what the walk gives, all in all."
    text = f"We walk through the tree and look. {fact}"
    assert without_specifics(CodeTrace(text), {fact}).text == "We walk through the tree and look."
    assert without_specifics(CodeTrace(text)).text == text


def test_a_heading_with_nothing_under_it_goes() -> None:
    walk = "**Walk**:\n- We walk along the values."
    assert vague(f"**Sorting**:\n- `xs.sort()` on `n + 1` values.\n\n{walk}") == walk


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_vague_sentences_are_whole(row: dict[str, str]) -> None:
    trace = CodeTrace(clean(row["reasoning"]))
    left = without_specifics(trace)
    assert specifics(left.text) <= specifics(trace.text) * 0.5
    known = {sentence.text for sentence in trace.sentences}
    for sentence in left.sentences:
        assert sentence.text.count("`") % 2 == 0
        assert sentence.text.count("(") == sentence.text.count(")")
        if sentence.text in known:
            continue
        assert sentence.text.endswith((".", "!", "?", ":", ";")), sentence.text
        assert not DANGLING.search(sentence.text), sentence.text
        assert not re.search(r"\b(?:the|an?) (?:the|an?)\b|  | [,.;]|,\.", sentence.text)


def test_it_is_deterministic() -> None:
    for row in ROWS[:5]:
        text = clean(row["reasoning"])
        assert vague(text) == vague(text)
