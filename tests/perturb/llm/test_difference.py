"""Where two texts differ first, and how much in all: pairs made by hand."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tracelift_groups.perturb.llm.difference import difference, quoted_step, styles
from tracelift_groups.perturb.made import step_at


@pytest.mark.parametrize(
    ("original", "changed"),
    [
        ("one two", "one two"),
        ("one two", "one\n  two "),
        ("3 * 4 = 12.", "3*4=12 ."),
        ("", ""),
        ("", "  \n"),
    ],
)
def test_texts_with_the_same_words_and_signs_do_not_differ(original: str, changed: str) -> None:
    assert difference(original, changed) is None


# original, changed, what stands at the place, what stood there
PLACES = {
    "one word": ("We add the two sums.", "We double the two sums.", "double", "add"),
    "first word": ("Add the two sums.", "Double the two sums.", "Double", "Add"),
    "last word": ("We add the two sums", "We add the two parts", "parts", "sums"),
    "one number": ("It is 6 * 14 = 84 rolls.", "It is 6 * 14 = 74 rolls.", "74", "84"),
    "number with a comma": ("So 1,200 are left.", "So 1,300 are left.", "1,300", "1,200"),
    "sign": ("He has 8 + 3 dollars.", "He has 8 - 3 dollars.", "-", "+"),
    "two changes close together": (
        "Then add two and five to it.",
        "Then take two and nine to it.",
        "take two and nine",
        "add two and five",
    ),
    "of two changes the first": (
        "Add a first, and after that go on to the end and stop there.",
        "Add b first, and after that go on to the end and wait there.",
        "b",
        "a",
    ),
    "insertion": ("We sort and stop.", "We sort twice and stop.", "twice", ""),
    "insertion at the start": ("We sort and stop.", "First we We sort and stop.", "First we", ""),
    "insertion at the end": ("We sort the list", "We sort the list and stop.", "and stop.", ""),
    "deletion": ("We sort the whole list now.", "We sort the list now.", "", "whole"),
    "deletion at the start": ("So we sort the list.", "we sort the list.", "", "So"),
    "deletion at the end": ("We sort. Then we stop", "We sort.", "", "Then we stop"),
    "everything": ("one two", "three four", "three four", "one two"),
    "from nothing": ("", "three four", "three four", ""),
    "line taken out": (
        "It is 1 + 1 = 2.\nIt is 2 + 2 = 4.\nDone.",
        "It is 1 + 1 = 2.\nDone.",
        "",
        "It is 2 + 2 = 4.",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_first_place(name: str) -> None:
    original, changed, after, before = PLACES[name]
    found = difference(original, changed)
    assert found is not None
    assert changed[found.start : found.end] == after
    assert found.before == before
    untouched = changed[: found.start].rstrip()
    assert original.startswith(untouched)
    if not after:
        assert found.start == found.end == len(untouched)


# original, changed, words and signs that are new of those of the changed text, places
EXTENTS = {
    "one word of six": ("We add the two sums.", "We double the two sums.", 1, 6, 1),
    "a number alone": ("It is 84 rolls.", "It is 74 rolls.", 0, 5, 0),
    "a number and all that follow from it": (
        "6 * 14 = 84 rolls. 84 - 50 = 34 rolls. 34 / 2 = 17 bags.",
        "6 * 14 = 74 rolls. 74 - 50 = 24 rolls. 24 / 2 = 12 bags.",
        0,
        21,
        0,
    ),
    "a decimal for a whole number": ("It is 84 rolls.", "It is 8.4 rolls.", 0, 5, 0),
    "a sign": ("12 + 9 = 21 stamps, halved 21 / 2.", "12 - 9 = 3 stamps, halved 3 / 2.", 1, 12, 1),
    "deletion": ("a b c d e f", "a b e f", 0, 4, 1),
    "insertion at the end": ("a b c d", "a b c d e f", 2, 6, 1),
    "two places, far apart": ("a 1 b c d e f g", "x 1 b c d e f y", 2, 8, 2),
    "four words between are two places": ("a k l m n b", "x k l m n y", 2, 6, 2),
    "three words between are one place": ("a k l m b", "x k l m y", 2, 5, 1),
    "everything": ("a b", "x y z", 3, 3, 1),
    "to nothing": ("a b", "", 0, 1, 1),
}


@pytest.mark.parametrize("name", EXTENTS)
def test_the_share_of_new_words_and_the_places(name: str) -> None:
    original, changed, new, words, places = EXTENTS[name]
    found = difference(original, changed)
    assert found is not None
    assert found.new == pytest.approx(new / words)
    assert found.places == places


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("We add 3 * 4 ** 2 = 48 - 7.", set()),
        ("- one\n- two", {"bullets"}),
        ("• one", {"bullets"}),
        ("-5 is less.", set()),
        ("1. one\n2) two", {"numbered"}),
        ("1.5 is more.", set()),
        ("## Plan\nWe go.", {"heading"}),
        ("This is issue #3.", set()),
        ("**Step** one", {"bold"}),
        ("We take \\frac{1}{2}.", {"latex"}),
        ("We take $$x$$.", {"latex"}),
        ("It costs $5 and $6.", set()),
        ("Return `x`.", {"backticks"}),
        ("- **a** is `b`", {"bullets", "bold", "backticks"}),
    ],
)
def test_the_marks_that_a_text_uses(text: str, marks: set[str]) -> None:
    assert styles(text) == marks


class Written(NamedTuple):
    text: str
    steps: tuple[str, ...]


STEPS = ("The trays hold 84 rolls.", "After the sale 34 are left.", "They fill 17 bags.")


@pytest.mark.parametrize("separator", ["\n", " ", "\n\n"])
def test_the_step_of_a_character(separator: str) -> None:
    text = separator.join(STEPS)
    for number, step in enumerate(STEPS):
        start = text.index(step)
        assert step_at(Written(text, STEPS), start) == number
        assert step_at(Written(text, STEPS), start + len(step) - 1) == number
        assert step_at(Written(text, STEPS), start + len(step)) == number
    assert step_at(Written("a\nb\na\nc", ("a", "b", "a", "c")), 5) == 2
    assert step_at(Written("a", ("a",)), 99) == 0


@pytest.mark.parametrize(
    ("quote", "step"),
    [
        ("After the sale 34 are left.", 1),
        (" AFTER THE\n  SALE", 1),
        ("They fill 17 bags.", 2),
        ("The trays hold 84 rolls", 0),
        ("sale unheard", 1),  # one of two words
        ("sale unheard ofnow", None),  # one of three
        ("", None),
        (" \n ", None),
        ("Nothing like it whatsoever!", None),
    ],
)
def test_the_step_that_a_judge_quotes(quote: str, step: int | None) -> None:
    assert quoted_step(STEPS, quote) == step
