"""The real ``GRPOTrainer`` with our reward and a model made on the spot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for, same_weights, spaces
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.reward import Rollout, Score
from tracelift_groups.grpo.trl_backend import train_with_trl, trl_arguments

pytest.importorskip("trl")


def test_it_trains_and_logs_what_was_measured(tmp_path: Path) -> None:
    """Two steps of TRL; a fifth of the scores is invalid and nothing breaks."""
    planner = make_planner(tmp_path / "start")
    seen: list[list[str]] = []

    def reward(rollouts: Sequence[Rollout]) -> list[Score]:
        seen.append([one.problem.problem_id for one in rollouts])
        scores = spaces(rollouts)
        return [
            Score(None, False, {}, "unavailable") if n % 5 == 4 else score
            for n, score in enumerate(scores)
        ]

    sampling = {"completions": 4, "max_tokens": 10}
    recipe = recipe_for(planner, steps=2, sampling=sampling)
    info = train_with_trl(PROBLEMS, recipe, reward, tmp_path / "out")
    assert info["steps"] == 2
    assert all(len(batch) == 8 for batch in seen)
    assert all(batch[:4] == [batch[0]] * 4 for batch in seen)
    logged = [row for row in info["log"] if "loss" in row]
    assert all(row["tlg/invalid"] == pytest.approx(1 / 8) for row in logged)
    assert all("tlg/success" in row for row in logged)
    assert not same_weights(planner, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "planner.json").read_text())
    assert written["backend"].startswith("trl ")


def test_what_trl_does_in_another_way_is_refused(tmp_path: Path) -> None:
    planner = make_planner(tmp_path / "start")
    plain = {"completions": 4}
    for key, changes in (
        ("sampling.prefill", {}),
        ("loss.correction", {"sampling": plain, "loss": {"correction": "truncated"}}),
    ):
        with pytest.raises(UserError, match=key):
            trl_arguments(recipe_for(planner, **changes), tmp_path, {})
    recipe = recipe_for(planner, sampling=plain)
    with pytest.raises(UserError, match="no_such_option"):
        train_with_trl(PROBLEMS, recipe, spaces, tmp_path / "out", extra={"no_such_option": 1})


def test_options_of_trl_go_before_the_recipe(tmp_path: Path) -> None:
    recipe = recipe_for(make_planner(tmp_path / "start"), sampling={"completions": 4})
    found = trl_arguments(recipe, tmp_path, {"use_vllm": True, "loss_type": "dr_grpo"})
    assert found["use_vllm"] is True
    assert found["loss_type"] == "dr_grpo"
    assert found["num_generations"] == 4
