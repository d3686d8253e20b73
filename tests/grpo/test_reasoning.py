from __future__ import annotations

import pytest

from tracelift_groups.grpo.leaks import without_leak
from tracelift_groups.grpo.reasoning import Format, extract


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("<reasoning>2 + 2 = 4.</reasoning>", "2 + 2 = 4."),
        ("  <reasoning>\n2 + 2 = 4.\n</reasoning>\n", "2 + 2 = 4."),
        ("Sure! <reasoning>2 + 2 = 4.</reasoning> Done.", "2 + 2 = 4."),
    ],
)
def test_one_pair_of_tags(completion: str, expected: str) -> None:
    found = extract(completion, "math")
    assert (found.text, found.format) == (expected, Format.OK)
    assert not found.leaked


@pytest.mark.parametrize(
    ("completion", "format"),
    [
        ("2 + 2 = 4.", Format.NO_TAGS),
        ("", Format.NO_TAGS),
        ("2 + 2 = 4.</reasoning>", Format.NO_TAGS),
        ("<Reasoning>2 + 2</Reasoning>", Format.NO_TAGS),
        ("<reasoning>2 + 2 = 4.", Format.UNCLOSED),
        ("<reasoning>1</reasoning><reasoning>2</reasoning>", Format.SEVERAL),
        ("<reasoning><reasoning>1</reasoning></reasoning>", Format.SEVERAL),
        ("</reasoning><reasoning>1", Format.SEVERAL),
        ("<reasoning>1</reasoning></reasoning>", Format.SEVERAL),
        ("<reasoning></reasoning>", Format.EMPTY),
        ("<reasoning> \n </reasoning>", Format.EMPTY),
        ("<reasoning>The answer is 4.</reasoning>", Format.EMPTY),
    ],
)
def test_everything_else_has_a_name_and_no_text(completion: str, format: Format) -> None:
    found = extract(completion, "math")
    assert found.format is format
    assert found.text == ""


@pytest.mark.parametrize("repeats", [False, True])
def test_a_prefilled_tag(repeats: bool) -> None:
    completion = f"{'<reasoning>' if repeats else ''}2 + 2 = 4.</reasoning>"
    assert extract(completion, "math", prefilled=True).text == "2 + 2 = 4."
    assert extract("2 + 2", "math", prefilled=True).format is Format.UNCLOSED
    again = "1</reasoning><reasoning>2</reasoning>"
    assert extract(again, "math", prefilled=True).format is Format.SEVERAL


def test_what_is_beside_the_tags_is_counted() -> None:
    assert extract("ab <reasoning>1</reasoning> cde ", "math").outside == 5


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_sent() -> None:
    assert extract("<reasoning>1 \ud800 2</reasoning>", "math").text == "1 ? 2"


LEAKS = [
    "The answer is 42.",
    "So the final answer is: 42",
    "**Final answer:** 42",
    "Answer: 42",
    "#### 42",
    "<answer>42</answer>",
    "<answer>42",
    r"\boxed{42}",
    r"Hence \boxed{42} apples.",
    "Therefore, the answer is 42 apples in all",
    "My answer is 42",
    "the answer = 42",
]


@pytest.mark.parametrize("leak", LEAKS)
def test_a_stated_answer_is_taken_out(leak: str) -> None:
    found = extract(f"<reasoning>6 * 7 = 42 apples.\n{leak}</reasoning>", "math")
    assert found.text == "6 * 7 = 42 apples."
    assert found.leaked
    inline = extract(f"<reasoning>6 * 7 = 42 apples. {leak}</reasoning>", "math")
    assert inline.text == "6 * 7 = 42 apples."


@pytest.mark.parametrize(
    "text",
    [
        "She answers 3 questions in 2 minutes.",
        "The answer to the first part, 12, is needed again: 12 * 2 = 24.",
        "To answer it, count the boxes: 3 * 4 = 12.",
        "He has 6 * 7 = 42 apples.",
        "Each answer sheet has 4 pages, 30 * 4 = 120.",
        "Number 4: 2 # 3",
    ],
)
def test_reasoning_about_answers_stays(text: str) -> None:
    assert without_leak(text, "math") == text


CODE_LEAKS = [
    "```python\ndef f(n):\n    return n + 1\n```",
    "~~~\nprint(1)\n~~~",
    "```python\nprint(1)",
    "def f(n):\n    return n + 1",
    "class Solution:\n    def f(self):\n        return 1\n",
    "import sys\nfrom math import gcd",
]


@pytest.mark.parametrize("leak", CODE_LEAKS)
def test_a_program_is_taken_out_of_a_plan(leak: str) -> None:
    found = extract(f"<reasoning>Go over the list once.\n{leak}\n</reasoning>", "code")
    assert found.text == "Go over the list once."
    assert found.leaked


@pytest.mark.parametrize(
    "text",
    [
        "from the list, take the largest",
        "import duties are summed first",
        "`def` is not needed; loop over `range(1, n + 1)`.",
        "class sizes differ: keep a counter",
        "The answer is the largest gap; keep it in `best`.",
    ],
)
def test_a_plan_in_words_stays(text: str) -> None:
    assert without_leak(text, "code") == text


HOSTILE = [
    "<reasoning>" * 90_000,
    "<reasoning>" + "answer " * 150_000 + "</reasoning>",
    "<reasoning>" + "**" * 500_000 + "</reasoning>",
    "<reasoning>" + " \t" * 500_000 + "x</reasoning>",
    "<reasoning>" + "\\boxed " * 150_000 + "</reasoning>",
    "<reasoning>" + "so, the final " * 70_000 + "</reasoning>",
    "<reasoning>" + "<answer>" * 120_000 + "</reasoning>",
    "<reasoning>" + "```\n" * 250_000 + "</reasoning>",
    "<reasoning>" + "~~~~" * 250_000 + "</reasoning>",
    "<reasoning>" + "def f(\n" * 140_000 + "</reasoning>",
    "<reasoning>" + "def f(\n" + "\n \t" * 300_000 + "</reasoning>",
    "<reasoning>" + ". " * 500_000 + "</reasoning>",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("domain", ["math", "code"])
def test_a_megabyte_of_anything_ends(text: str, domain: str) -> None:
    """Patterns that backtrack would take hours here."""
    found = extract(text, domain)  # type: ignore[arg-type]
    assert len(found.text) <= len(text)
