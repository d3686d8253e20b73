"""Gold reasoning for a program: cleaned of the program and what announces it."""

from __future__ import annotations

import pytest

from tracelift_groups.reference.code import clean


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("We sort.\n```python\nxs.sort()\n```\nThen we stop.", "We sort.\n\nThen we stop."),
        ("We sort.\n~~~\nxs.sort()\n~~~", "We sort."),
        ("We sort.\n```python\nxs.sort()", "We sort."),  # never closed
        ("We sort.\n````\n```\nx\n```\n````\nDone.", "We sort.\n\nDone."),
        ("<think>We sort.</think>\nThe code is above.", "We sort."),
        ("We sort.\r\nThen we stop.", "We sort.\nThen we stop."),
        ("### Approach\nWe sort.", "We sort."),
        ("**Code Explanation**\nWe sort.", "We sort."),
        ("### Sorting\nWe sort.", "### Sorting\nWe sort."),
        ("Certainly! We sort.", "We sort."),
        ("We sort. Here is the implementation:\n```\nx\n```", "We sort."),
        ("We sort.\n\n\n\nThen we stop.", "We sort.\n\nThen we stop."),
        ("We sort.  \nThen we stop.", "We sort.\nThen we stop."),
        ("Inline `code` stays.", "Inline `code` stays."),
    ],
)
def test_the_program_and_its_announcement_go(text: str, left: str) -> None:
    assert clean(text) == left


def test_a_sentence_that_leads_to_a_list_stays() -> None:
    text = "The solution has the following steps:\n1. We sort.\n2. We stop."
    assert clean(text) == text


def test_cleaning_twice_changes_nothing() -> None:
    text = "Sure, we sort.\n\n### Code\n```\nx\n```\nHere is the code.\n- **A**: one."
    assert clean(clean(text)) == clean(text)
