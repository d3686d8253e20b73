from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
LEETCODE = SHARED_DATA / "derived" / "leetcode_seeds.jsonl.gz"
GSM8K_TRAIN = SHARED_DATA / "derived" / "gsm8k_train_minus_heldout.jsonl"

Tlg = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tlg() -> Tlg:
    """Run the command line in a process of its own; it never waits for input."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tracelift_groups", *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            **{"timeout": 300, **options},  # type: ignore[call-overload]
        )

    return run


@pytest.fixture(scope="session")
def sample_run(tlg: Tlg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of the bundled seeds."""
    out = tmp_path_factory.mktemp("runs") / "sample"
    done = tlg("build", "--source", "sample", "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    return out


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def run_bytes(run: Path) -> dict[str, bytes]:
    """Every file of a run folder."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }
