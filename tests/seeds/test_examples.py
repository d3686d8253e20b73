from __future__ import annotations

import json

import pytest

from tests.conftest import SHARED_DATA
from tracelift_groups.seeds.examples import examples

FORMAT = "Add.\n\nInput\n\nThe first line has n.\n\nOutput\n\nPrint the sum.\n\n"

# Statements made up for these tests, in the layouts that platforms and data sets have.
LAYOUTS = {
    "headings a blank line apart": FORMAT
    + "Examples\n\nInput\n\n3\n1 2\n\n\nOutput\n\n6\n\n\nInput\n\n1\n5\n\n\n"
    "Output\n\nYES\n\nNote\n\nSo.",
    "ruled headings": "-----Input-----\nA line.\n\n-----Output-----\nA line.\n\n"
    "-----Examples-----\nInput\n3\n1 2\n\nOutput\n6\n\nInput\n1\n5\n\n"
    "Output\nYES\n\n-----Note-----\nSo.",
    "sample headings, explained": "-----Input-----\nLike this:\nn\n\n"
    "-----Sample Input-----\n3\n1 2\n\n"
    "-----Sample Output-----\n6\n\nThe sum of these numbers is 6.\n\n"
    "-----Sample Input-----\n1\n5\n\n-----Sample Output-----\nYES\n",
    "numbered samples": "------ Input ------ \n\nT.\n\n----- Sample Input 1 ------ \n3\n1 2\n"
    "----- Sample Output 1 ------ \n6\n----- explanation 1 ------ \nadd them\n"
    "----- Sample Input 2 ------ \n1\n5\n----- Sample Output 2 ------ \nYES",
    "capitals": "Input:\nA line.\n\nConstraints:\n1 ≤ n\n\nSAMPLE INPUT 1\n3\n1 2\n\n"
    "SAMPLE OUTPUT 1\n6\n\n"
    "Explanation\n\nAdd.\n\nSAMPLE INPUT 2\n1\n5\n\nSAMPLE OUTPUT 2\nYES\n\nExplanation\n\nAdd.",
    "ruled with equals signs": "=====Input Format=====\nA line\n=====Sample Input 0=====\n3\n1 2\n"
    "=====Sample Output 0=====\n6\n=====Explanation 0=====\nadd\n"
    "=====Sample Input 1=====\n1\n5\n=====Sample Output 1=====\nYES",
    "fenced": "## Input\n\nA line.\n\n## Example 1:\n\n**Input**\n```\n3\n1 2\n```\n"
    "**Output**\n```\n6\n```\n"
    "## Example 2:\n\n**Input**\n```text\n1\n5\n```\n**Output**\n```text\nYES\n```\nand so on",
    "indented": "-----Sample Input:-----\n\t3\n\t1 2\n-----Sample Output:-----\n\t6\n"
    "-----EXPLANATION:-----\nAdd.\n"
    "-----Sample Input 2:-----\n\t1\n\t5\n-----Sample Output 2:-----\n\tYES\n",
    "sample test(s)": "Sample test(s)\nInput\n3\n1 2\nOutput\n6\nInput\n1\n5\nOutput\nYES\n"
    "Note\nSo.",
    "crlf": (FORMAT + "Example 1\nInput\n3\n1 2\nOutput\n6\nExample 2\nInput\n1\n5\nOutput\n"
    "YES").replace(
        "\n", "\r\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_examples_are_read_in_every_layout(layout: str) -> None:
    assert examples(LAYOUTS[layout]) == [("3\n1 2\n", "6\n"), ("1\n5\n", "YES\n")]


def test_values_on_the_headings_own_lines() -> None:
    text = (
        "Given n.\n\nExample 1:\nInput: 5\nOutput: 120\nExplanation: 5!\n"
        "Example 2:\nInput: 1\nOutput: 1"
    )
    assert examples(text) == [("5\n", "120\n"), ("1\n", "1\n")]


def test_a_call_with_named_values_is_no_example() -> None:
    text = "Example 1:\n\nInput: nums = [1,2], target = 3\nOutput: [0,1]\n\nConstraints:\n1 <= n"
    assert examples(text) == []


def test_the_description_of_the_format_is_no_example() -> None:
    assert examples(FORMAT) == []
    assert examples("nothing at all") == examples("") == []


def test_an_example_without_output_is_left_out_and_the_next_one_read() -> None:
    text = "Examples\n\nInput\n\n3\n\nOutput\n\n\nInput\n\n4\n\nOutput\n\n5\n"
    assert examples(text) == [("4\n", "5\n")]


def test_blank_lines_inside_an_output_stay_and_prose_goes() -> None:
    text = "Example\n\nInput\n\n2\n\nOutput\n\nab\n\ncd\n\nHere the answer is two words."
    assert examples(text) == [("2\n", "ab\n\ncd\n")]


def test_an_output_that_is_prose_stays_whole() -> None:
    text = (
        "Example\nInput\n2\nOutput\nThis is the first sentence here.\n\n"
        "This is the second sentence here."
    )
    (only,) = examples(text)
    assert only.output.count("sentence") == 2


def test_equal_values_of_two_outputs_in_a_row_make_one_example() -> None:
    assert examples("Sample Input\n1\nSample Output\n2\nSample Output\n3") == [("1\n", "2\n")]


def lines(value: str) -> list[str]:
    return [line.rstrip() for line in value.replace("\xa0", " ").strip().split("\n")]


@pytest.mark.real_data
def test_the_examples_of_apps_are_those_that_the_set_itself_has() -> None:
    file = SHARED_DATA / "derived" / "apps100_stdin.jsonl"
    if not file.is_file():
        pytest.skip("no real data here")
    wrong = []
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        want = [tuple(map(lines, pair)) for pair in zip(row["inputs"], row["outputs"], strict=True)]
        if [tuple(map(lines, example)) for example in examples(row["problem"])] != want:
            wrong.append(row["task_id"])
    assert wrong == []


@pytest.mark.real_data
def test_the_examples_of_complete_apps_problems_are_among_their_tests() -> None:
    file = SHARED_DATA / "derived" / "apps_train_5_full.jsonl"
    if not file.is_file():
        pytest.skip("no real data here")
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        tests, found = row["input_output"], examples(row["question"])
        if tests.get("fn_name"):
            assert found == []
            continue
        want = [
            [lines(one), lines(two)]
            for one, two in zip(*map(tests.get, ("inputs", "outputs")), strict=True)
        ]
        assert found
        assert all([lines(one.input), lines(one.output)] in want for one in found)
