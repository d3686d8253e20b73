"""Builds with a model, by the command: the scripted one in this process, and over HTTP."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import run_bytes, write_jsonl
from tests.llm.scripted_server import running_scripted, scripted
from tracelift_groups.cli import main
from tracelift_groups.formats import from_tracelift, to_tracelift
from tracelift_groups.llm.scripted.endpoint import Behaviour
from tracelift_groups.llm.scripted.server import Served
from tracelift_groups.perturb.checks import recheck
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.records import Group
from tracelift_groups.tables import read_groups, write_groups

BAD_SHARE = 0.3
SEEDS = ("--source", "sample", "--limit", 8)
ALL = ("--engine", "llm", "--reference", "generate", "--rubric", "judge", "--judge-samples", 2)
ANSWERS = "requests.sqlite"


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The one line that was said of a mistake."""
        assert self.stdout == ""
        (line,) = self.stderr.strip().splitlines()
        return line


Tlg = Callable[..., Ended]


@pytest.fixture
def tlg(capfd: pytest.CaptureFixture[str]) -> Tlg:
    """The command line, in this process."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        told = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, told.out, told.err)

    return run


@pytest.fixture
def built(tlg: Tlg) -> Callable[..., dict[str, Any]]:
    """Build, and give the manifest back."""

    def run(out: Path, *arguments: object) -> dict[str, Any]:
        done = tlg("build", *arguments, "--out", out)
        assert done.status == 0, done.stderr
        manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
        return manifest

    return run


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running_scripted(scripted(BAD_SHARE), Behaviour()) as one:
        yield one


@pytest.fixture
def endpoint(served: Served, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    monkeypatch.setenv("OPENAI_API_KEY", "anything")
    return ("--model", "scripted", "--base-url", served.base_url)


def groups_of(run: Path) -> list[Group]:
    return [g for path in sorted((run / "groups").iterdir()) for g in read_groups(str(path))]


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def files(run: Path) -> dict[str, bytes]:
    """What a build is for: everything but the store of answers."""
    return {name: data for name, data in run_bytes(run).items() if not name.startswith("requests")}


def adds_up(run: Path, manifest: dict[str, Any]) -> None:
    """Every count in a manifest is the count of what lies beside it."""
    counts, groups = manifest["counts"], groups_of(run)
    rejected, drafts = lines_of(run / "rejected.jsonl"), lines_of(run / "rejected_traces.jsonl")
    assert counts["groups"] == len(groups)
    assert counts["groups"] + counts["rejected"] == counts["seeds_read"]
    assert counts["by_rejection_reason"] == Counter(one["reason"] for one in rejected)
    by_kind: dict[str, Counter[str]] = {}
    for draft in drafts:
        by_kind.setdefault(draft["kind"] or draft["role"], Counter())[draft["reason"]] += 1
        assert draft["author"] == manifest["build"]["model"]["name"]
    assert counts["rejected_traces"] == by_kind
    traces = [trace for group in groups for trace in group.traces]
    assert counts["by_author"] == Counter(f"{one.role}/{one.author}" for one in traces)
    certificates = [one.certificate for one in traces if one.certificate]
    assert counts["by_method"] == Counter(one.method for one in certificates)
    assert all((one.judge is None) == (one.quote is None) for one in certificates)
    spent = manifest["spent"]
    by_model = spent["by_model"].values()
    assert spent["model_calls"] == sum(one["calls"] for one in by_model) > 0
    assert spent["tokens"] == sum(one["input_tokens"] + one["output_tokens"] for one in by_model)


def test_everything_by_a_model(tmp_path: Path, built: Callable[..., dict[str, Any]]) -> None:
    out = tmp_path / "run"
    manifest = built(out, *SEEDS, *ALL, "--model", "scripted")
    adds_up(out, manifest)
    groups = groups_of(out)
    assert len(groups) >= 4
    assert {one.author for group in groups for one in group.traces} == {"scripted"}
    assert {one.role for group in groups for one in group.traces} == {
        "reference", "twin", "flawed",
    }  # fmt: skip
    assert manifest["spent"]["usd"] == 0
    assert manifest["counts"]["rejected_traces"]
    assert manifest["judges"]["raters"] == ["scripted #0", "scripted #1"]
    assert manifest["judges"]["traces"] == sum(len(group.traces) for group in groups)
    for group in groups:
        assert recheck(group) == []
        for trace in group.traces:
            assert trace.judgements is not None
            assert 1 <= len(trace.judgements) <= 2
            total = sum(sum(one.scores.values()) for one in trace.judgements)
            assert trace.rubric.total == pytest.approx(total / 50 / len(trace.judgements), abs=1e-6)


def test_the_new_columns_come_back_from_every_format(
    tmp_path: Path, built: Callable[..., dict[str, Any]]
) -> None:
    built(tmp_path / "run", *SEEDS, *ALL, "--model", "scripted")
    group = groups_of(tmp_path / "run")[0]
    traces = []
    for trace in group.traces:
        found = {"method": "judged", "judge": "critic", "quote": 'He says "84".\nSo what?'}
        held = trace.certificate and trace.certificate.model_copy(update=found)
        traces.append(trace.model_copy(update={"certificate": held}))
    group = group.model_copy(update={"traces": tuple(traces)})
    assert all(len(trace.judgements or ()) == 2 for trace in group.traces)
    file = tmp_path / "groups.parquet"
    write_groups(str(file), [group.model_dump()], dimensions_of("math"))
    assert list(read_groups(str(file))) == [group]
    assert from_tracelift(json.loads(json.dumps(to_tracelift(group))), "x:1") == group


def test_auto_keeps_what_rules_certify(
    tmp_path: Path, built: Callable[..., dict[str, Any]]
) -> None:
    built(tmp_path / "rule", *SEEDS)
    manifest = built(tmp_path / "auto", *SEEDS, "--engine", "auto", "--model", "scripted")
    adds_up(tmp_path / "auto", manifest)
    ruled = {group.group_id: group for group in groups_of(tmp_path / "rule")}
    made = groups_of(tmp_path / "auto")
    assert {group.group_id for group in made} == set(ruled)
    for group in made:
        by_rule = {one.text: one.certificate for one in group.traces if one.author == "rule"}
        for trace in ruled[group.group_id].traces:
            if trace.author == "rule":
                assert by_rule.pop(trace.text) == trace.certificate
        assert by_rule == {}
    assert manifest["counts"]["by_author"]["twin/scripted"]


def test_same_bytes_at_every_width_and_from_the_stored_answers(
    tmp_path: Path,
    built: Callable[..., dict[str, Any]],
    endpoint: tuple[object, ...],
    served: Served,
) -> None:
    some = (*SEEDS, *ALL, *endpoint)
    manifest = built(tmp_path / "one", *some, "--concurrency", 1)
    adds_up(tmp_path / "one", manifest)
    assert manifest["spent"]["usd"] is None  # nobody knows its price
    before = served.stats.received.total()
    built(tmp_path / "wide", *some, "--concurrency", 40)
    assert files(tmp_path / "wide") == files(tmp_path / "one")
    sent = served.stats.received.total() - before
    assert sent >= manifest["spent"]["model_calls"] * 0.8  # equal requests are sent once
    # With the answers of an earlier build nobody is asked, whatever the folder.
    before = served.stats.received.total()
    built(tmp_path / "again", *some, "--cache", tmp_path / "one" / ANSWERS)
    assert served.stats.received.total() == before
    assert files(tmp_path / "again") == files(tmp_path / "one")


def test_a_limit_of_calls_stops_in_one_line_and_the_same_command_goes_on(
    tmp_path: Path, built: Callable[..., dict[str, Any]], tlg: Tlg, endpoint: tuple[object, ...]
) -> None:
    some = (*SEEDS, "--engine", "llm", "--rubric", "judge", *endpoint)
    want = built(tmp_path / "want", *some)
    limited = ("build", *some, "--out", tmp_path / "run", "--max-calls", 60)
    stops = 0
    while (ended := tlg(*limited)).status == 1:
        stops += 1
        assert re.match(r"tlg: --max-calls 60 is reached: \d+ calls, ", ended.line)
        assert not (tmp_path / "run" / "manifest.json").exists()
        assert stops < 30
    assert ended.status == 0, ended.stderr
    assert stops >= want["spent"]["model_calls"] // 120 >= 1
    assert files(tmp_path / "run") == files(tmp_path / "want")


def test_a_batch_gives_the_same_groups_at_its_price(
    tmp_path: Path, built: Callable[..., dict[str, Any]], tlg: Tlg, endpoint: tuple[object, ...]
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("models:\n  scripted: {input: 10.0, output: 20.0, batch: 0.5}\n")
    some = (*SEEDS, "--engine", "llm", *endpoint, "--prices", prices)
    want = built(tmp_path / "want", *some)
    out = tmp_path / "run"
    pending = 0
    while (ended := tlg("build", *some, "--batch", "--out", out)).status == 1:
        pending += 1
        assert "seeds wait for answers" in ended.line
        assert "give the same command again" in ended.line
        assert pending < 100
    assert ended.status == 0, ended.stderr
    assert pending > 2
    manifest = json.loads((out / "manifest.json").read_text())
    assert groups_of(out) == groups_of(tmp_path / "want")
    assert manifest["spent"]["model_calls"] == want["spent"]["model_calls"]
    assert want["spent"]["usd"] > 0
    tokens = manifest["spent"]["by_model"]["scripted"]
    full = (10 * tokens["input_tokens"] + 20 * tokens["output_tokens"]) / 1e6
    assert manifest["spent"]["usd"] == pytest.approx(full / 2, abs=2e-6)


def test_problems_of_a_file_are_solved_that_the_scripted_model_is_given(
    tmp_path: Path, built: Callable[..., dict[str, Any]]
) -> None:
    row = {
        "question": "A club has 9 boats with 7 seats each and sells 13 seats. How many are left?",
        "answer": "The boats have 9 * 7 = 63 seats.\nThen 63 - 13 = 50 are left.\n#### 50",
    }
    known = write_jsonl(tmp_path / "known.jsonl", [row])
    bare = write_jsonl(tmp_path / "bare.jsonl", [{"problem": row["question"], "answer": "50"}])
    some = ("--source", "jsonl", "--seeds", bare, "--reference", "generate")
    manifest = built(tmp_path / "run", *some, "--model", f"scripted:{known}")
    assert manifest["counts"]["groups"] == 1
    assert manifest["build"]["script"]["file"] == "known.jsonl"
    manifest = built(tmp_path / "unknown", *some, "--model", "scripted")
    assert manifest["counts"]["by_rejection_reason"] == {"no_confirmed_reference": 1}


WRITES = ("--engine", "llm")
MISTAKES: dict[str, tuple[tuple[object, ...], str]] = {
    "no model": (WRITES, "--engine llm asks a model - name one with --model"),
    "no model for judges": (("--rubric", "judge"), "--rubric judge asks a model"),
    "a model without a use": (("--model", "scripted"), "--model: no model is asked by this build"),
    "a limit in dollars for what is free": (
        (*WRITES, "--model", "scripted", "--max-cost", 1), "--max-cost: the scripted model costs",
    ),
    "a file that is not there": (
        (*WRITES, "--model", "scripted:nowhere.jsonl"), "no such file: nowhere.jsonl",
    ),
    "a batch without an endpoint": (
        (*WRITES, "--model", "scripted", "--batch"), "--batch needs an endpoint",
    ),
    "a part that is none": (("--shard", "0/2"), "'0/2' is no shard"),
    "a batch on a cluster": (
        (*WRITES, "--model", "m", "--base-url", "http://127.0.0.1:9", "--batch",
         "--backend", "ray"), "--batch does not go with --backend ray",
    ),
    "a limit on a cluster": (
        (*WRITES, "--model", "scripted", "--max-calls", 3, "--backend", "ray"),
        "nobody counts all calls",
    ),
    "an estimate of nothing": (("--dry-run",), "this build asks no model"),
    "an engine that is none": (("--engine", "magic"), "--engine"),
    "nobody is there": (
        (*WRITES, "--model", "m", "--base-url", "http://127.0.0.1:9", "--attempts", 1,
         "--timeout", 2), "127.0.0.1:9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line(
    name: str, tmp_path: Path, tlg: Tlg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "anything")
    arguments, said = MISTAKES[name]
    ended = tlg("build", *SEEDS, *arguments, "--out", tmp_path / "run")
    assert ended.status == 2
    assert said in ended.line
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_a_preview_with_a_model(tlg: Tlg) -> None:
    shown = tlg("preview", *SEEDS, *WRITES, "--model", "scripted", "--groups", 2, "--json")
    assert shown.status == 0, shown.stderr
    groups = [Group.model_validate_json(line) for line in shown.stdout.splitlines()]
    assert len(groups) == 2
    assert all(one.author == "scripted" for g in groups for one in g.traces if one.kind)


def test_merge_by_the_command(tmp_path: Path, built: Callable[..., Any], tlg: Tlg) -> None:
    some = (*SEEDS, "--engine", "auto", "--model", "scripted")
    built(tmp_path / "run", *some)
    for part in (1, 2):
        done = tlg("build", *some, "--shard", f"{part}/2", "--out", tmp_path / str(part))
        assert f"shard {part}/2 is finished" in done.stdout
    done = tlg("merge", tmp_path / "1", tmp_path / "2", "--out", tmp_path / "merged")
    assert done.status == 0, done.stderr
    assert run_bytes(tmp_path / "merged") == run_bytes(tmp_path / "run")
    lost = tlg("merge", tmp_path / "2", "--out", tmp_path / "other")
    assert (lost.status, lost.line) == (2, "tlg: parts are missing: 1/2 - build them first")


@pytest.mark.slow
def test_ray_gives_the_same_bytes(
    tmp_path: Path, built: Callable[..., dict[str, Any]], tlg: Tlg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OPENAI_API_KEY", "anything")
    for name, more in (("rule", ()), ("model", (*WRITES, "--model", "scripted"))):
        some = ("--source", "sample", "--limit", 40, *more)
        built(tmp_path / name, *some)
        built(tmp_path / f"{name}-ray", *some, "--backend", "ray", "--workers", 2)
        assert run_bytes(tmp_path / f"{name}-ray") == run_bytes(tmp_path / name)
    down = ("--model", "m", "--base-url", "http://127.0.0.1:9", "--attempts", 1, "--timeout", 2)
    ended = tlg("build", *SEEDS, *WRITES, *down, "--backend", "ray", "--out", tmp_path / "down")
    assert ended.status == 2
    assert "127.0.0.1:9" in ended.line
