from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import write_jsonl
from tests.grpo.fakes import UNAVAILABLE, FakeExecutor, reasoning_in
from tests.llm.fake_server import Call, Send, chat, running_server
from tracelift_groups.cli import main
from tracelift_groups.grpo.benchmarks import Benchmark
from tracelift_groups.grpo.evaluate import (
    Outcome,
    Protocol,
    examples,
    markdown,
    report_of,
    run_benchmark,
)
from tracelift_groups.grpo.executor import Executor
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.llm.request import Failed

PROBLEMS = [Problem(f"p{n}", "math", f"Double {n}?", str(2 * n)) for n in range(8)]
# What the planner writes for each problem, and whether the executor knows it anyway (even n).
WRITTEN: list[str | Failed] = [
    "<reasoning>0 + 0 = 0</reasoning>",  # known, and kept right
    "<reasoning>1 + 1 = 2</reasoning>",  # won
    "<reasoning>2 + 2 = 5</reasoning>",  # lost
    "<reasoning>3 + 3 = 7</reasoning>",  # never right
    "no tags",  # lost: no reasoning is no help
    "<reasoning>5 + 5 = 10. The answer is 10.</reasoning>",  # won, a leak taken out
    UNAVAILABLE,  # not known
    Failed("truncated"),  # no reasoning
]


def number_of(prompt: str) -> int:
    return int(prompt.partition("Double ")[2].partition("?")[0])


class FakePlanner(FakeExecutor):
    async def ask(self, request: Any) -> Any:
        self.asked.append(request)
        said = WRITTEN[number_of(request.prompt)]
        from tracelift_groups.llm.request import Reply

        return Reply(said) if isinstance(said, str) else said


class Knowing(FakeExecutor):
    async def ask(self, request: Any) -> Any:
        from tracelift_groups.llm.request import Reply

        self.asked.append(request)
        reasoning, number = reasoning_in(request.prompt), number_of(request.prompt)
        if reasoning is None:
            return Reply(str(2 * number) if number % 2 == 0 else "-1")
        return Reply(reasoning.rstrip(".").rpartition(" ")[2])


def outcomes() -> list[Outcome]:
    async def run() -> list[Outcome]:
        with Verifier() as verifier:
            executor = Executor(Knowing(None).model(), verifier, RewardSettings(temperature=0.0))  # type: ignore[arg-type]
            benchmark = Benchmark("doubles", "gsm8k", PROBLEMS, Counter())
            planner = FakePlanner(None).model()  # type: ignore[arg-type]
            return await run_benchmark(benchmark, planner, executor, Protocol(), width=3)

    return asyncio.run(run())


def test_each_way_that_a_problem_can_go() -> None:
    found = [(one.with_it, one.without) for one in outcomes()]
    assert found == [
        (1.0, 1.0),
        (1.0, 0.0),
        (0.0, 1.0),
        (0.0, 0.0),
        (0.0, 1.0),
        (1.0, 0.0),
        (None, 1.0),
        (0.0, 0.0),
    ]


def test_the_report_by_hand() -> None:
    report = report_of(outcomes())
    assert report["problems"] == 8
    assert report["invalid"] == 1
    assert report["invalid_reasons"] == {"planner": 1}
    assert report["with_reasoning"][0] == pytest.approx(3 / 7, abs=1e-4)
    assert report["without_reasoning"][0] == pytest.approx(3 / 7, abs=1e-4)
    assert report["uplift"][0] == 0.0
    assert report["uplift"][1] < 0 < report["uplift"][2]
    assert (report["won"], report["lost"]) == (2, 2)
    assert report["formats"] == {"no_tags": 1, "ok": 5, "unclosed": 1}
    assert report["leaked"] == 1


def test_the_difference_is_paired() -> None:
    """A constant gain has no scatter, however much the sides have."""
    sides = [(1.0, 0.5), (0.5, 0.0)] * 10
    gained = [Outcome(PROBLEMS[0], None, with_it, without) for with_it, without in sides]
    report = report_of(gained)
    assert report["uplift"] == [0.5, 0.5, 0.5]
    assert report["with_reasoning"][1] < report["with_reasoning"][2]


def test_nothing_known_has_no_figure() -> None:
    report = report_of([Outcome(PROBLEMS[0], None, None, None, "executor: unavailable")])
    assert report["uplift"] is None
    assert "| 1 | 1 |  |  |  |" in markdown({"x": report}, {})


def test_examples_are_the_problems_that_changed() -> None:
    shown = examples(outcomes(), 5)
    assert [one["problem_id"] for one in shown] == ["p2", "p4", "p5", "p1"]


def script(call: Call) -> Send:
    prompt = call.body["messages"][0]["content"]
    number = number_of(prompt)
    if "Reply with the reasoning" in prompt:
        return Send(chat(f"<reasoning>{number} * 2 = {2 * number}</reasoning>"))
    reasoning = reasoning_in(prompt)
    return Send(chat("-1" if reasoning is None else reasoning.rpartition(" ")[2]))


def test_the_command_goes_on_without_asking_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[object] = [
        {"question": one.text, "answer": f"#### {one.answer}"} for one in PROBLEMS
    ]
    one, two = (write_jsonl(tmp_path / f"{name}.jsonl", rows[n:]) for n, name in enumerate("ab"))
    with running_server() as server:
        server.script = script
        arguments = [
            *("eval-planner", "--planner", server.url, "--planner-model", "writes"),
            *("--executor", server.url, "--executor-model", "works"),
            *("--on", str(one), "--on", str(two), "-o", str(tmp_path / "report")),
        ]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        asked = len(server.calls)
        assert asked == 8 * 3  # the second file's problems are in the first
        first = (tmp_path / "report.json").read_text()
        with pytest.raises(SystemExit):
            main(arguments)
        assert len(server.calls) == asked
    assert (tmp_path / "report.json").read_text() == first
    report = json.loads(first)["benchmarks"]
    assert list(report) == ["a", "b", "micro average"]
    assert report["micro average"]["problems"] == 15
    assert report["a"]["uplift"] == [1.0, 1.0, 1.0]
    assert "uplift +100.0" in capsys.readouterr().out
    assert "| micro average | 15 | 0 | 100.0" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--on", "none.jsonl"], "no such file"),
        (["--planner", "x", "--on", "rows.jsonl"], "neither a URL nor"),
        (["--on", "rows.jsonl", "-o", "no/such/folder/report"], "no such folder"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "rows.jsonl", [{"question": "1?", "answer": "#### 1"}])
    usual = ["--planner", "http://127.0.0.1:9/v1", "--planner-model", "x"]
    usual += ["--executor", "http://127.0.0.1:9/v1", "--executor-model", "x"]
    with pytest.raises(SystemExit) as ended:
        main(["eval-planner", *usual, *arguments])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert told.strip().count("\n") == 0, told
