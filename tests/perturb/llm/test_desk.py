"""What every text of a model must keep, each rule at its limit from both sides."""

from __future__ import annotations

import pytest

from tests.perturb.word_problems import BAKERY_TEXT, template
from tracelift_groups.perturb.llm.desk import (
    Unsuitable,
    check_flaw,
    check_length,
    check_twin,
    everywhere,
)
from tracelift_groups.perturb.template import Limits, load_templates

WORDS = [f"w{chr(97 + number)}" for number in range(20)]
PARENT = " ".join(WORDS)
NEW = [f"n{chr(97 + number)}" for number in range(20)]
ARITHMETIC = template("arithmetic_error")
ANYWHERE = ARITHMETIC.model_copy(update={"limits": Limits(changed=0.9)})


def reason(check: object, *arguments: object) -> str | None:
    try:
        check(*arguments)  # type: ignore[operator]
    except Unsuitable as unsuitable:
        assert str(unsuitable) == f"{unsuitable.reason}: {unsuitable.detail}"
        return unsuitable.reason
    return None


def flaw(text: str, parent: str = PARENT, of: object = ARITHMETIC) -> str | None:
    return reason(check_flaw, of, parent, text)


def put(*places: int) -> str:
    """The parent with new words in some places."""
    return " ".join(NEW[at] if at in places else word for at, word in enumerate(WORDS))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", None),
        ("", "empty"),
        (" \n\t", "empty"),
        ("x" * 60_000, None),
        ("x" * 60_001, "too_long"),
    ],
)
def test_a_text_is_neither_empty_nor_endless(text: str, why: str | None) -> None:
    assert reason(check_length, text) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PARENT, "unchanged"),
        (PARENT.replace(" ", "\n"), "unchanged"),
        (PARENT.replace(" ", ""), "unchanged"),
        (put(0), None),
        ("- **other** `style`\n" + PARENT, None),
        (" ".join(NEW), None),
        (" ".join(NEW[:8]), None),  # 0.4
        (" ".join(NEW[:7]), "length"),
        (" ".join(NEW + NEW), None),  # 2.0
        (" ".join([*NEW, *NEW, "more"]), "length"),
        ("The wrong one is left out. " + PARENT, None),
        (PARENT + "-" * (3 * len(PARENT)), None),  # 4 times the characters
        (PARENT + "-" * (3 * len(PARENT) + 1), "length"),
    ],
)
def test_a_twin_has_other_words_and_about_the_length(text: str, why: str | None) -> None:
    assert reason(check_twin, PARENT, text) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PARENT, "unchanged"),
        (PARENT.replace(" ", "\n"), "unchanged"),
        (put(3), None),
        (put(*range(3, 10)), None),  # 7 of 20 words: 0.35
        (put(*range(3, 11)), "not_local"),
        (" ".join(WORDS[:12]), None),  # 0.6 of the length
        (" ".join(WORDS[:11]), "length"),
        (" ".join(WORDS + NEW[:8]), None),  # 1.4
        (" ".join(WORDS + NEW[:9]), "length"),
        (put(0, 6, 12), None),
        (put(0, 5, 10, 15), "not_local"),
        (put(0, 4, 8, 12), None),  # three words apart: one place
        ("- " + PARENT, "style"),
        ("# " + PARENT, "style"),
        (PARENT.replace("wc", "**wc**"), "style"),
        (PARENT.replace("wc", "`wc`"), "style"),
        (PARENT.replace("wc", "$$wc$$"), "style"),
        ("1. " + PARENT, "style"),
        (PARENT.replace("wc", "wrong"), "giveaway"),
        (PARENT.replace("wc", "Instead of"), "giveaway"),
        (PARENT.replace("wc", "wrongful"), None),
    ],
)
def test_a_flaw_keeps_all_but_its_place(text: str, why: str | None) -> None:
    assert flaw(text) == why


def test_a_style_or_a_word_that_the_parent_has_is_no_matter() -> None:
    parent = f"- {PARENT} and no error."
    assert flaw(parent.replace("wc", "xc"), parent) is None
    assert flaw(parent.replace("wc", "Error"), parent) is None
    assert flaw(parent.replace("wc", "wrong"), parent) == "giveaway"


def test_of_a_flaw_that_may_be_anywhere_places_are_not_counted() -> None:
    assert not everywhere(ARITHMETIC)
    assert everywhere(ANYWHERE)
    assert not everywhere(ARITHMETIC.model_copy(update={"limits": Limits(changed=0.89)}))
    assert flaw(put(0, 5, 10, 15), of=ANYWHERE) is None
    assert flaw(put(*range(18)), of=ANYWHERE) is None  # 0.9
    assert flaw(put(*range(19)), of=ANYWHERE) == "not_local"


def test_numbers_that_follow_are_no_places() -> None:
    carried = BAKERY_TEXT.replace("84", "74").replace("34", "24").replace("17", "12")
    found = check_flaw(ARITHMETIC, BAKERY_TEXT, carried)
    assert (found.places, found.new) == (0, 0)
    assert carried[found.start : found.end].startswith("74")


def test_the_examples_of_the_templates_keep_the_rules() -> None:
    for domain in ("math", "code"):
        for one in load_templates(domain):  # type: ignore[arg-type]
            assert flaw(one.example.after, one.example.before, one) is None, one.id
