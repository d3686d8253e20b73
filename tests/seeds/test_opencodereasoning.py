from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import write_jsonl
from tracelift_groups import hub as tlg_hub
from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds import SeedSource, opencodereasoning_hub

PROGRAM = "print(2 * int(input()))\n"
STATEMENT = "Double n.\n\nInput\n\nn\n\nOutput\n\n2n\n\nExamples\n\nInput\n\n4\n\nOutput\n\n8\n"
OUTPUT = f"<think>\nTwice n.\n</think>\n\nHere it is.\n\n```python\n{PROGRAM}```\n"
EXAMPLE_TESTS = json.dumps([{"input": "4\n", "output": "8\n"}])
JOINED = [{"input": "5", "output": "10"}]
JOINED_TESTS = json.dumps(JOINED)


def row(question: str = "q1", **more: str | None) -> dict[str, str | None]:
    """A row in the columns of split_0: all of them text."""
    return {
        "id": question,
        "input": STATEMENT,
        "output": OUTPUT,
        "source": "codeforces",
        "license": "cc-by-4.0",
        "dataset": "code_contests",
        "split": "train",
        "difficulty": "8",
        "solution": PROGRAM,
    } | more


def placeholder(question: str = "q1", index: str = "7", **more: str) -> dict[str, str | None]:
    """A row of split_1: no statement, but the place of one."""
    return row(question, input="-", index=index, **more)


def read(path: Path, *rows: object, **options: Any) -> list[Seed | Rejected]:
    file = write_jsonl(path / "rows.jsonl", list(rows))
    return list(SeedSource("opencodereasoning", file=file, **options))


def only(path: Path, *rows: object, **options: Any) -> Seed:
    (seed,) = read(path, *rows, **options)
    assert isinstance(seed, Seed), seed
    return seed


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_a_row_gives_statement_thinking_program_and_the_examples_as_tests(tmp_path: Path) -> None:
    seed = only(tmp_path, row())
    assert (seed.source, seed.domain, seed.answer) == ("opencodereasoning", "code", None)
    assert (seed.problem, seed.reasoning) == (STATEMENT.strip(), "Twice n.")
    assert (seed.reference_solution, seed.tests) == (PROGRAM, EXAMPLE_TESTS)
    assert seed.variant == ""


@pytest.mark.parametrize(
    "output",
    [
        f'"{OUTPUT}"',
        OUTPUT.removeprefix("<think>"),
        OUTPUT.replace("Twice n.", "Twice n.\n```python\nx = 1\n```"),
        OUTPUT.replace("</think>", "</think>\n```python\ndraft = 1\n```\nBetter:"),
    ],
)
def test_quirks_of_the_output_change_nothing(tmp_path: Path, output: str) -> None:
    for solution in (PROGRAM, "", None, f"```python\n{PROGRAM}```"):
        seed = only(tmp_path, row(output=output, solution=solution))
        assert (seed.reasoning, seed.reference_solution) == ("Twice n.", PROGRAM)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"output": "Twice n.\n```python\nx\n```"}, "no_think", "no </think>"),
        ({"output": "<think> and cut off"}, "no_think", "no </think>"),
        ({"output": "<think>\n```python\nx\n```\n</think>\nok"}, "no_think", "nothing but code"),
        ({"output": "<think>a</think> x = 1", "solution": ""}, "no_code", "no fenced program"),
        ({"output": "", "solution": ""}, "malformed_row", "'output'"),
        ({"id": " "}, "malformed_row", "'id'"),
        ({"input": "-"}, "no_statement", "question q1: no 'dataset', 'split' and 'index'"),
        ({"input": None}, "no_statement", "q1"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(
    tmp_path: Path, change: dict[str, Any], reason: str, words: str
) -> None:
    bad, good = read(tmp_path, row(**change), row("q2"))
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.where) == (reason, "rows.jsonl:1")
    assert words in bad.detail
    assert isinstance(good, Seed)


def test_lines_that_are_no_rows_are_rejected(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"[1]\nnonsense\n{json.dumps(row())}\n")
    one, two, good = SeedSource("opencodereasoning", file=file)
    assert isinstance(one, Rejected)
    assert isinstance(two, Rejected)
    assert isinstance(good, Seed)


def response(number: int) -> dict[str, str | None]:
    return row(output=OUTPUT.replace("Twice", f"Twice ({number})"))


def test_the_first_usable_response_to_a_question_is_taken(tmp_path: Path) -> None:
    bad, seed = read(tmp_path, row(output="no tags"), response(2), response(3), response(4))
    assert isinstance(bad, Rejected)
    assert isinstance(seed, Seed)
    assert seed.reasoning == "Twice (2) n."


def test_more_responses_are_variants_of_their_own(tmp_path: Path) -> None:
    scattered = [response(1), row("q2", input="Other."), response(2), response(3), response(4)]
    seeds = [one for one in read(tmp_path, *scattered, responses=3) if isinstance(one, Seed)]
    assert [seed.variant for seed in seeds] == ["", "", "2", "3"]
    assert [seed.reasoning for seed in seeds][2:] == ["Twice (2) n.", "Twice (3) n."]
    assert len({seed.seed_id for seed in seeds}) == 4
    assert seeds[2].seed_id == f"{seeds[0].seed_id}-2"
    single = only(tmp_path, response(1))
    assert single == seeds[0]


def test_a_question_without_statement_is_rejected_once(tmp_path: Path) -> None:
    (one,) = read(tmp_path, placeholder(), placeholder(), responses=2)
    assert isinstance(one, Rejected)
    assert one.reason == "no_statement"
    assert "HF_HUB_OFFLINE" in one.detail


PLACE = {"dataset": "code_contests", "split": "train", "index": 7}


@pytest.mark.parametrize(
    "line",
    [
        PLACE | {"description": STATEMENT},
        PLACE | {"index": "7", "question": STATEMENT},
        {"id": "q1", "problem": STATEMENT},
    ],
)
@pytest.mark.parametrize("parquet", [False, True])
def test_statements_are_joined_from_a_file(
    tmp_path: Path, line: dict[str, Any], parquet: bool
) -> None:
    file = tmp_path / f"statements.{'parquet' if parquet else 'jsonl'}"
    if parquet:
        pq.write_table(pa.Table.from_pylist([line]), file)
    else:
        write_jsonl(file, [line])
    seed = only(tmp_path, placeholder(), statements=file)
    assert (seed.problem, seed.tests) == (STATEMENT.strip(), EXAMPLE_TESTS)


def test_useless_lines_of_a_statements_file_are_rejected_beyond_the_limit(tmp_path: Path) -> None:
    lines = [{"id": "q1", "problem": "-"}, {"problem": STATEMENT}, {"id": "q1", "problem": "P."}]
    file = write_jsonl(tmp_path / "statements.jsonl", list(lines))
    one, two, seed = read(tmp_path, placeholder(), placeholder("q2"), statements=file, limit=1)
    assert isinstance(one, Rejected)
    assert isinstance(two, Rejected)
    assert (one.where, two.where) == ("statements.jsonl:1", "statements.jsonl:2")
    assert "neither 'id' nor 'dataset'" in two.detail
    assert isinstance(seed, Seed)
    assert seed.problem == "P."


@pytest.mark.parametrize(
    "line",
    [
        PLACE | {"tests": JOINED},
        {"id": "q1", "tests": JOINED_TESTS},
        {"question": STATEMENT.replace("\n\n", "\n"), "tests": JOINED},
        PLACE | {"input_output": json.dumps({"inputs": ["5"], "outputs": ["10"]})},
        PLACE | {"public_tests": {"input": ["5"], "output": ["10"]}, "private_tests": None},
        {
            "description": STATEMENT,
            "private_tests": {"input": [], "output": []},
            "generated_tests": {"input": ["5"], "output": ["10"]},
        },
    ],
)
def test_tests_are_joined_by_place_by_id_or_by_text(tmp_path: Path, line: dict[str, Any]) -> None:
    file = write_jsonl(tmp_path / "tests.jsonl", [{"id": "q9", "tests": "assert 1"}, line])
    seed = only(tmp_path, row(index="7"), tests=file)
    assert seed.tests == JOINED_TESTS


def test_the_place_beats_the_id_which_beats_the_text(tmp_path: Path) -> None:
    def case(text: str) -> list[dict[str, str]]:
        return [{"input": text, "output": text}]

    lines: list[dict[str, Any]] = [
        {"problem": STATEMENT, "tests": case("text")},
        {"id": "q1", "tests": case("id")},
        PLACE | {"tests": case("place")},
    ]
    for count, name in ((3, "place"), (2, "id"), (1, "text")):
        file = write_jsonl(tmp_path / "tests.jsonl", list(lines[:count]))
        assert only(tmp_path, row(index="7"), tests=file).tests == json.dumps(case(name))


def test_of_several_lines_for_a_question_the_first_counts(tmp_path: Path) -> None:
    lines = [{"id": "q1", "tests": JOINED}, {"id": "q1", "tests": "assert x"}]
    file = write_jsonl(tmp_path / "tests.jsonl", list(lines))
    assert only(tmp_path, row(), tests=file).tests == JOINED_TESTS


def test_function_tests_are_bound_to_the_program(tmp_path: Path) -> None:
    calls = {"inputs": [[4]], "outputs": [8], "fn_name": "double"}
    file = write_jsonl(tmp_path / "tests.jsonl", [{"id": "q1", "input_output": calls}])
    program = "class Solution:\n    def double(self, n): return 2 * n\n"
    tests = json.loads(only(tmp_path, row(solution=program), tests=file).tests or "")
    assert tests["entry_point"] == "Solution().double"
    assert "assert candidate(4) == 8" in tests["test_code"]


def test_useless_lines_of_a_tests_file_are_rejected(tmp_path: Path) -> None:
    lines = [{"id": "q1", "tests": "soon"}, {"id": "q1"}, {"tests": JOINED}]
    file = write_jsonl(tmp_path / "tests.jsonl", list(lines))
    *bad, seed = read(tmp_path, row(), tests=file)
    details = [one.detail for one in bad if isinstance(one, Rejected)]
    assert [
        "'tests': neither" in details[0],
        "no tests" in details[1],
        "no 'id'" in details[2],
    ] == [True] * 3
    assert isinstance(seed, Seed)
    assert seed.tests == EXAMPLE_TESTS


def test_a_statement_without_examples_has_no_tests(tmp_path: Path) -> None:
    assert only(tmp_path, row(input="Double n.")).tests is None


def test_parquet_files_of_a_folder_give_the_same_seeds(tmp_path: Path) -> None:
    rows = [row(f"q{n}", input=f"Problem {n}.") for n in range(10)]
    folder = tmp_path / "split_0"
    folder.mkdir()
    for part in (0, 1):
        table = pa.Table.from_pylist(rows[5 * part : 5 * part + 5])
        pq.write_table(table, folder / f"train-0000{part}-of-00002.parquet")
    source = SeedSource("opencodereasoning", file=folder)
    seeds, want = list(source), read(tmp_path, *rows)
    assert [one.model_dump(exclude={"where"}) for one in seeds] == [
        one.model_dump(exclude={"where"}) for one in want
    ]
    assert list(source) == seeds
    assert list(islice(source, 3)) == seeds[:3] == list(SeedSource(source.name, folder, limit=3))
    assert [file.name for file in source.files] == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]


class FakeHub:
    """Stands for ``datasets.load_dataset``: knows its sets, and what was asked of it."""

    def __init__(self, sets: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
        self.sets, self.calls = sets, list[tuple[tuple[str, ...], dict[str, Any]]]()

    def __call__(self, *names: str, **options: Any) -> Iterator[dict[str, Any]]:
        self.calls.append((names, options))
        assert options["streaming"] is True
        files = options.get("data_files")
        rows = self.sets[files or names[0], options["split"]]
        if not rows:
            raise ConnectionError("the line is dead\nmore")
        return iter(rows)


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencodereasoning_hub, "require_hub", lambda *_, **__: None)


def fake(monkeypatch: pytest.MonkeyPatch, sets: dict[Any, Any]) -> FakeHub:
    made = FakeHub(sets)
    monkeypatch.setattr(datasets, "load_dataset", made)
    return made


HUB = opencodereasoning_hub.HUB_ID


@pytest.mark.parametrize(
    ("split", "want"),
    [("split_0", ["split_0"]), ("split_1", ["split_1"]), (None, ["split_0", "split_1"])],
)
def test_the_hub_is_streamed_config_by_config(
    monkeypatch: pytest.MonkeyPatch, online: None, split: str | None, want: list[str]
) -> None:
    sets = {(HUB, name): [row(name, input=f"In {name}.")] for name in ("split_0", "split_1")}
    hub = fake(monkeypatch, sets)
    source = SeedSource("opencodereasoning", hub_split=split)
    seeds = list(source)
    assert [one.where for one in seeds] == [f"{HUB}/{name}:0" for name in want]
    assert hub.calls == [((HUB, name), {"split": name, "streaming": True}) for name in want]
    assert list(source) == seeds


def test_statements_are_fetched_from_the_source_sets_where_they_are_needed(
    monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    parquet = "hf://datasets/BAAI/TACO@refs%2Fconvert%2Fparquet/ALL/test/*.parquet"
    codeforces = {
        "description": "Double n.",
        "input_format": "n",
        "output_format": "2n",
        "examples": [{"input": "4", "output": "8"}],
        "note": "Easy.",
    }
    rows = [
        row("q0", input="Here."),
        placeholder("q1", "1"),
        placeholder("q2", "0"),
        placeholder("q3", "0", dataset="taco", split="test"),
        placeholder("q4", "0", dataset="open-r1/codeforces", split="train"),
        placeholder("q5", "2"),
        placeholder("q6", "0", dataset="elsewhere"),
    ]
    hub = fake(
        monkeypatch,
        {
            (HUB, "split_1"): rows,
            ("deepmind/code_contests", "train"): [{"description": ""}, {"description": "Second."}],
            (parquet, "train"): [{"question": "Taco."}],
            ("open-r1/codeforces", "train"): [codeforces],
        },
    )
    items = list(SeedSource("opencodereasoning", hub_split="split_1"))
    problems = [item.problem if isinstance(item, Seed) else item.reason for item in items]
    want = (
        "Double n.\n\nInput\n\nn\n\nOutput\n\n2n\n\nExamples\n\nInput\n\n4\n\n"
        "Output\n\n8\n\nNote\n\nEasy."
    )
    assert problems == ["Here.", "Second.", "no_statement", "Taco.", want, *["no_statement"] * 2]
    assert isinstance(items[4], Seed)
    assert items[4].tests == EXAMPLE_TESTS
    assert len(hub.calls) == 4, "each source set once"


def test_a_source_set_that_breaks_off_is_asked_once_and_its_rows_rejected(
    monkeypatch: pytest.MonkeyPatch, online: None, tmp_path: Path
) -> None:
    hub = fake(monkeypatch, {("deepmind/code_contests", "train"): []})
    items = read(tmp_path, placeholder("q1"), placeholder("q2"), row("q3"))
    assert [getattr(item, "reason", "seed") for item in items] == ["no_statement"] * 2 + ["seed"]
    assert len(hub.calls) == 1


def test_a_stream_that_breaks_off_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    fake(monkeypatch, {(HUB, "split_0"): []})
    with pytest.raises(UserError, match="broke off at row 0: ConnectionError: the line is dead -"):
        list(SeedSource("opencodereasoning"))


def test_without_the_hub_a_file_is_asked_for() -> None:
    assert tlg_hub.TIMEOUT_S <= 3
    with pytest.raises(UserError, match="pass --seeds FILE"):
        list(SeedSource("opencodereasoning"))
