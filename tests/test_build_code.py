"""Code groups end to end: built, killed, resumed, read back, checked again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import LEETCODE, Tlg, run_bytes, write_jsonl
from tracelift_groups.build import BuildOptions, build
from tracelift_groups.errors import UserError
from tracelift_groups.formats import from_tracelift, to_tracelift
from tracelift_groups.perturb.checks import recheck
from tracelift_groups.perturb.code import runs
from tracelift_groups.records import Group
from tracelift_groups.seeds import SeedSource
from tracelift_groups.tables import read_groups
from tracelift_groups.verify.cases import read_tests
from tracelift_groups.verify.code import CodeVerifier
from tracelift_groups.verify.sandbox import SandboxUnavailableError
from tracelift_groups.verify.verdict import Verdict

try:
    runs.sandbox_of()
except SandboxUnavailableError as unavailable:
    pytest.skip(str(unavailable), allow_module_level=True)

SOME = 6


def options(**more: object) -> BuildOptions:
    return BuildOptions(source=SeedSource("sample-code", limit=SOME), **more)  # type: ignore[arg-type]


def groups_of(run: Path) -> list[Group]:
    return [g for path in sorted((run / "groups").iterdir()) for g in read_groups(str(path))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("code") / "run"
    build(options(workers=1), out)
    return out


def test_every_seed_is_accounted_for(run: Path) -> None:
    counts = json.loads((run / "manifest.json").read_text())["counts"]
    assert counts["groups"] + counts["rejected"] == counts["seeds_read"] == SOME
    assert counts["groups"] >= SOME * 0.6


def test_groups_have_what_a_code_group_needs(run: Path) -> None:
    for group in groups_of(run):
        assert group.domain == "code"
        assert group.reference_solution
        assert group.tests
        flawed = [trace for trace in group.traces if trace.role == "flawed"]
        assert len(flawed) >= 4
        assert len({trace.kind for trace in flawed}) >= 3
        assert any(trace.role == "twin" for trace in group.traces)
        assert not any("```" in trace.text for trace in group.traces)


def test_certificates_are_confirmed_again(run: Path) -> None:
    for group in groups_of(run):
        assert recheck(group) == []


def test_stored_programs_fail_the_stored_tests_and_the_references_pass(run: Path) -> None:
    """Without the engine: from the records alone."""
    with CodeVerifier(workers=1) as verifier:
        for group in groups_of(run):
            assert group.tests is not None and group.reference_solution is not None
            tests = read_tests(group.tests)
            assert tests.run(verifier, group.reference_solution).verdict is Verdict.PASS
            for trace in group.traces:
                cert = trace.certificate
                if cert is None or cert.method != "executed":
                    continue
                assert cert.program is not None
                case = next(
                    (case for case in tests.cases if case.input == cert.input), None
                ) or tests.made_case(cert.input or "", cert.expected, stdin=not tests.whole)
                assert case is not None
                failure = tests.run_case(verifier, cert.program, case)
                assert failure is not None
                if trace.kind != "infeasible_complexity":
                    assert (failure.case.expected, failure.got) == (cert.expected, cert.got)


def test_same_bytes_with_two_workers(run: Path, tmp_path: Path) -> None:
    build(options(workers=2), tmp_path / "two")
    assert run_bytes(tmp_path / "two") == run_bytes(run)


def test_killed_and_resumed_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    out, rng = tmp_path / "killed", random.Random(0)
    command = [sys.executable, "-m", "tracelift_groups", "build", "--source", "sample-code"]
    command += ["--limit", str(SOME), "--out", str(out), "--workers", "1"]
    killed = 0
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        journal = out / "journal.jsonl"
        lines = killed + 1 + rng.randrange(2)
        while process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") > lines:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.02)
        process.wait()
    assert killed
    build(options(workers=1), out)
    assert run_bytes(out) == run_bytes(run)


def test_the_published_layout_gives_a_code_group_back(run: Path) -> None:
    for group in groups_of(run):
        row = to_tracelift(group)
        assert row["task_type"] == "code"
        assert row["reference_solution"] == group.reference_solution
        assert from_tracelift(json.loads(json.dumps(row)), "x:1") == group


def test_the_manifest_names_the_isolation_and_the_code_templates(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["sandbox"]
    assert "off_by_one" in manifest["build"]["templates"]
    assert manifest["build"]["domain"] == "code"


def test_references_that_do_not_hold_are_rejected_with_the_reason(tmp_path: Path) -> None:
    good = {
        "problem": "Return the double of x.",
        "reasoning": "We take `x` and return `x * 2`, as a double is twice the value. " * 3,
        "solution": "def double(x):\n    return x * 2",
        "tests": {"test_code": "assert double(2) == 4", "entry_point": "double"},
    }
    rows = [
        {**good, "problem": "a", "solution": "def double(x):\n    return x * 3"},
        {**good, "problem": "b", "tests": []},
        {**good, "problem": "c", "solution": "def double(x:"},
        {**good, "problem": "d", "reasoning": "Double it."},
        {**good, "problem": "e", "solution": "def double(x):\n    while True: pass"},
        {**good, "problem": "f", "solution": "def double(x):\n    return y"},
    ]
    file = write_jsonl(tmp_path / "seeds.jsonl", list(rows))
    source = SeedSource("jsonl", file=file)
    manifest = build(BuildOptions(source=source), tmp_path / "run")
    assert manifest["counts"]["by_rejection_reason"] == {
        "no_tests": 1,
        "program_does_not_parse": 1,
        "reference_runtime_error": 1,
        "reference_timeout": 1,
        "reference_wrong_answer": 1,
        "thin_reasoning": 1,
    }


def test_a_sandbox_that_fails_stops_the_run_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    verdict, calls = runs.Runs.verdict, 0

    def failing(*arguments: object) -> Verdict:
        nonlocal calls
        calls += 1
        if calls > 25:
            raise runs.SandboxDown("no more processes")
        return verdict(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runs.Runs, "verdict", failing)
    with pytest.raises(UserError, match="goes on where it stopped"):
        build(options(workers=1), tmp_path / "run")
    monkeypatch.undo()
    build(options(workers=1), tmp_path / "run")
    assert run_bytes(tmp_path / "run") == run_bytes(run)


def test_a_machine_that_cannot_isolate_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SandboxUnavailableError("programs cannot be isolated here", way_out="--sandbox-url")

    runs._runs.cache_clear()
    monkeypatch.setattr(runs, "CodeVerifier", refuse)
    with pytest.raises(UserError, match="cannot be isolated"):
        build(options(), tmp_path / "run")
    runs._runs.cache_clear()
    assert not (tmp_path / "run").exists()


def test_preview_shows_what_the_program_gives(tlg: Tlg) -> None:
    shown = tlg("preview", "--source", "sample-code", "--groups", 1)
    assert shown.returncode == 0, shown.stderr
    assert "the program gives" in shown.stdout


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not LEETCODE.is_file(), reason="../shared/data is not here")
def test_the_bars_on_real_problems(tlg: Tlg, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = tlg("build", "--source", "jsonl", "--seeds", LEETCODE, "--out", out, timeout=3600)
    assert done.returncode == 0, done.stderr
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts["seeds_read"] == 1890
    kept = sum(
        n
        for reason, n in counts["by_rejection_reason"].items()
        if reason in ("too_few_flaws", "too_few_kinds", "no_twin")
    )
    assert counts["groups"] + kept >= 1700
    assert counts["groups"] >= 0.6 * (counts["groups"] + kept)
    for group in groups_of(out):
        assert recheck(group) == []
