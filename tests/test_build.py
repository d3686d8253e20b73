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

from tests.conftest import Tlg, run_bytes, write_jsonl
from tracelift_groups.assets import asset
from tracelift_groups.build import BuildOptions, build
from tracelift_groups.errors import UserError
from tracelift_groups.formats import to_tracelift
from tracelift_groups.groups import make_group
from tracelift_groups.perturb.math.checks import recheck
from tracelift_groups.records import Group
from tracelift_groups.seeds import SeedSource
from tracelift_groups.store import Journal
from tracelift_groups.tables import read_groups

SEEDS = asset("data", "seeds", "math.jsonl")


def rows() -> list[object]:
    return [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]


def options(file: Path, **more: object) -> BuildOptions:
    return BuildOptions(source=SeedSource("gsm8k", file=file), **more)  # type: ignore[arg-type]


def test_every_seed_is_a_group_or_a_rejection(sample_run: Path) -> None:
    manifest = json.loads((sample_run / "manifest.json").read_text())
    counts = manifest["counts"]
    rejected = (sample_run / "rejected.jsonl").read_text().splitlines()
    assert counts["groups"] + counts["rejected"] == counts["seeds_read"] == len(rows())
    assert counts["rejected"] == len(rejected)
    assert sum(counts["by_rejection_reason"].values()) == counts["rejected"]
    assert sum(counts["by_split"].values()) == counts["groups"]


def test_a_finished_run_has_no_journal(sample_run: Path) -> None:
    names = {path.name for path in sample_run.iterdir()}
    assert names == {"groups", "rejected.jsonl", "manifest.json", "README.md"}


def test_written_groups_confirm_their_certificates_and_have_what_a_group_needs(
    sample_run: Path,
) -> None:
    groups = [g for path in (sample_run / "groups").iterdir() for g in read_groups(str(path))]
    assert len(groups) >= 60
    for group in groups:
        assert recheck(group) == []
        flawed = [trace for trace in group.traces if trace.role == "flawed"]
        assert len(flawed) >= 4
        assert any(trace.role == "twin" for trace in group.traces)
        assert all(trace.certificate for trace in flawed)
        assert len({trace.text for trace in group.traces}) == len(group.traces)


def test_same_bytes_whatever_the_workers_and_the_order(tmp_path: Path) -> None:
    shuffled = rows()[:40]
    (tmp_path / "a").mkdir()
    first = write_jsonl(tmp_path / "a" / "seeds.jsonl", shuffled)
    build(options(first), tmp_path / "one")
    build(options(first, workers=2), tmp_path / "two")
    assert run_bytes(tmp_path / "one") == run_bytes(tmp_path / "two")
    random.Random(3).shuffle(shuffled)
    (tmp_path / "b").mkdir()
    second = write_jsonl(tmp_path / "b" / "seeds.jsonl", shuffled)
    build(options(second), tmp_path / "three")
    one, three = run_bytes(tmp_path / "one"), run_bytes(tmp_path / "three")
    assert one["groups/train.parquet"] == three["groups/train.parquet"]
    assert one["groups/validation.parquet"] == three["groups/validation.parquet"]


def test_another_run_seed_gives_other_groups(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "seeds.jsonl", rows()[:8])
    build(options(file), tmp_path / "zero")
    build(options(file, seed=1), tmp_path / "one")
    zero, one = run_bytes(tmp_path / "zero"), run_bytes(tmp_path / "one")
    assert zero["groups/train.parquet"] != one["groups/train.parquet"]


def test_killed_at_random_moments_and_resumed_gives_the_same_bytes(tmp_path: Path) -> None:
    want = tmp_path / "want"
    build(BuildOptions(source=SeedSource("sample")), want)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tracelift_groups", "build", "--source", "sample"]
    command += ["--out", str(out), "--workers", "2"]
    draw = random.Random(7)
    killed_while_working = 0
    for _ in range(8):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        journal = out / "journal.jsonl"
        seen = journal.stat().st_size if journal.exists() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.stat().st_size > seen:
                time.sleep(draw.random() * 0.15)
                break
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed_while_working += 1
        process.wait()
        if (out / "manifest.json").exists():
            break
    assert killed_while_working >= 2
    build(BuildOptions(source=SeedSource("sample")), out)
    assert run_bytes(out) == run_bytes(want)


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "seeds.jsonl", rows()[:6])
    want = tmp_path / "want"
    build(options(file), want)
    out = tmp_path / "out"

    class CrashError(Exception):
        pass

    def crash(_: object) -> None:
        raise CrashError

    with pytest.raises(CrashError):
        build(options(file), out, on_progress=crash)
    journal = out / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    build(options(file), out)
    assert run_bytes(out) == run_bytes(want)


def test_a_second_run_finds_the_first(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "seeds.jsonl", rows()[:5])
    out = tmp_path / "out"
    build(options(file), out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    build(options(file), out)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def test_other_options_on_the_same_folder_are_refused_unless_starting_over(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "seeds.jsonl", rows()[:5])
    out = tmp_path / "out"
    build(options(file), out)
    with pytest.raises(UserError, match="--resume never"):
        build(options(file, seed=1), out)
    build(options(file, seed=1), out, resume=False)
    assert json.loads((out / "manifest.json").read_text())["build"]["seed"] == 1


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("words")
    file = write_jsonl(tmp_path / "seeds.jsonl", rows()[:5])
    for resume in (True, False):
        with pytest.raises(UserError, match="holds no build"):
            build(options(file), out, resume=resume)
    assert (out / "chapter1.tex").read_text() == "words"


def test_bad_rows_are_named_and_the_run_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    good = [json.dumps(row) for row in rows()[:5]]
    bad = [
        "{not json",
        '["a list"]',
        '{"question": "How many?"}',
        '{"question": "How many?", "answer": "no answer line"}',
        '{"question": "", "answer": "1+1 = 2\\n#### 2"}',
        '{"question": "Why?", "answer": "Because 1 + 1 = 2\\n#### two"}',
        '{"question": "Half?", "answer": "5 - 3 = 4\\n#### 4"}',
        good[0],
    ]
    file.write_text("\n".join([*good[:2], "", *bad, *good[2:]]) + "\n")
    manifest = build(options(file), tmp_path / "out")
    reasons = manifest["counts"]["by_rejection_reason"]
    assert reasons == {
        "malformed_row": 5, "bad_answer": 1, "false_equation": 1, "duplicate_problem": 1,
    }  # fmt: skip
    assert manifest["counts"]["groups"] == 5
    told = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").open()]
    by_place = {one["where"]: one["detail"] for one in told}
    assert "not JSON" in by_place["seeds.jsonl:4"]
    assert "'answer' is missing" in by_place["seeds.jsonl:6"]
    assert "'5 - 3 = 4' does not hold" in by_place["seeds.jsonl:10"]


def test_a_file_without_a_usable_row_is_the_users_mistake(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "seeds.jsonl", [{"text": "hello"}])
    with pytest.raises(UserError, match=r"no usable row: seeds\.jsonl:1: field 'question'"):
        build(options(file), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(UserError, match="no usable row"):
        build(options(empty), tmp_path / "out")


def test_evaluation_problems_are_dropped(tmp_path: Path) -> None:
    seeds = rows()[:6]
    file = write_jsonl(tmp_path / "seeds.jsonl", seeds)
    leaked = str(seeds[2]["question"]).replace("7", "9")  # type: ignore[index]
    evaluation = write_jsonl(tmp_path / "test.jsonl", [{"question": leaked}, {"question": "No."}])
    manifest = build(options(file, decontaminate=(evaluation,)), tmp_path / "out")
    assert manifest["counts"]["by_rejection_reason"] == {"contaminated": 1}
    told = json.loads((tmp_path / "out" / "rejected.jsonl").read_text())
    assert "test.jsonl:1" in told["detail"]


def test_the_manifest_names_no_folder_of_this_machine(sample_run: Path) -> None:
    assert str(sample_run.parent) not in (sample_run / "manifest.json").read_text()
    assert str(Path.home()) not in (sample_run / "manifest.json").read_text()


def test_the_card_has_front_matter_and_the_counts(sample_run: Path) -> None:
    import yaml

    card = (sample_run / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    for part in front["configs"][0]["data_files"]:
        assert (sample_run / part["path"]).is_file()
    counts = json.loads((sample_run / "manifest.json").read_text())["counts"]
    assert f"| groups | {counts['groups']} " in card
    table = card.split("## Shortcuts")[1]
    widths = {line.count("|") for line in table.splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_datasets_loads_a_run(sample_run: Path) -> None:
    from datasets import load_dataset

    files = {p.stem: str(p) for p in (sample_run / "groups").glob("*.parquet")}
    data = load_dataset("parquet", data_files=files, cache_dir=str(sample_run.parent / "cache"))
    row = data["train"][0]
    assert row["traces"][0]["role"] == "reference"
    assert set(row["traces"][0]["rubric"].values()) == {4}


def test_the_shipped_groups_are_what_the_engine_makes_of_the_first_seeds() -> None:
    """Golden bytes; `make golden` writes them anew when a change of the engine is meant."""
    golden = asset("data", "groups", "sample.jsonl").read_text(encoding="utf-8").splitlines()
    seeds = list(SeedSource("sample", limit=len(golden)))
    for line, seed in zip(golden, seeds, strict=True):
        group = make_group(seed, 0)  # type: ignore[arg-type]
        assert isinstance(group, Group)
        assert json.dumps(to_tracelift(group), ensure_ascii=False) == line


def test_interrupting_says_how_to_go_on(tlg: Tlg, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tracelift_groups", "build", "--source", "sample"]
    command += ["--out", str(out), "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (out / "journal.jsonl").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    if process.returncode == 0:
        pytest.skip("the build was faster than the interruption")
    assert process.returncode == 130
    assert len(told.strip().splitlines()) == 1
    assert "the same command goes on" in told


def test_a_build_that_made_nothing_does_not_hold_the_folder(tmp_path: Path) -> None:
    """Such as one whose endpoint could not be reached."""
    out = tmp_path / "out"
    out.mkdir()
    Journal(out, {"another": "build"}).close()
    manifest = build(BuildOptions(source=SeedSource("sample", limit=2)), out)
    assert manifest["counts"]["groups"] == 2


def test_what_another_build_made_is_not_thrown_away(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    journal = Journal(out, {"another": "build"})
    journal.append(['{"id": "a", "rejected": {}}'])
    journal.close()
    with pytest.raises(UserError, match="unfinished build with other inputs"):
        build(BuildOptions(source=SeedSource("sample", limit=2)), out)
