from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import SHARED_DATA, write_jsonl
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds import SeedSource
from tracelift_groups.seeds.jsonl import parse_map

PROGRAM = "def double(n):\n    return 2 * n\n"
TESTS = {"test_code": "assert double(2) == 4", "entry_point": "double"}
ROW = {"problem": "Double n. ", "reasoning": "Twice.", "solution": PROGRAM, "tests": TESTS}


def read(path: Path, *rows: dict[str, Any], **options: Any) -> list[Seed | Rejected]:
    return list(SeedSource("jsonl", file=write_jsonl(path / "rows.jsonl", list(rows)), **options))


def only(path: Path, row: dict[str, Any], **options: Any) -> Seed:
    (seed,) = read(path, row, **options)
    assert isinstance(seed, Seed), seed
    return seed


def test_a_code_row_gives_problem_reasoning_program_and_tests(tmp_path: Path) -> None:
    seed = only(tmp_path, ROW)
    assert (seed.source, seed.domain, seed.answer) == ("jsonl", "code", None)
    assert (seed.problem, seed.reasoning) == ("Double n.", "Twice.")
    assert seed.reference_solution == PROGRAM
    assert seed.tests == json.dumps(TESTS)
    assert seed.where == "rows.jsonl:1"


def test_columns_are_found_under_their_usual_names(tmp_path: Path) -> None:
    row = {
        "question": "Double n.",
        "response": "Twice:\n```python\nx\n```",
        "completion": PROGRAM,
        "test": "assert double(2) == 4",
        "entry_point": "double",
        "prelude": "import math",
    }
    seed = only(tmp_path, row)
    assert seed.reasoning == row["response"]
    assert seed.reference_solution == PROGRAM
    assert seed.tests == json.dumps(TESTS | {"setup": "import math"})


def test_mapped_columns_come_first(tmp_path: Path) -> None:
    row = ROW | {"gold": "x = 1", "checks": ["assert x"], "why": "So.", "name": "x", "pre": "y = 2"}
    text = "solution=gold,tests=checks,reasoning=why,entry_point=name,setup=pre"
    seed = only(tmp_path, row, fields=parse_map(text))
    assert (seed.reference_solution, seed.reasoning) == ("x = 1", "So.")
    wanted = {"test_code": "assert x", "entry_point": "x", "setup": "y = 2"}
    assert seed.tests == json.dumps(wanted)


@pytest.mark.parametrize(
    ("prompt", "setup"),
    [("# tools\nimport math\n", "# tools\nimport math\n"), ("Please double n.", None)],
)
def test_a_prompt_is_the_setup_only_where_it_is_code(
    tmp_path: Path, prompt: str, setup: str | None
) -> None:
    tests = json.loads(only(tmp_path, ROW | {"prompt": prompt}).tests or "")
    assert tests.get("setup") == setup


def test_a_think_part_is_unwrapped_and_its_reply_holds_the_program(tmp_path: Path) -> None:
    response = f"<think>\nTwice, or\n```python\npass\n```\n</think>\nHere:\n```python\n{PROGRAM}```"
    seed = only(tmp_path, {"problem": "p", "response": response, "tests": TESTS})
    assert seed.reasoning == "Twice, or\n```python\npass\n```"
    assert seed.reference_solution == PROGRAM


def test_a_fence_around_a_solution_is_taken_off(tmp_path: Path) -> None:
    assert (
        only(tmp_path, ROW | {"solution": f"```python\n{PROGRAM}```"}).reference_solution == PROGRAM
    )


def test_code_rows_without_tests_are_seeds_without_tests(tmp_path: Path) -> None:
    assert only(tmp_path, ROW | {"tests": None}).tests is None
    assert only(tmp_path, ROW | {"tests": "[]"}).tests is None


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"solution": " "}, "no_code", "none fenced in 'reasoning'"),
        ({"problem": None}, "malformed_row", "field 'problem'"),
        ({"reasoning": ["a"]}, "malformed_row", "field 'reasoning'"),
        ({"tests": "none yet"}, "malformed_row", "field 'tests': neither JSON"),
        ({"tests": [{"input": "1"}]}, "malformed_row", "without 'output'"),
    ],
)
def test_bad_code_rows_are_rejected_with_a_reason(
    tmp_path: Path, change: dict[str, Any], reason: str, words: str
) -> None:
    _, bad, good = read(tmp_path, ROW, ROW | change, ROW)
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.where) == (reason, "rows.jsonl:2")
    assert words in bad.detail
    assert isinstance(good, Seed)


MATH = {"problem": "How many?", "answer": "3", "reasoning": "1 + 2 = 3"}


@pytest.mark.parametrize(
    ("row", "mapping", "domain"),
    [
        (ROW, "", "code"),
        (MATH, "", "math"),
        (MATH | {"solution": "We add."}, "", "math"),
        (MATH | {"tests": None, "test": ""}, "", "math"),
        (MATH | {"tests": TESTS}, "", "code"),
        ({"problem": "p", "answer": "3", "solution": "We add."}, "reasoning=solution", "math"),
        (MATH | {"gold": "x"}, "solution=gold", "code"),
        ({"problem": "p", "response": "r", "code": "x"}, "", "code"),
        ({"text": "p"}, "", "math"),
    ],
)
def test_the_domain_is_read_off_map_and_columns(
    tmp_path: Path, row: dict[str, Any], mapping: str, domain: str
) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [3, {"id": 1}, row])
    assert SeedSource("jsonl", file=file, fields=parse_map(mapping)).domain == domain


def test_math_rows_with_prose_solutions_can_be_mapped(tmp_path: Path) -> None:
    row = {"problem": "How many?", "answer": "3", "solution": "We add."}
    seed = only(tmp_path, row, fields=parse_map("reasoning=solution"))
    assert (seed.domain, seed.reasoning) == ("math", "We add.")


def test_parquet_rows_are_read_like_jsonl_rows(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"problem": "Other.", "tests": TESTS | {"setup": "import math"}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    seeds = list(SeedSource("jsonl", file=tmp_path / "rows.parquet"))
    want = read(tmp_path, *rows)
    assert [one.model_dump(exclude={"where"}) for one in seeds] == [
        one.model_dump(exclude={"where"}) for one in want
    ]


@pytest.mark.real_data
def test_the_leetcode_rows_are_code_seeds_without_a_map() -> None:
    file = SHARED_DATA / "derived" / "leetcode_seeds.jsonl.gz"
    if not file.is_file():
        pytest.skip("no real data here")
    source = SeedSource("jsonl", file=file)
    seeds = [seed for seed in source if isinstance(seed, Seed)]
    assert source.domain == "code"
    assert len({seed.seed_id for seed in seeds}) == 1890
    for seed in seeds:
        tests = json.loads(seed.tests or "")
        assert list(tests) == ["test_code", "entry_point", "setup"]
        assert seed.reference_solution
        assert "```" in (seed.reasoning or "")


def test_a_column_that_is_mapped_to_one_field_is_not_tried_for_another(tmp_path: Path) -> None:
    row = {"problem": "p", "solution": "Twice, so we double.", "code": PROGRAM, "tests": TESTS}
    seed = only(tmp_path, row, fields=parse_map("reasoning=solution"))
    assert (seed.reasoning, seed.reference_solution) == ("Twice, so we double.", PROGRAM)
