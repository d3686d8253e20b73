"""Trainings that are killed, and trainings of several processes, beside one of one process."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ROOT
from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for, same_weights, spaces, weights
from tracelift_groups.grpo.train import train

pytestmark = pytest.mark.slow

_CHILD = """
import os, sys
from pathlib import Path
from tests.grpo.tiny import PROBLEMS, recipe_for, spaces
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.train import train
planner, out, steps, lora, fail_at = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
calls = 0
def reward(rollouts):
    global calls
    calls += 1
    if calls == int(fail_at) and os.environ.get("RANK") == "1":
        raise UserError("the endpoint of the second process does not answer")
    return spaces(rollouts)
changes = {"lora": {"rank": 4, "alpha": 8}} if int(lora) else {}
evaluate = {"every": 2, "problems": 3}
changes["checkpoint_every"] = 1 if fail_at == "0" else 100
recipe = recipe_for(planner, steps=int(steps), evaluate=evaluate, **changes)
report = lambda at: print(at.step, flush=True)
try:
    train(PROBLEMS, PROBLEMS[:3], recipe, reward, out, on_report=report)
except UserError as error:
    sys.stdout.write(f"mistake: {error}" + chr(10))  # in one piece, beside the other process
    sys.stdout.flush()
    sys.exit(2)
"""


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_planner(tmp_path_factory.mktemp("planner") / "start")


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def child(launch: list[str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *launch, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )


def whole(planner: Path, out: Path, steps: int, **changes: Any) -> None:
    evaluate = {"every": 2, "problems": 3}
    recipe = recipe_for(planner, steps=steps, evaluate=evaluate, **changes)
    train(PROBLEMS, PROBLEMS[:3], recipe, spaces, out)


@pytest.mark.parametrize("lora", [0, 1], ids=["full", "lora"])
def test_killed_at_random_moments_it_ends_with_the_same_parameters(
    planner: Path, tmp_path: Path, lora: int
) -> None:
    """Some moments lie between two steps, some in a checkpoint, some in the last files."""
    rng = random.Random(lora)
    changes = {"lora": {"rank": 4, "alpha": 8}} if lora else {}
    whole(planner, tmp_path / "whole", 20, **changes)
    out = tmp_path / "killed"
    kills = 0
    for _ in range(4):
        process = child(["-c", _CHILD], planner, out, 20, lora, 0)
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    whole(planner, out, 20, **changes)
    assert kills
    assert same_weights(tmp_path / "whole", out)
    assert rows(tmp_path / "whole") == rows(out)
    assert not {"checkpoint", "checkpoint.new", "checkpoint.old"} & {
        path.name for path in out.iterdir()
    }


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How a script is begun as two processes."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    script = tmp_path / "child.py"
    script.write_text(_CHILD)
    return ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]


def test_two_processes_learn_what_one_does(planner: Path, tmp_path: Path, two: list[str]) -> None:
    process = child(two, planner, tmp_path / "two", 4, 0, 0)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert json.loads((tmp_path / "two" / "planner.json").read_text())["processes"] == 2
    whole(planner, tmp_path / "one", 4)
    one, other = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert not same_weights(planner, tmp_path / "two")
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=2e-4, rtol=1e-3)
    for first, second in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert first == pytest.approx(second, abs=1e-3)
        assert ("held_out_success" in first) == (first["step"] % 2 == 0)


def test_a_mistake_in_one_process_stops_both_with_a_checkpoint(
    planner: Path, tmp_path: Path, two: list[str]
) -> None:
    """The only checkpoint is the one that both write when the first call fails."""
    out = tmp_path / "out"
    for _ in range(2):  # at the completions of step 2, then at the held-out problems after it
        process = child(two, planner, out, 4, 0, 2)
        said, _ = process.communicate(timeout=120)
        assert process.returncode != 0
        assert "mistake: the endpoint of the second process does not answer" in said
        assert json.loads((out / "checkpoint" / "progress.json").read_text())["step"] == 1
    whole(planner, out, 4, checkpoint_every=100)
    assert [row["step"] for row in rows(out)] == [1, 2, 3, 4]
