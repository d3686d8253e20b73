from __future__ import annotations

from pathlib import Path

import pytest

from tests.perturb.word_problems import bakery
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.perturb.math.checks import parsed
from tracelift_groups.perturb.math.soundness import soundness
from tracelift_groups.perturb.math.trace import Problem

# The reference: 6 * 14 = 84, 84 - 50 = 34, 34 / 2 = 17.
CASES = {
    "other words": (
        "14 rolls times 6 trays: 14 * 6 = 84.\nSold: 84 - 50 = 34 stay.\nBags: 34 / 2 = 17.",
        ("sound", ""),
    ),
    "one expression": ("They fill ((6 * 14) - 50) / 2 = 17 bags.", ("sound", "")),
    "a slip": (
        "The trays hold 6 * 14 = 94 rolls.\n94 - 50 = 44 are left.\n44 / 2 = 22 bags.",
        ("unsound", "false_equation"),
    ),
    "a slip that is taken back": (
        "The trays hold 6 * 14 = 94 rolls.\n84 - 50 = 34 are left.\n34 / 2 = 17 bags.",
        ("unsound", "false_equation"),
    ),
    "another operation": (
        "The trays hold 6 * 14 = 84 rolls.\n84 + 50 = 134 are left.\n134 / 2 = 67 bags.",
        ("unsound", "wrong_answer"),
    ),
    "too early": (
        "The trays hold 6 * 14 = 84 rolls.\nAfter the sale 84 - 50 = 34 are left.",
        ("unsound", "wrong_answer"),
    ),
    "a step left out": (
        "After the sale 84 - 50 = 34 rolls are left.\nThey fill 34 / 2 = 17 bags.",
        ("unsound", "unsupported"),
    ),
    "the answer asserted": (
        "The trays hold 6 * 14 = 84 rolls.\n84 - 50 = 34 are left.\nThat is 17 bags.",
        ("unsound", "unsupported"),
    ),
    "the answer asserted beside other work": (
        "6 * 14 = 84 rolls.\n84 - 50 = 34 are left.\nHalf the sale is 50 / 2 = 25.\nSo 17 bags.",
        ("unsound", "unsupported"),
    ),
    "a number from nowhere": (
        "The trays hold 6 * 14 = 84 rolls.\n84 - 51 = 33 are left.\n33 + 1 = 34.\n34 / 2 = 17.",
        ("unsound", "unsupported"),
    ),
    "right by accident": (
        "The trays hold 6 * 14 = 84 rolls.\nOne packs 14 + 6 - 6 / 2 = 17 bags.",
        ("unsound", "unsupported"),
    ),
    "no arithmetic": (
        "They bake, sell and pack, and 17 bags are full.",
        ("unreadable", "no_equation"),
    ),
    "nothing": ("", ("unreadable", "no_equation")),
    "unknowns": (
        "Let x be the bags. 6 * 14 = 84 and 84 - 50 = 34.\nx is half of it, 17.",
        ("unreadable", "unknowns"),
    ),
    "half an equation": (
        "6 * 14 = 84.\n84 - 50 = 34.\nThe bags are = 34 / 2 = 17.",
        ("unreadable", "unread_equation"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_texts_by_hand(name: str) -> None:
    text, expected = CASES[name]
    found = soundness(bakery(), text)
    assert (found.outcome, found.reason) == expected, found.detail


def test_the_detail_names_the_place() -> None:
    said = soundness(bakery(), CASES["a slip"][0]).detail
    assert "6 * 14 = 94" in said
    assert soundness(bakery(), CASES["too early"][0]).detail == "it ends on 34"


def test_it_agrees_with_the_certificates_of_a_build(sample_run: Path) -> None:
    judged = 0
    for group in groups_of(sample_run):
        reference = parsed(group.reference, Problem(group.problem))
        for trace in group.traces:
            found = soundness(reference, trace.text)
            assert (found.outcome == "sound") == trace.sound, (trace.text, found)
            judged += 1
    assert judged > 300
