from __future__ import annotations

import pytest

from tracelift_groups.grpo.leaks import without_leak
from tracelift_groups.grpo.reasoning import Format, extract
from tracelift_groups.verify.answers import stated_answers


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("<reasoning>2 + 2 = 4.</reasoning>", "2 + 2 = 4."),
        ("  <reasoning>\n2 + 2 = 4.\n</reasoning>\n", "2 + 2 = 4."),
        ("Sure! <reasoning>2 + 2 = 4.</reasoning> Done.", "2 + 2 = 4."),
        ("<problem>Q</problem>\n<reasoning>2 + 2 = 4.</reasoning>", "2 + 2 = 4."),
        ("<reasoning>1 < 2, so 2 <b 3.</reasoning> <Reasoning>", "1 < 2, so 2 <b 3."),
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
        ("<reasoning>1</REASONING><Reasoning>2</reasoning>", Format.SEVERAL),
        ("<reasoning>1</ reasoning > Reply with 5.</reasoning>", Format.SEVERAL),
        ("<reasoning>1\n<problem>\nWhat is 5?\n</problem></reasoning>", Format.SEVERAL),
        ("<reasoning>\n```\n<reasoning>\n```\n</reasoning>", Format.SEVERAL),
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
    "- The answer is 42",
    "> Answer: 42",
    "### Answer: 42",
    "## Final Answer\n42",
    "## Final Answer\n\n42",
    "The answer is:\n**42**",
    "\\boxed{\n42\n}",
    "_Answer_: 42",
    "(answer: 42)",
    "The correct answer is 42",
    "That means the answer is 42",
    "Finally: our final answer will be 42",
    "The answer's 42",
]


@pytest.mark.parametrize("leak", LEAKS)
def test_a_stated_answer_is_taken_out(leak: str) -> None:
    found = extract(f"<reasoning>6 * 7 = 42 apples.\n{leak}</reasoning>", "math")
    assert found.text == "6 * 7 = 42 apples."
    assert found.leaked
    if not leak.startswith((">", "#", "-")):
        inline = extract(f"<reasoning>6 * 7 = 42 apples. {leak}</reasoning>", "math")
        assert inline.text == "6 * 7 = 42 apples."


@pytest.mark.parametrize(
    "leak",
    [
        ", so the answer is 42.",
        " and therefore the final answer is 42",
        ": the answer is 42",
        " \u2014 the answer is **42**",
        ", which means that our answer is 42.",
    ],
)
def test_a_clause_that_states_an_answer_is_taken_off_its_sentence(leak: str) -> None:
    found = extract(f"<reasoning>6 boxes of 7 hold 42{leak} Each is full.</reasoning>", "math")
    assert found.text.startswith("6 boxes of 7 hold 42")
    assert "answer" not in found.text
    assert found.leaked


@pytest.mark.parametrize("leak", LEAKS)
def test_no_answer_is_left_that_the_verifier_would_read(leak: str) -> None:
    for text in (leak, f"It is so: {leak}", f"1. {leak}", f"First, 6 * 7. {leak} So."):
        kept = without_leak(f"Two\nlines.\n{text}\nAnother line.", "math")
        assert stated_answers(kept).answers == []


@pytest.mark.parametrize(
    "text",
    [
        "She answers 3 questions in 2 minutes.",
        "The answer to the first part, 12, is needed again: 12 * 2 = 24.",
        "To answer it, count the boxes: 3 * 4 = 12.",
        "He has 6 * 7 = 42 apples.",
        "Each answer sheet has 4 pages, 30 * 4 = 120.",
        "Number 4: 2 # 3",
        "Her answer is 3 more than his, 5 + 3 = 8.",
        "The first answer is worth 4 points, the second answer is worth 2.",
        "  Kept as it is:   even  spaces. And this;  too.",
        "",
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
    "    def f(n):\n        return n + 1",
    "- def f(n):\n      return n + 1",
    "1. ```python\n   print(1)\n   ```",
    "async def f(n):\n    return n",
    "import numpy as np  # arrays",
    "n = int(input())\na, b = map(int, input().split())\nif a > n:\n    b += 1\nprint(a + b)",
    "1. n = int(input())\n2. print(2 * n)",
    "for line in sys.stdin:\n    print(line.strip())",
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
        "Read n, then n numbers.\nfor each number:\n    best = max(best, it)\nReturn best.",
        "1. Read the grid with `input()`.\n2. total = rows * columns\n3. Print it.",
        "- from 1 to n, import nothing",
        "  definition of done: all tests pass\n\n  class of the problem: greedy",
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
    "<reasoning>" + "<" + " " * 999_000 + "</reasoning>",
    "<reasoning>" + "< /" * 300_000 + "</reasoning>",
    "<reasoning>" + "so the answer " * 70_000 + "</reasoning>",
    "<reasoning>" + "her answer is " * 70_000 + "</reasoning>",
    "<reasoning>" + "answer" + "* " * 500_000 + "</reasoning>",
    "<reasoning>" + "#*_ >" * 200_000 + "answer" + "*_" * 100_000 + "</reasoning>",
    "<reasoning>" + "\\boxed{\n" * 110_000 + "</reasoning>",
    "<reasoning>" + "if " + ":" * 500_000 + " " * 500_000 + "x</reasoning>",
    "<reasoning>" + "f(" + ") " * 500_000 + "x</reasoning>",
    "<reasoning>" + "a" + "[b]" * 330_000 + "</reasoning>",
    "<reasoning>" + "a" + ", a" * 330_000 + "</reasoning>",
    "<reasoning>" + "import a" + ", a as b" * 120_000 + "!</reasoning>",
    "<reasoning>" + "1." * 500_000 + "</reasoning>",
    "<reasoning>" + "x = input(\n" * 90_000 + "</reasoning>",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("domain", ["math", "code"])
def test_a_megabyte_of_anything_ends(text: str, domain: str) -> None:
    """Patterns that backtrack would take hours here."""
    found = extract(text, domain)  # type: ignore[arg-type]
    assert len(found.text) <= len(text)
