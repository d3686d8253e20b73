from __future__ import annotations

import base64
import gzip
import json
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED_DATA, write_jsonl
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.benchmarks import Benchmark, read_benchmark
from tracelift_groups.grpo.prompting import executor_prompt, planner_prompt
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.seeds.rows import read_rows


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(2) as one:
        yield one


def passes(verifier: Verifier, benchmark: Benchmark, reply: str, number: int = 0) -> bool:
    outcome = verifier.verify(benchmark.problems[number], reply)
    assert outcome.valid, outcome
    return outcome.passed


def one_row(tmp_path: Path, row: dict[str, Any], format_name: str = "auto") -> Benchmark:
    return read_benchmark(write_jsonl(tmp_path / "rows.jsonl", [row]), format_name)


MATH: list[tuple[dict[str, Any], str, str, list[str], list[str]]] = [
    (
        {"question": "2 + 2?", "answer": "Add: <<2+2=4>>4\n#### 4"},
        "gsm8k",
        "2 + 2?",
        ["4", "The answer is 4.", "$4"],
        ["5", "4.001", "4 or 5", ""],
    ),
    (
        {"input": "A third of 7?", "code": "7/3", "target": 7 / 3},
        "gsm-hard",
        "A third of 7?",
        ["2.3333333", "2.333", "2.33367"],
        ["2.33", "2", "7/3 or 2"],
    ),
    (
        {"Body": "He has 2 dvds", "Question": "How many?", "Answer": "2.0", "ID": "chal-7"},
        "svamp",
        "He has 2 dvds. How many?",
        ["2", "2.0"],
        ["3", "2 or 3"],
    ),
    (
        {"problem": "Solve.", "answer": r"\frac{1}{2}", "unique_id": "x"},
        "math500",
        "Solve.",
        [r"\boxed{\frac12}", r"\boxed{1/2}"],
        [r"\boxed{2}", ""],
    ),
]


@pytest.mark.parametrize("row", MATH, ids=lambda row: row[1])
def test_word_problems(row: Any, tmp_path: Path, verifier: Verifier) -> None:
    values, name, text, right, wrong = row
    benchmark = one_row(tmp_path, values)
    assert benchmark.format == name
    assert benchmark.problems[0].text == text
    for reply in right:
        assert passes(verifier, benchmark, reply), reply
    for reply in wrong:
        assert not passes(verifier, benchmark, reply), reply


HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "import math\n\ndef helper(x):\n    return x + 1\n\n\ndef up(x):\n    '''Next.'''\n",
    "entry_point": "up",
    "canonical_solution": "    return helper(x)\n",
    "test": "def check(candidate):\n    assert candidate(1) == helper(1) == 2\n    "
    "assert candidate(4) == 5\n",
}
PLUS = {
    **HUMANEVAL,
    "base_input": [[1], [4]],
    "plus_input": [[-7], [1e300], [float("inf")]],
    "atol": 0,
    "contract": "",
}
PAIRS = {
    "task_id": "Mbpp/2",
    "prompt": '"""Pair up."""\n',
    "entry_point": "pairs",
    "canonical_solution": "def pairs(x):\n    return tuple((a, a / 3) for a in x)\n",
    "base_input": [[[1, 2]]],
    "plus_input": [[[]], [[7]]],
    "atol": 0,
}
NEEDS_TUPLES = {
    **PAIRS,
    "entry_point": "join",
    "canonical_solution": "def join(a, b):\n    return a + (b,)\n",
    "base_input": [[[1], 2]],
    "plus_input": [],
    "assertion": "assert join((1,), 2) == (1, 2)\n",
}
MBPP = {
    "task_id": 3,
    "text": "Double it.",
    "code": "def double(x):\n    return 2 * x",
    "test_setup_code": "",
    "test_list": ["assert double(2) == 4", "assert double(5) == 10"],
}


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


CODE = [
    (HUMANEVAL, "humaneval", ["def up(x):\n    return x + 1"], ["def up(x):\n    return 2"]),
    (PLUS, "evalplus", ["def up(x):\n    return x + 1"], ["def up(x):\n    return abs(x) + 1"]),
    (
        PAIRS,
        "evalplus",
        [
            "def pairs(x):\n    return [[a, a / 3 + 1e-8] for a in x]",
            "def pairs(x):\n    return tuple((a, a / 3) for a in x)",
        ],
        [
            "def pairs(x):\n    return [[a, a / 3 + 1e-4] for a in x]",
            "def pairs(x):\n    return [[a, a // 3] for a in x]",
            "def pairs(x):\n    return None",
        ],
    ),
    (
        NEEDS_TUPLES,
        "evalplus",
        ["def join(a, b):\n    return (*a, b)"],
        ["def join(a, b):\n    return (b, *a)"],
    ),
    (MBPP, "mbpp", [str(MBPP["code"])], ["def double(x):\n    return 4"]),
]


@pytest.mark.parametrize(("row", "name", "right", "wrong"), CODE)
def test_programs(
    row: dict[str, Any],
    name: str,
    right: list[str],
    wrong: list[str],
    tmp_path: Path,
    verifier: Verifier,
) -> None:
    benchmark = one_row(tmp_path, row)
    assert benchmark.format == name
    for code in right:
        assert passes(verifier, benchmark, fenced(code)), code
    for code in wrong:
        assert not passes(verifier, benchmark, fenced(code)), code


def test_a_program_cannot_reach_the_reference(tmp_path: Path, verifier: Verifier) -> None:
    benchmark = one_row(tmp_path, PLUS)
    for cheat in (
        "def up(x):\n    return _reference(x)",
        "import __main__\ndef up(x):\n    return __main__._reference(x)",
        "import gc\ndef up(x):\n    return next(o for o in gc.get_objects() "
        "if getattr(o, '__name__', '') == 'up' and o is not up)(x)",
    ):
        assert not passes(verifier, benchmark, fenced(cheat))


LCB = {
    "question_title": "Twice",
    "question_content": "Read n, print 2 n.",
    "question_id": "abc_1",
    "starter_code": "",
    "public_test_cases": json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}]),
    "metadata": "{}",
}
HIDDEN = [{"input": "3\n", "output": "6\n", "testtype": "stdin"}]
METHOD = {
    **LCB,
    "question_content": "Add two numbers.",
    "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
    "metadata": json.dumps({"func_name": "add"}),
    "public_test_cases": json.dumps(
        [{"input": "1\n[2]", "output": "[1, 2]", "testtype": "functional"}]
    ),
    "private_test_cases": "[]",
}


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


@pytest.mark.parametrize("private", [json.dumps(HIDDEN), packed(json.dumps(HIDDEN))])
def test_livecodebench_with_stdin(private: str, tmp_path: Path, verifier: Verifier) -> None:
    benchmark = one_row(tmp_path, {**LCB, "private_test_cases": private})
    assert benchmark.format == "livecodebench"
    assert passes(verifier, benchmark, fenced("print(2 * int(input()))"))
    assert not passes(verifier, benchmark, fenced("input()\nprint(2)"))


def test_livecodebench_with_a_method(tmp_path: Path, verifier: Verifier) -> None:
    benchmark = one_row(tmp_path, METHOD)
    assert "class Solution" in benchmark.problems[0].text
    right = "class Solution:\n    def add(self, a, b):\n        return [a, *b]"
    assert passes(verifier, benchmark, fenced(right))
    assert not passes(verifier, benchmark, fenced(right.replace("[a, *b]", "b")))


class Evil:
    def __reduce__(self) -> Any:
        return (Path.write_text, (Path("/tmp/tlg-evil"), "x"))


@pytest.mark.parametrize(
    "private",
    [packed(Evil()), packed([Evil()]), "no base64!", base64.b64encode(b"no zlib").decode()],
)
def test_a_pickle_that_does_something_is_refused(private: str, tmp_path: Path) -> None:
    Path("/tmp/tlg-evil").unlink(missing_ok=True)
    rows = [{**LCB, "private_test_cases": private}, {**LCB, "private_test_cases": "[]"}]
    benchmark = read_benchmark(write_jsonl(tmp_path / "rows.jsonl", list(rows)))
    assert len(benchmark.problems) == 1
    assert benchmark.dropped == {"private tests that cannot be decoded": 1}
    assert not Path("/tmp/tlg-evil").exists()


def test_arrays_and_gzip(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": f"#### {n}"} for n in range(3)]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    first, second = (read_benchmark(tmp_path / name) for name in ("a.json", "b.jsonl.gz"))
    assert first.problems == second.problems
    assert (first.name, second.name) == ("a", "b")


def test_rows_that_are_no_problem_are_counted(tmp_path: Path) -> None:
    rows: list[object] = [{"question": "1?", "answer": "#### 1"}, {"question": "2?"}, [1]]
    benchmark = read_benchmark(write_jsonl(tmp_path / "rows.jsonl", rows))
    assert benchmark.dropped == {"no answer": 1, "malformed_row": 1}


def test_mistakes_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_benchmark(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="of no known format"):
        read_benchmark(write_jsonl(tmp_path / "odd.jsonl", [{"a": 1}]))
    with pytest.raises(UserError, match="no problem in it"):
        read_benchmark(write_jsonl(tmp_path / "empty.jsonl", []))
    (tmp_path / "torn.json").write_text("[{")
    with pytest.raises(UserError, match="not a JSON array"):
        read_benchmark(tmp_path / "torn.json")


def test_a_run_gives_its_validation_split(sample_run: Path) -> None:
    benchmark = read_benchmark(sample_run)
    assert benchmark.format == "run"
    assert all(problem.answer for problem in benchmark.problems)


FILES = [
    ("gsm8k/test.jsonl", "gsm8k", 1319),
    ("pal/gsmhardv2.jsonl", "gsm-hard", 1319),
    ("svamp/SVAMP.json", "svamp", 1000),
    ("math500/test.jsonl", "math500", 500),
    ("humaneval/HumanEval.jsonl.gz", "humaneval", 164),
    ("humaneval_plus/HumanEvalPlus.jsonl.gz", "evalplus", 164),
    ("mbpp/mbpp.jsonl", "mbpp", 974),
    ("mbpp_plus/MbppPlus.jsonl.gz", "evalplus", 378),
]


def solution(row: dict[str, Any]) -> str:
    if "code" in row:
        return str(row["code"])
    body = row["canonical_solution"]
    return str(body if f"def {row['entry_point']}(" in body else row["prompt"] + body)


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize(("file", "name", "count"), FILES)
def test_real_files_and_no_answer_in_a_prompt(file: str, name: str, count: int) -> None:
    benchmark = read_benchmark(SHARED_DATA / file)
    assert (benchmark.format, len(benchmark.problems)) == (name, count)
    assert not benchmark.dropped
    rows = [row.values for row in read_rows(SHARED_DATA / file)]  # type: ignore[union-attr]
    for problem, row in zip(benchmark.problems, rows, strict=True):
        shown = planner_prompt(problem) + executor_prompt(problem, None)
        if problem.domain == "code":
            body = row.get("code") or row["canonical_solution"]
            assert body.strip() not in shown
            assert problem.tests not in shown
        elif "gsm" in name and len(problem.answer or "") > 4:
            assert f"#### {problem.answer}" not in shown


REFERENCES = [
    ("humaneval/HumanEval.jsonl.gz", 164),
    ("humaneval_plus/HumanEvalPlus.jsonl.gz", 164),
    ("mbpp/mbpp.jsonl", 973),
    # Outputs of more than 32 MiB, sys.getsizeof, and a sum over 10^8 numbers.
    ("mbpp_plus/MbppPlus.jsonl.gz", 375),
]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize(("file", "least"), REFERENCES)
def test_references_pass_and_nothing_does_not(file: str, least: int, verifier: Verifier) -> None:
    benchmark = read_benchmark(SHARED_DATA / file)
    rows = [row.values for row in read_rows(SHARED_DATA / file)]  # type: ignore[union-attr]
    outcomes = [
        verifier.verify(problem, fenced(solution(row)))
        for problem, row in zip(benchmark.problems, rows, strict=True)
    ]
    assert all(outcome.valid for outcome in outcomes)
    assert sum(outcome.passed for outcome in outcomes) >= least
