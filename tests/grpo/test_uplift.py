from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from datasets import load_dataset

from tests.conftest import Tlg
from tracelift_groups.grpo.models import Model
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.uplift import measure_run, table_of
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.request import Answer, Failed, Reply, Request
from tracelift_groups.llm.session import Session
from tracelift_groups.records import Group
from tracelift_groups.store import run_files
from tracelift_groups.tables import read_groups
from tracelift_groups.verify.exact import parse_number

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
SETTINGS = RewardSettings(repeats=2, baseline_repeats=4)


@dataclass
class Follower:
    """Replies with the reasoning's last number; without one, knows the answer half the time."""

    answers: dict[str, str]
    fails_on: str = ""
    calls: list[Request] = field(default_factory=list)

    def open(self, cache: Path | None = None) -> Model:
        asker = Session(self, cache=Cache(cache) if cache else None)
        return Model("follower", asker, samples_itself=True)

    @property
    def concurrency(self) -> int:
        return 64

    async def ask(self, request: Request) -> Answer:
        self.calls.append(request)
        if self.fails_on and self.fails_on in request.prompt:
            return Failed("unavailable", "cut")
        reasoning = re.search(r"<reasoning>\n(.*)\n</reasoning>", request.prompt, re.DOTALL)
        if reasoning:
            return Reply(_last_number(reasoning[1]))
        problem = re.search(r"<problem>\n(.*)\n</problem>", request.prompt, re.DOTALL)
        assert problem
        return Reply(self.answers[problem[1]] if request.sample % 2 else "-1")


def _last_number(text: str) -> str:
    return _NUMBER.findall(text)[-1]


def groups_in(run: Path) -> list[Group]:
    return [group for path in run_files(run).values() for group in read_groups(str(path))]


@pytest.fixture
def run(sample_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_run, tmp_path / "run"))


def follower(run: Path, **options: str) -> Follower:
    return Follower({group.problem: group.answer or "" for group in groups_in(run)}, **options)


def test_every_trace_gets_what_the_executor_did_with_it(run: Path) -> None:
    before = groups_in(run)
    summary = measure_run(run, follower(run), SETTINGS)
    after = groups_in(run)
    expected: dict[str, list[float]] = defaultdict(list)
    for old, new in zip(before, after, strict=True):
        for was, trace in zip(old.traces, new.traces, strict=True):
            assert trace.model_copy(update={"uplift": None}) == was
            right = parse_number(_last_number(trace.text)) == parse_number(new.answer or "")
            assert trace.uplift is not None
            assert trace.uplift.success == float(right)
            assert trace.uplift.baseline == 0.5
            assert trace.uplift.uplift == float(right) - 0.5
            expected[trace.kind or trace.role].append(float(right))
    rows = {row["row"]: row for row in summary["table"]}
    assert {name: row["traces"] for name, row in rows.items()} == {
        name: len(values) for name, values in expected.items()
    }
    for name, values in expected.items():
        assert rows[name]["success"][0] == pytest.approx(sum(values) / len(values), abs=1e-4)
    assert list(rows)[:2] == ["reference", "twin"]
    assert rows["reference"]["against_parent"] is None
    assert rows["wrong_operation"]["against_parent"][0] < -0.9


def test_the_run_stays_a_run(run: Path) -> None:
    measure_run(run, follower(run), SETTINGS)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["uplift"]["executor"] == "follower"
    assert "## Worth to an executor" in (run / "README.md").read_text()
    loaded = load_dataset("parquet", data_dir=str(run / "groups"))
    trace = loaded["train"][0]["traces"][0]
    assert trace["uplift"]["repeats"] == 2
    assert trace["uplift"]["baseline_repeats"] == 4


def test_a_second_time_asks_nothing_and_writes_the_same(run: Path) -> None:
    measure_run(run, follower(run), SETTINGS)
    first = {path.name: path.read_bytes() for path in run_files(run).values()}
    again = follower(run)
    measure_run(run, again, SETTINGS)
    assert again.calls == []
    assert {path.name: path.read_bytes() for path in run_files(run).values()} == first


def test_a_failed_call_leaves_the_trace_without_a_figure_and_no_other(run: Path) -> None:
    victim = groups_in(run)[0]
    summary = measure_run(run, follower(run, fails_on=victim.traces[-1].text), SETTINGS)
    assert summary["unknown"] == {"executor": 1}
    after = {group.group_id: group for group in groups_in(run)}
    known = [trace.uplift is not None for trace in after[victim.group_id].traces]
    assert known == [True] * (len(known) - 1) + [False]
    assert all(t.uplift for g in after.values() if g.group_id != victim.group_id for t in g.traces)


def test_a_failed_baseline_leaves_its_group_without_figures(run: Path) -> None:
    victim = groups_in(run)[0]

    class Baseline(Follower):
        async def ask(self, request: Request) -> Answer:
            if request.task == "baseline" and victim.problem in request.prompt:
                return Failed("unavailable", "cut")
            return await super().ask(request)

    executor = Baseline({group.problem: group.answer or "" for group in groups_in(run)})
    summary = measure_run(run, executor, SETTINGS)
    assert summary["unknown"] == {"executor": len(victim.traces)}
    after = {group.group_id: group for group in groups_in(run)}
    assert all(trace.uplift is None for trace in after[victim.group_id].traces)


def test_a_limit_leaves_the_others_alone(run: Path) -> None:
    executor = follower(run)
    summary = measure_run(run, executor, SETTINGS, limit=2)
    assert summary["groups"] == 4  # two of each split
    measured = [g for g in groups_in(run) if any(trace.uplift for trace in g.traces)]
    assert len(measured) == 4


def test_what_is_against_the_parent_is_paired(run: Path) -> None:
    group = groups_in(run)[0]
    executor = follower(run)
    measure_run(run, executor, SETTINGS)
    measured = next(one for one in groups_in(run) if one.group_id == group.group_id)
    by_id = {trace.trace_id: trace for trace in measured.traces}
    for row in table_of([measured]):
        kind = [t for t in measured.traces if (t.kind or t.role) == row["row"]]
        if row["row"] == "reference":
            continue
        drops = [
            t.uplift.success - by_id[t.parent_id].uplift.success  # type: ignore[union-attr, index]
            for t in kind
        ]
        assert row["against_parent"][0] == pytest.approx(sum(drops) / len(drops), abs=1e-4)


def test_mistakes_are_one_line(tlg: Tlg, run: Path, tmp_path: Path) -> None:
    for executor, said in (
        ("models/x", "neither a URL nor local:DIR"),
        ("http://127.0.0.1:9/v1", "needs its name"),
        (f"local:{tmp_path}/none", "no such folder"),
    ):
        done = tlg("uplift", run, "--executor", executor)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    done = tlg("uplift", tmp_path / "nowhere", "--executor", "local:x")
    assert done.returncode == 2
    assert "no such run folder" in done.stderr
