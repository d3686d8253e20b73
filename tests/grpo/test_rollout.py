from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.generate import Sampled
from tracelift_groups.grpo.local import eos_ids, pad_id
from tracelift_groups.grpo.planner import load_planner
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.grpo.reward import Rollout, Score
from tracelift_groups.grpo.rollout import Completion, Sampler, batches, problems_of, roll_out
from tracelift_groups.grpo.steps import means, sample_row, sums
from tracelift_groups.rm.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_planner(tmp_path_factory.mktemp("planner") / "start")


def sampler_for(recipe: PlannerRecipe) -> tuple[Sampler, Any]:
    tokenizer = load_tokenizer(Path(str(recipe.planner)))
    model = load_planner(recipe).eval()
    eos = eos_ids(model, tokenizer)
    return Sampler(tokenizer, recipe, eos, pad_id(tokenizer, eos)), model


def rolled(planner: Path, reward: Any, problems: Any = PROBLEMS[:2], **changes: Any) -> Any:
    recipe = recipe_for(planner, **changes)
    sampler, model = sampler_for(recipe)
    return roll_out(sampler, model, problems, 0, recipe, reward)


def in_order(values: Sequence[float | None]) -> Any:
    """Gives the first completion the first value and so on; None is not valid."""
    return lambda rollouts: [
        Score(value, value is not None, {}) for value, _ in zip(values, rollouts, strict=True)
    ]


def test_advantages_and_what_counts_by_hand(planner: Path) -> None:
    reward = in_order([1.0, None, 0.0, 0.5, None, None, None, 0.7])
    first, second = rolled(planner, reward)
    assert [one.advantage for one in first] == [0.5, 0.0, -0.5, 0.0]
    assert [one.counts for one in first] == [True, False, True, True]
    assert [one.advantage for one in second] == [0.0] * 4  # one valid score is no group
    assert not any(one.counts for one in second)


def test_cut_off_completions_are_in_the_mean_and_get_no_gradient(planner: Path) -> None:
    ids = [0, 1, 2, 3]
    kept = rolled(planner, in_order([1.0, 0.0, 0.0, 0.0]), PROBLEMS[:1])
    masked = rolled(
        planner, in_order([1.0, 0.0, 0.0, 0.0]), PROBLEMS[:1], loss={"mask_truncated": True}
    )
    finished = [kept[0][n].sampled.finished for n in ids]
    assert not all(finished)
    assert [one.advantage for one in masked[0]] == [0.75, -0.25, -0.25, -0.25]
    assert [one.counts for one in masked[0]] == finished
    assert all(one.counts for one in kept[0])


def test_a_completion_depends_on_seed_step_problem_and_number_alone(planner: Path) -> None:
    recipe = recipe_for(planner)
    sampler, model = sampler_for(recipe)

    def texts(problems: Any, step: int, recipe: PlannerRecipe = recipe) -> dict[str, list[str]]:
        zero = in_order([0.0] * 4 * len(problems))
        groups = roll_out(sampler, model, problems, step, recipe, zero)
        return {
            group[0].rollout.problem.problem_id: [one.rollout.completion for one in group]
            for group in groups
        }

    together = texts(PROBLEMS, 3)
    alone = texts(PROBLEMS[4:5], 3)
    assert alone["p5"] == together["p5"]
    assert len(set(together["p5"])) > 1
    assert texts(PROBLEMS[4:5], 4)["p5"] != together["p5"]
    twin = dataclasses.replace(PROBLEMS[4], problem_id="twin")
    assert texts([twin], 3)["twin"] != together["p5"]
    other = recipe.model_copy(update={"seed": 1})
    assert texts(PROBLEMS[4:5], 3, other)["p5"] != together["p5"]


def test_a_bf16_training_samples_and_learns_in_bf16(planner: Path) -> None:
    recipe = recipe_for(planner, precision="bf16")
    sampler, model = sampler_for(recipe)
    seen: list[torch.dtype] = []
    model.lm_head.register_forward_hook(lambda *it: seen.append(it[-1].dtype))
    (group,) = sampler.draw(model, PROBLEMS[:1], [[1, 2]])
    assert set(seen) == {torch.bfloat16}
    assert all(isinstance(one.logprobs[0], float) for one in group)


def test_batches_hold_their_tokens_with_padding() -> None:
    rows = [(length, length) for length in (1, 2, 2, 3, 5, 9, 30)]
    assert list(batches(rows, 10)) == [[1, 2, 2], [3, 5], [9], [30]]
    assert list(batches([], 10)) == []


def test_every_problem_once_an_epoch_in_another_order() -> None:
    steps = [problems_of(PROBLEMS, step, 2, seed=5) for step in range(6)]
    first = [one.problem_id for step in steps[:3] for one in step]
    second = [one.problem_id for step in steps[3:] for one in step]
    assert sorted(first) == sorted(second) == sorted(one.problem_id for one in PROBLEMS)
    assert first != second
    assert len(problems_of(PROBLEMS, 0, 100, seed=5)) == len(PROBLEMS)
    across = [problems_of(PROBLEMS, step, 4, seed=5) for step in range(3)]  # 4 + 2, 2 + 4
    assert [one.problem_id for step in across for one in step] == first + second


def test_problems_without_room_are_left_out(planner: Path) -> None:
    long = Problem("long", "math", "1 + " * 200 + "1?", "201")
    sampler, model = sampler_for(recipe_for(planner))
    kept = sampler.fitting(model, [*PROBLEMS, long])
    assert kept == PROBLEMS
    room = 256 - max(len(sampler.prompt_ids(one)) for one in PROBLEMS)
    exact, model = sampler_for(recipe_for(planner, sampling={"max_tokens": room}))
    assert exact.fitting(model, PROBLEMS)
    with pytest.raises(UserError, match="no prompt fits into the planner's 256 positions"):
        sampler.fitting(model, [long])
    with pytest.raises(UserError, match="no problem to train on"):
        sampler.fitting(model, [])


def completion(
    value: float | None, parts: dict[str, float], ids: int, *, finished: bool = True, why: str = ""
) -> Completion:
    score = Score(value, value is not None, parts, why)
    sampled = Sampled([1] * ids, [-0.5 * (n + 1) for n in range(ids)], finished)
    text = "<reasoning>2 + 2 = 4</reasoning>"
    return Completion(Rollout(PROBLEMS[1], text), [1], sampled, score, 0.25, value is not None)


def test_figures_of_a_step_by_hand() -> None:
    usable = {"format_ok": 1.0, "length": 10.0, "leaked": 0.0, "success": 1.0, "rm": 0.5}
    broken = {"format_ok": 0.0, "length": 0.0, "leaked": 0.0}
    groups = [
        [completion(1.5, usable, 3), completion(0.0, broken, 1, why="several")],
        [
            completion(None, {**usable, "length": 20.0, "leaked": 1.0}, 2, why="executor: busy"),
            completion(None, broken, 4, finished=False, why="unclosed"),
        ],
    ]
    got = means(sums(groups))
    assert got == {
        "groups_learnt_from": 0.5,
        "invalid": 0.5,
        "truncated": 0.25,
        "tokens": 2.5,
        # (.5 + 1 + 1.5) + .5 + (.5 + 1) + (.5 + 1 + 1.5 + 2), over ten tokens
        "entropy": 1.0,
        "no_reasoning": 0.5,
        "tag_games": 0.25,  # the one that was cut off could not close its tag
        "leaked": 0.25,
        "reward": 0.75,
        "length": 15.0,
        "success": 0.5,  # without a reasoning there is none
        "rm": 0.5,
    }


def test_a_sample_row_shows_what_the_executor_was_given() -> None:
    row = sample_row(7, completion(1.5, {"success": 1.0}, 3))
    assert row["step"] == 7
    assert row["reasoning"] == "2 + 2 = 4"
    assert row["completion"] == "<reasoning>2 + 2 = 4</reasoning>"
    assert (row["value"], row["advantage"], row["parts"]) == (1.5, 0.25, {"success": 1.0})
