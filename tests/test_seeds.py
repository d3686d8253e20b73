from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path

import pytest

from tests.conftest import write_jsonl
from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.perturb.math.trace import Problem
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.reference.math import gold_reference, read_answer
from tracelift_groups.seeds import SeedSource
from tracelift_groups.seeds import rows as seed_rows
from tracelift_groups.seeds.jsonl import parse_map

ROW = {"question": " How many? ", "answer": "She has 1 + 2 = <<1+2=3>>3.\n#### 3"}


def test_a_gsm8k_row_gives_problem_answer_and_reasoning(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [ROW])
    (seed,) = SeedSource("gsm8k", file=file)
    assert isinstance(seed, Seed)
    assert (seed.problem, seed.answer) == ("How many?", "3")
    assert seed.reasoning == "She has 1 + 2 = <<1+2=3>>3.\n"
    assert seed.where == "rows.jsonl:1"


def test_gzip_files_read_the_same(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    (seed,) = SeedSource("gsm8k", file=file)
    assert isinstance(seed, Seed)
    assert seed.answer == "3"


def test_jsonl_columns_are_mapped_and_numbers_become_text(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [{"q": "How many?", "gold": 3.5, "reasoning": "r"}])
    source = SeedSource("jsonl", file=file, fields=parse_map("problem=q, answer=gold"))
    (seed,) = source
    assert isinstance(seed, Seed)
    assert (seed.problem, seed.answer, seed.reasoning) == ("How many?", "3.5", "r")


@pytest.mark.parametrize("text", ["problem", "question=x", "problem="])
def test_a_bad_map_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--map"):
        parse_map(text)


def test_a_missing_column_is_named_with_the_columns_that_are_there(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [{"problem": "p", "answer": "1", "cot": "x"}])
    (row,) = SeedSource("jsonl", file=file)
    assert isinstance(row, Rejected)
    assert "'reasoning'" in row.detail
    assert "answer, cot, problem" in row.detail


def test_an_overlong_line_is_rejected_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed_rows, "MAX_LINE", 200)
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"question": "x" * 1000}) + "\n" + json.dumps(ROW) + "\n")
    first, second = SeedSource("gsm8k", file=file)
    assert isinstance(first, Rejected)
    assert "longer than 200 bytes" in first.detail
    assert isinstance(second, Seed)
    assert second.where == "rows.jsonl:2"


def test_deeply_nested_json_is_a_rejection(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("[" * 100_000 + "\n")
    (row,) = SeedSource("gsm8k", file=file)
    assert isinstance(row, Rejected)


def test_limit_counts_rows_read(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [ROW, {}, ROW, ROW])
    assert len(list(SeedSource("gsm8k", file=file, limit=3))) == 3


def test_equal_problems_have_equal_ids_whatever_their_spaces() -> None:
    one = Seed(source="gsm8k", domain="math", problem="How  many\nare there?")
    two = Seed(source="gsm8k", domain="math", problem="How many are there? ")
    other = Seed(source="gsm8k", domain="math", problem="How many were there?")
    assert one.seed_id == two.seed_id != other.seed_id


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("nope", {}, "unknown source"),
        ("jsonl", {}, "--seeds FILE"),
        ("sample", {"file": Path(__file__)}, "brings its own seeds"),
        ("gsm8k", {"file": Path("gone.jsonl")}, "no such file"),
        ("gsm8k", {"fields": {"problem": "q"}}, "--map is for"),
    ],
)
def test_options_that_do_not_go_together(name: str, more: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        SeedSource(name, **more)  # type: ignore[arg-type]


def bundled() -> list[dict[str, str]]:
    lines = asset("data", "seeds", "math.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_enough_bundled_seeds_and_all_differ() -> None:
    questions = [row["question"] for row in bundled()]
    assert len(set(questions)) == len(questions) >= 60


@pytest.mark.parametrize("index", range(len(bundled())))
def test_a_bundled_seed_is_verified_and_recomputes(index: int) -> None:
    row = bundled()[index]
    reasoning, _, answer = row["answer"].rpartition("####")
    trace = gold_reference(Problem(row["question"]), reasoning, answer)
    assert trace.answer == read_answer(answer)
    assert row["question"].rstrip().endswith("?")
    for piece in row["answer"].split("<<")[1:]:
        expression, _, rest = piece.partition(">>")
        left, _, right = expression.rpartition("=")
        shown = rest.split()[0].rstrip(".,;:%)").replace(",", "").lstrip("$") if rest else ""
        assert abs(eval(left) - float(right)) < 1e-9
        assert Fraction(shown) == Fraction(right)
