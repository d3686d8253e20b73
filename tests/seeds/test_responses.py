from __future__ import annotations

import pytest

from tracelift_groups.seeds.responses import fenced_program, take_apart, unwrapped, without_code


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nFirst a, then b.\n</think>\n\nThe reply.",
        "First a, then b.\n</think>\nThe reply.\n",
        '"<think>\nFirst a, then b.\n</think>\n\nThe reply."',
        "preface <think>First a, then b.</think>The reply.",
    ],
)
def test_thinking_and_reply_whatever_surrounds_them(text: str) -> None:
    assert take_apart(text) == ("First a, then b.", "The reply.")


@pytest.mark.parametrize("text", ["", '"', "no tags", "<think> cut off", "a < b"])
def test_without_an_end_of_the_thinking_there_is_none(text: str) -> None:
    assert take_apart(text) is None


def test_the_last_closing_tag_counts() -> None:
    assert take_apart("<think>I write </think> at the end.</think>Done") == (
        "I write </think> at the end.",
        "Done",
    )


def test_fenced_code_goes_and_the_text_around_it_stays() -> None:
    text = (
        "Try this:\n\n```python\nx = 1\n\ny = 2\n```\n\n"
        "No, `a` and ```b``` are better.\n~~~\nz\n~~~\nEnd."
    )
    assert without_code(text) == "Try this:\n\nNo, `a` and ```b``` are better.\n\nEnd."


def test_a_block_that_is_never_closed_runs_to_the_end() -> None:
    assert without_code("Plan.\n```python\nx = 1\nand on") == "Plan."


def test_a_shorter_fence_does_not_close_a_longer_one() -> None:
    assert without_code("A\n````\n```\nx\n```\n````\nB") == "A\n\nB"


def test_the_last_python_block_is_the_program_and_prose_is_none() -> None:
    assert (
        fenced_program("```python\na = 1\n```\ntext\n```python\nb = 2\n```\n```\nout\n```")
        == "b = 2\n"
    )
    assert fenced_program("x = 1\nprint(x)") is None


def test_unwrapping_takes_the_thinking_or_leaves_all() -> None:
    assert unwrapped("<think>why</think>code") == "why"
    assert unwrapped("<think>\n\n</think>\n\nwhy, then code") == "why, then code"
    assert unwrapped(" plain text ") == " plain text "
