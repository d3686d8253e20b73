from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Tlg, write_jsonl
from tracelift_groups.cli import COMMANDS

HEAVY = ("torch", "datasets", "openai", "pyarrow", "sklearn", "pandas", "pydantic")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tracelift_groups.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(tlg: Tlg, command: str) -> None:
    done = tlg(command, "--help")
    assert done.returncode == 0
    assert f"tlg {command} " in done.stdout.split("Example")[-1]


def test_version(tlg: Tlg) -> None:
    assert tlg("--version").stdout.startswith("tlg, version ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["build", "--source", "sample"], "Missing option '--out'"),
        (["build", "--source", "nope", "--out", "x"], "'nope' is not one of"),
        (["build", "--source", "gsm8k", "--seeds", "gone.jsonl", "--out", "x"], "no such file"),
        (["build", "--source", "jsonl", "--out", "x"], "--seeds FILE"),
        (["preview", "--source", "sample", "--kind", "nope"], "unknown kind 'nope'"),
        (["convert", "gone", "--to", "groups", "-o", "x.parquet"], "no such file or run folder"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    tlg: Tlg, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = tlg(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_hub_out_of_reach_is_one_line_with_the_way_out(tlg: Tlg, tmp_path: Path) -> None:
    import os

    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = tlg("build", "--source", "gsm8k", "--out", tmp_path / "run", env=offline)
    assert done.returncode == 2
    assert "--seeds FILE" in done.stderr
    nowhere = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = tlg("build", "--source", "gsm8k", "--out", tmp_path / "run", env=nowhere)
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_build_prints_its_manifest_as_json(tlg: Tlg, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = tlg("build", "--source", "sample", "--limit", 6, "--out", out, "--json")
    assert json.loads(done.stdout) == json.loads((out / "manifest.json").read_text())


def test_preview_shows_diffs_and_writes_nothing(tlg: Tlg, tmp_path: Path) -> None:
    done = tlg("preview", "--source", "sample", "--groups", 1, cwd=tmp_path)
    assert done.returncode == 0
    assert "reference" in done.stdout
    assert "wrong_operation" in done.stdout
    assert not list(tmp_path.iterdir())


def test_preview_of_one_kind_as_json(tlg: Tlg) -> None:
    done = tlg("preview", "--source", "sample", "--kind", "unit_mismatch", "--groups", 2, "--json")
    groups = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(groups) == 2
    assert all(any(t["kind"] == "unit_mismatch" for t in group["traces"]) for group in groups)


def test_preview_says_why_seeds_are_rejected(tlg: Tlg, tmp_path: Path) -> None:
    row = {"question": "Let x be. What is x?", "answer": "2x = 10\nx = 5\n#### 5"}
    seeds = write_jsonl(tmp_path / "s.jsonl", [row])
    done = tlg("preview", "--source", "gsm8k", "--seeds", seeds)
    assert done.returncode == 2
    assert "no_equation" in done.stdout
