"""A reasoning text: sentences, and edits that leave the rest as it is."""

from __future__ import annotations

import pytest

from tests.perturb.code.programs import ROWS
from tracelift_groups.perturb.code.text import CodeTrace, Edit, is_heading
from tracelift_groups.reference.code import clean


def sentences(text: str) -> list[str]:
    return [sentence.text for sentence in CodeTrace(text).sentences]


def without(text: str, *gone: str) -> str:
    trace = CodeTrace(text)
    edits = [Edit(sentence, "") for sentence in trace.sentences if sentence.text in gone]
    assert len(edits) == len(gone)
    return trace.edited(edits).text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("We go on. Then we stop.", ["We go on.", "Then we stop."]),
        ("Why? Because! So.", ["Why?", "Because!", "So."]),
        ("First sort. `xs` is then sorted.", ["First sort.", "`xs` is then sorted."]),
        ("A list, e.g. Python's, is fine. It grows.",
         ["A list, e.g. Python's, is fine.", "It grows."]),
        ("Equal ones, i.e. Those alike, go.", ["Equal ones, i.e. Those alike, go."]),
        ("Call `a.b(c. D)` now. Done.", ["Call `a.b(c. D)` now.", "Done."]),
        ("Use `xs.sort()`. Then look.", ["Use `xs.sort()`.", "Then look."]),
        ("Version 3.11 is enough.", ["Version 3.11 is enough."]),
        (r"It is \(O(n. K)\) here. Fine.", [r"It is \(O(n. K)\) here.", "Fine."]),
        ("- **Idea.** A window moves.", ["**Idea.**", "A window moves."]),
        ("1. First this. Then that.", ["First this.", "Then that."]),
        ("  - Deeper. Still.", ["Deeper.", "Still."]),
        ("It goes up by 1. Then more.", ["It goes up by 1.", "Then more."]),
        ("### Heading", ["Heading"]),
        ("One line\nand another", ["One line", "and another"]),
        ("The plan: We sort.", ["The plan:", "We sort."]),
        ("the plan: we sort.", ["the plan: we sort."]),
        ("", []),
        ("\n\n", []),
    ],
)  # fmt: skip
def test_a_text_is_split_into_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_sentences_are_where_they_say_and_lose_nothing(row: dict[str, str]) -> None:
    trace = CodeTrace(clean(row["reasoning"]))
    for sentence in trace.sentences:
        assert trace.lines[sentence.line][sentence.start : sentence.end] == sentence.text
        assert sentence.text.count("`") % 2 == 0
    # No edit, or one that puts the same words, changes nothing.
    assert trace.edited([]).text == trace.text
    same = [Edit(sentence, sentence.text) for sentence in trace.sentences]
    assert trace.edited(same).text == trace.text


@pytest.mark.parametrize("row", ROWS[::2])
def test_a_sentence_that_goes_takes_nothing_else_along(row: dict[str, str]) -> None:
    trace = CodeTrace(clean(row["reasoning"]))
    for sentence in trace.sentences:
        if is_heading(sentence.text):
            continue
        left = [one.text for one in trace.edited([Edit(sentence, "")]).sentences]
        others = [one.text for one in trace.sentences if one is not sentence]
        gone = [text for text in others if text not in left]
        assert all(is_heading(text) for text in gone)
        assert [text for text in others if text not in gone] == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("- **Idea.** A window moves.", "- A window moves."),
        ('It is "done." Then we stop.', "Then we stop."),
        ("(All of them.) Then we stop.", "Then we stop."),
    ],
)
def test_the_marks_around_a_sentence_go_with_it(text: str, left: str) -> None:
    trace = CodeTrace(text)
    assert trace.edited([Edit(trace.sentences[0], "")]).text == left


def test_only_the_sentence_changes() -> None:
    trace = CodeTrace("- **A.** One.  Two.\n\n  code")
    edit = Edit(trace.sentences[1], "Three.")
    assert trace.edited([edit]).text == "- **A.** Three.  Two.\n\n  code"


def test_several_edits_of_a_line_do_not_shift_each_other() -> None:
    trace = CodeTrace("One. Two. Three. Four.")
    first, second, third, _ = trace.sentences
    edits = [Edit(second, "A much longer one."), Edit(first, "1."), Edit(third, "")]
    assert trace.edited(edits).text == "1. A much longer one. Four."


def test_a_line_goes_with_its_last_sentence() -> None:
    assert without("One.\nTwo.\nThree.", "Two.") == "One.\nThree."
    assert without("One.\n\nTwo.\n\nThree.", "Two.") == "One.\n\nThree."
    assert without("One. Two.\nThree.", "Two.") == "One.\nThree."


def test_a_heading_in_the_line_goes_with_what_stood_under_it() -> None:
    assert without("- **Start**: We sort.\n- **End**: We stop.", "We sort.") == (
        "- **End**: We stop."
    )


def test_a_numbered_list_is_numbered_anew() -> None:
    text = "Plan\n1. One.\n2. Two.\n3. Three.\n\nLater\n5. Five.\n6. Six."
    assert without(text, "Two.") == "Plan\n1. One.\n2. Three.\n\nLater\n5. Five.\n6. Six."
    assert without(text, "One.", "Five.") == "Plan\n1. Two.\n2. Three.\n\nLater\n5. Six."


def test_a_nested_list_keeps_its_own_numbers() -> None:
    text = "1. One.\n   1. In one.\n   2. More.\n2. Two.\n3. Three."
    assert without(text, "In one.") == "1. One.\n   1. More.\n2. Two.\n3. Three."


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("**Sorting**:", True),
        ("**Sorting:**", True),
        ("Approach:", True),
        ("**Idea**", True),
        ("We sort.", False),
        ("`xs`:", False),
        ("**Idea** is all", False),
        ("", False),
    ],
)
def test_a_heading_is_nothing_but_one(text: str, heading: bool) -> None:
    assert is_heading(text) is heading


def test_steps_are_lines_or_the_sentences_of_a_single_one() -> None:
    assert CodeTrace("One. Two.\n\nThree.").steps == ("One. Two.", "Three.")
    assert CodeTrace("One. Two.").steps == ("One.", "Two.")


def test_a_line_is_put_in_behind_another() -> None:
    assert CodeTrace("a\nb").with_line(0, "x").text == "a\nx\nb"
    assert CodeTrace("a\nb").with_line(1, "x").text == "a\nb\nx"


def test_texts_that_differ_in_spaces_alone_share_a_key() -> None:
    assert CodeTrace("a  b\n\nc").key == CodeTrace("a b c").key
    assert CodeTrace("a b").key != CodeTrace("a. b").key
