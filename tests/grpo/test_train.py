from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for, same_weights, spaces, weights
from tracelift_groups.errors import GateError, UserError
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.grpo.reward import Rollout, Score
from tracelift_groups.grpo.train import Report, train


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_planner(tmp_path_factory.mktemp("planner") / "start")


def run(planner: Path, out: Path, reward: Any = spaces, **changes: Any) -> dict[str, Any]:
    return train(PROBLEMS, [], recipe_for(planner, **changes), reward, out)


def rows(out: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


class Interrupted(Exception):  # noqa: N818 - stands for a crash
    pass


def crashing(after: int) -> Any:
    calls = [0]

    def reward(rollouts: Sequence[Rollout]) -> list[Score]:
        calls[0] += 1
        if calls[0] > after:
            raise Interrupted
        return spaces(rollouts)

    return reward


def test_what_is_rewarded_becomes_more(planner: Path, tmp_path: Path) -> None:
    info = run(planner, tmp_path / "out", steps=40, problems_per_step=4)
    metrics = rows(tmp_path / "out")
    first = sum(row["reward"] for row in metrics[:5]) / 5
    last = sum(row["reward"] for row in metrics[-5:]) / 5
    assert last > first + 0.2
    assert info["last"]["reward"] > info["first"]["reward"]


def test_the_folder_is_a_model_of_transformers(planner: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(planner, out, steps=2)
    model = AutoModelForCausalLM.from_pretrained(out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert model.config.vocab_size >= len(tokenizer)
    assert not same_weights(planner, out)
    left = {path.name for path in out.iterdir()}
    assert not left & {"checkpoint", "checkpoint.new", "checkpoint.old"}
    assert {"planner.json", "recipe.yaml", "metrics.jsonl"} <= left


def test_adapters_are_kept_apart_and_merged(planner: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    out = tmp_path / "out"
    lora = {"rank": 4, "alpha": 8, "targets": ["q_proj", "down_proj"]}
    run(planner, out, steps=3, lora=lora, checkpoint_activations=True, tokens_per_batch=40)
    merged = AutoModelForCausalLM.from_pretrained(out)
    start = AutoModelForCausalLM.from_pretrained(planner)
    adapted = PeftModel.from_pretrained(start, out / "adapter")
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        there, base = adapted(ids).logits, adapted.get_base_model()
        torch.testing.assert_close(merged(ids).logits, there, atol=1e-4, rtol=1e-4)
        with adapted.disable_adapter():
            assert not torch.allclose(base(ids).logits, there, atol=1e-3)
    changed = {name for name, one in weights(out).items() if not one.equal(weights(planner)[name])}
    assert {name.split(".")[-2] for name in changed} == {"q_proj", "down_proj"}


def test_activations_computed_again_change_nothing(planner: Path, tmp_path: Path) -> None:
    run(planner, tmp_path / "kept", steps=2)
    run(planner, tmp_path / "again", steps=2, checkpoint_activations=True)
    assert same_weights(tmp_path / "kept", tmp_path / "again")


def test_tensorboard_has_the_figures(planner: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(planner, tmp_path / "out", steps=3, trackers=["tensorboard"])
    events = EventAccumulator(str(tmp_path / "out" / "tracelift-groups"))
    events.Reload()
    shown = [(one.step, one.value) for one in events.Scalars("reward")]
    expected = [(row["step"], pytest.approx(row["reward"])) for row in rows(tmp_path / "out")]
    assert shown == expected


def test_bf16_resumes_exactly_too(planner: Path, tmp_path: Path) -> None:
    run(planner, tmp_path / "whole", steps=3, precision="bf16")
    with pytest.raises(Interrupted):
        run(planner, tmp_path / "parts", crashing(2), steps=3, precision="bf16")
    run(planner, tmp_path / "parts", steps=3, precision="bf16")
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    assert weights(tmp_path / "whole")["model.norm.weight"].dtype == torch.float32


def test_problems_without_room_are_counted(planner: Path, tmp_path: Path) -> None:
    long = Problem("long", "math", "1 + " * 200 + "1?", "201")
    info = train([*PROBLEMS, long], [long, *PROBLEMS], recipe_for(planner), spaces, tmp_path / "o")
    assert (info["problems"], info["too_long"]) == (6, 1)


@pytest.mark.parametrize("changes", [{}, {"lora": {"rank": 4, "alpha": 8}}], ids=["full", "lora"])
def test_resuming_gives_the_same_parameters(
    planner: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    changes |= {"steps": 5, "checkpoint_every": 2, "log_samples_every": 1}
    run(planner, whole, **changes)
    for after in (1, 2, 1):
        with pytest.raises(Interrupted):
            run(planner, parts, crashing(after), **changes)
        torch.manual_seed(after)  # whatever else drew random numbers
    run(planner, parts, **changes)
    assert same_weights(whole, parts)
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert rows(whole, name) == rows(parts, name)


def test_the_order_of_a_batch_and_its_size_change_nothing_but_rounding(
    planner: Path, tmp_path: Path
) -> None:
    run(planner, tmp_path / "one", steps=2)
    run(planner, tmp_path / "two", steps=2, tokens_per_batch=16)
    first, second = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=2e-4, rtol=1e-3)


def test_a_finished_training_is_not_done_again(planner: Path, tmp_path: Path) -> None:
    info = run(planner, tmp_path / "out", steps=2)
    assert run(planner, tmp_path / "out", crashing(0), steps=2) == info


def test_another_recipe_does_not_overwrite(planner: Path, tmp_path: Path) -> None:
    run(planner, tmp_path / "out", steps=2)
    with pytest.raises(UserError, match="another recipe"):
        run(planner, tmp_path / "out", steps=3)
    train(PROBLEMS, [], recipe_for(planner, steps=3), spaces, tmp_path / "out", resume=False)
    assert len(rows(tmp_path / "out")) == 3


def test_another_planner_or_prompt_does_not_overwrite(planner: Path, tmp_path: Path) -> None:
    start = make_planner(tmp_path / "start")
    run(start, tmp_path / "out", steps=2)
    recipe = recipe_for(start, steps=2)
    Path(recipe.prompt).write_text("{{ problem }}!")
    with pytest.raises(UserError, match="another recipe"):
        train(PROBLEMS, [], recipe, spaces, tmp_path / "out")
    make_planner(start, seed=1)
    with pytest.raises(UserError, match="another recipe"):
        run(start, tmp_path / "out", steps=2)


def test_another_recipe_does_not_take_over_a_checkpoint(planner: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(planner, tmp_path / "out", crashing(2), steps=3)
    with pytest.raises(UserError, match="unfinished"):
        run(planner, tmp_path / "out", steps=4)


def sometimes_invalid(rollouts: Sequence[Rollout]) -> list[Score]:
    """A fifth is not known; which ones depends on the text alone."""
    return [
        Score(
            None, False, {"format_ok": 1.0, "length": 9.0, "leaked": 0.0}, "executor: unavailable"
        )
        if sum(map(ord, one.completion)) % 5 == 0
        else score
        for one, score in zip(rollouts, spaces(rollouts), strict=True)
    ]


def test_invalid_scores_are_counted_and_teach_nothing(planner: Path, tmp_path: Path) -> None:
    info = run(planner, tmp_path / "out", sometimes_invalid, steps=6, problems_per_step=4)
    assert 0.02 < info["invalid"] < 0.6
    shares = [row["invalid"] for row in rows(tmp_path / "out")]
    assert info["invalid"] == pytest.approx(sum(shares) / len(shares))


def test_an_invalid_score_is_as_if_the_completion_had_not_been(
    planner: Path, tmp_path: Path
) -> None:
    """Whatever stands in an invalid score, the parameters are the same."""

    def with_value(rollouts: Sequence[Rollout]) -> list[Score]:
        return [
            score._replace(parts={**score.parts, "success": 1.0, "rm": 1.0})
            if not score.valid
            else score
            for score in sometimes_invalid(rollouts)
        ]

    run(planner, tmp_path / "one", sometimes_invalid, steps=3)
    run(planner, tmp_path / "two", with_value, steps=3)
    assert same_weights(tmp_path / "one", tmp_path / "two")


def test_it_gives_up_where_nothing_is_valid(planner: Path, tmp_path: Path) -> None:
    def nothing(rollouts: Sequence[Rollout]) -> list[Score]:
        return [Score(None, False, {}, "executor: unavailable cut") for _ in rollouts]

    with pytest.raises(GateError, match=r"no valid score for 3 steps.*unavailable cut"):
        run(planner, tmp_path / "out", nothing, steps=9, give_up_after=3)
    assert not (tmp_path / "out" / "planner.json").exists()
    assert run(planner, tmp_path / "out", steps=9, give_up_after=3)["steps"] == 9


def test_equal_rewards_change_nothing(planner: Path, tmp_path: Path) -> None:
    def equal(rollouts: Sequence[Rollout]) -> list[Score]:
        return [Score(0.3, True, {}) for _ in rollouts]

    run(planner, tmp_path / "out", equal, steps=2)
    assert same_weights(planner, tmp_path / "out")
    assert all(row["groups_learnt_from"] == 0 for row in rows(tmp_path / "out"))


def test_cut_off_completions_get_no_gradient(planner: Path, tmp_path: Path) -> None:
    loss = {"mask_truncated": True}
    sampling = {"completions": 4, "max_tokens": 1}
    run(planner, tmp_path / "out", steps=2, loss=loss, sampling=sampling)
    assert all(row["truncated"] == 1.0 for row in rows(tmp_path / "out"))
    assert same_weights(planner, tmp_path / "out")


def test_dropout_is_off(planner: Path, tmp_path: Path) -> None:
    dropping = tmp_path / "dropping"
    shutil.copytree(planner, dropping)
    config = json.loads((dropping / "config.json").read_text())
    (dropping / "config.json").write_text(json.dumps({**config, "attention_dropout": 0.5}))
    run(planner, tmp_path / "one", steps=2)
    run(dropping, tmp_path / "two", steps=2)
    assert same_weights(tmp_path / "one", tmp_path / "two")


def test_the_divergence_from_the_start_begins_at_zero(planner: Path, tmp_path: Path) -> None:
    loss = {"kl_weight": 0.5, "mask_truncated": False}
    run(planner, tmp_path / "kl", steps=3, loss=loss)
    kls = [row["kl"] for row in rows(tmp_path / "kl")]
    assert kls[0] == pytest.approx(0.0, abs=1e-6)  # the first step starts at the reference
    assert all(kl > 0 for kl in kls[1:])


def test_samples_are_logged(planner: Path, tmp_path: Path) -> None:
    run(planner, tmp_path / "out", steps=4, log_samples_every=2)
    logged = rows(tmp_path / "out", "samples.jsonl")
    assert Counter(row["step"] for row in logged) == {2: 4, 4: 4}
    assert {"problem", "completion", "value", "parts"} <= set(logged[0])


def test_the_held_out_success_is_that_of_the_most_likely_completion(
    planner: Path, tmp_path: Path
) -> None:
    evaluate = {"every": 2, "problems": 3}
    recipe = recipe_for(planner, steps=2, evaluate=evaluate)
    asked: list[list[str]] = []

    def reward(rollouts: Sequence[Rollout]) -> list[Score]:
        asked.append([one.problem.problem_id for one in rollouts])
        return spaces(rollouts)

    train(PROBLEMS[:3], PROBLEMS[3:], recipe, reward, tmp_path / "out")
    assert asked[-1] == ["p4", "p5", "p6"]
    assert "held_out_success" in rows(tmp_path / "out")[1]


def test_held_out_completions_are_greedy(planner: Path, tmp_path: Path) -> None:
    recipe = recipe_for(planner, steps=1, optim={"lr": 1e-12}, evaluate={"every": 1})
    asked: list[list[str]] = []

    def reward(rollouts: Sequence[Rollout]) -> list[Score]:
        asked.append([one.completion for one in rollouts])
        return spaces(rollouts)

    train(PROBLEMS, PROBLEMS, recipe, reward, tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(planner)
    tokenizer = AutoTokenizer.from_pretrained(planner)
    for problem, found in zip(PROBLEMS, asked[-1], strict=True):
        given = tokenizer(f"{problem.text}\n<reasoning>", return_tensors="pt")
        out = model.generate(**given, max_new_tokens=10, do_sample=False)
        own = out[0, given["input_ids"].shape[1] :]
        assert tokenizer.decode(own, skip_special_tokens=True) == found


def test_the_rate_follows_the_schedule(planner: Path, tmp_path: Path) -> None:
    optim = {"lr": 0.01, "schedule": "linear", "warmup": 0.5}
    run(planner, tmp_path / "out", steps=4, optim=optim)
    assert [row["lr"] for row in rows(tmp_path / "out")] == pytest.approx(
        [0.005, 0.01, 0.01, 0.005]
    )


def test_signs_of_a_gamed_reward_are_told_and_counted_over_a_restart(
    planner: Path, tmp_path: Path
) -> None:
    """Sixteen of the first twenty steps pass before the crash, five more stand under the sign."""

    def leaking(rollouts: Sequence[Rollout]) -> list[Score]:
        return [
            one._replace(parts={**one.parts, "leaked": 1.0}, value=0.5) for one in spaces(rollouts)
        ]

    calls = [0]

    def crash(rollouts: Sequence[Rollout]) -> list[Score]:
        calls[0] += 1
        if calls[0] == 17:
            raise Interrupted
        return leaking(rollouts)

    recipe = recipe_for(planner, steps=24, checkpoint_every=4)
    with pytest.raises(Interrupted):
        train(PROBLEMS, [], recipe, crash, tmp_path / "out")
    seen: list[Report] = []
    info = train(PROBLEMS, [], recipe, leaking, tmp_path / "out", on_report=seen.append)
    assert info["signs"] == {"leaks": 5}
    assert [one.step for one in seen if one.signs] == [20]


def test_reports_are_given_after_every_step(planner: Path, tmp_path: Path) -> None:
    seen: list[Report] = []
    recipe = recipe_for(planner, steps=3)
    train(PROBLEMS, [], recipe, spaces, tmp_path / "out", on_report=seen.append)
    assert [one.step for one in seen] == [1, 2, 3]
    assert all("reward" in one.figures for one in seen)


def test_an_endpoint_that_is_down_leaves_a_checkpoint(planner: Path, tmp_path: Path) -> None:
    calls = [0]

    def down(rollouts: Sequence[Rollout]) -> list[Score]:
        calls[0] += 1
        if calls[0] == 3:
            raise UserError("the endpoint does not answer")
        return spaces(rollouts)

    with pytest.raises(UserError, match="does not answer"):
        run(planner, tmp_path / "out", down, steps=4, checkpoint_every=100)
    progress = json.loads((tmp_path / "out" / "checkpoint" / "progress.json").read_text())
    assert progress["step"] == 2
    run(planner, tmp_path / "out", steps=4, checkpoint_every=100)
    run(planner, tmp_path / "whole", steps=4, checkpoint_every=100)
    assert same_weights(tmp_path / "whole", tmp_path / "out")


def test_a_loss_that_is_not_finite_stops(planner: Path, tmp_path: Path) -> None:
    def infinite(rollouts: Sequence[Rollout]) -> list[Score]:
        return [Score(float(n) * 1e308, True, {}) for n, _ in enumerate(rollouts)]

    with pytest.raises(GateError, match="not finite"):
        run(planner, tmp_path / "out", infinite, steps=2)


def test_mistakes_name_the_place(planner: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no planner"):
        train(PROBLEMS, [], PlannerRecipe(steps=1, optim={"lr": 1e-3}), spaces, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no tokenizer|not a causal"):
        run(tmp_path / "empty", tmp_path / "out")
