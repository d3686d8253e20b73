"""One step of ours and one of ``trl.GRPOTrainer`` on the same completions and rewards.

Settings that coincide: centred advantages (``scale_rewards="none"``), the loss as a mean over all
tokens of the batch (``bnpo``; ``dapo`` is the same for one batch), no KL term, one update.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset

from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for
from tracelift_groups.grpo.generate import Sampled
from tracelift_groups.grpo.local import eos_ids, pad_id
from tracelift_groups.grpo.planner import load_planner
from tracelift_groups.grpo.reward import Score
from tracelift_groups.grpo.rollout import Sampler, roll_out
from tracelift_groups.grpo.update import Updater
from tracelift_groups.rm.optim import make_optimizer
from tracelift_groups.rm.tokenizer import load_tokenizer

trl = pytest.importorskip("trl")

PER_STEP, GROUP = 2, 4


def value_of(ids: list[int]) -> float:
    return sum(one % 7 for one in ids) / 30


@pytest.mark.parametrize(("loss_type", "way"), [("bnpo", "centred"), ("dapo", "standardised")])
def test_the_loss_of_a_step_is_trls(tmp_path: Path, loss_type: str, way: str) -> None:
    planner = make_planner(tmp_path / "start")
    recipe = recipe_for(
        planner,
        problems_per_step=PER_STEP,
        sampling={"completions": GROUP, "max_tokens": 9, "temperature": 0.8},
        loss={"advantage": way, "mask_truncated": False},
        optim={"lr": 1e-3, "max_grad_norm": 1e9},
    )
    tokenizer = load_tokenizer(planner)
    model = load_planner(recipe).eval()
    eos = eos_ids(model, tokenizer)
    sampler = Sampler(tokenizer, recipe, eos, pad_id(tokenizer, eos))
    drawn: list[Sampled] = []

    def reward(rollouts: Any) -> list[Score]:
        return [Score(value_of(one.ids), True, {}) for one in drawn]

    class Recording(Sampler):
        def draw(self, *arguments: Any) -> list[list[Sampled]]:
            groups = super().draw(*arguments)
            drawn.extend(one for group in groups for one in group)
            return groups

    recording = Recording(tokenizer, recipe, eos, pad_id(tokenizer, eos))
    groups = roll_out(recording, model, PROBLEMS[:PER_STEP], 0, recipe, reward)
    rows = [one for group in groups for one in group]
    assert all(row.counts for row in rows)
    updater = Updater(Accelerator(cpu=True), model, make_optimizer(model, recipe.optim), recipe, 0)
    ours = updater.learn(rows, 1)

    theirs = _trl_step(tmp_path, planner, sampler, rows, loss_type, way)
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-6)
    assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)


def _trl_step(
    tmp_path: Path, planner: Path, sampler: Sampler, rows: list[Any], loss_type: str, way: str
) -> dict[str, float]:
    by_prompt: dict[str, list[Any]] = {}
    for row in rows:
        by_prompt.setdefault(row.rollout.problem.text, []).append(row)

    def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
        given = {prompt: iter(own) for prompt, own in by_prompt.items()}
        chosen = [next(given[prompt]) for prompt in prompts]
        return {
            "prompt_ids": [row.prompt_ids for row in chosen],
            "completion_ids": [row.sampled.ids for row in chosen],
            "logprobs": [row.sampled.logprobs for row in chosen],
        }

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [value_of(list(ids)) for ids in completion_ids]

    arguments = trl.GRPOConfig(
        output_dir=str(tmp_path / "trl"),
        per_device_train_batch_size=PER_STEP * GROUP,
        num_generations=GROUP,
        max_completion_length=9,
        temperature=0.8,
        beta=0.0,
        loss_type=loss_type,
        scale_rewards="none" if way == "centred" else "group",
        max_steps=1,
        learning_rate=1e-3,
        max_grad_norm=1e9,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        disable_dropout=True,
        shuffle_dataset=False,
    )
    trainer = trl.GRPOTrainer(
        model=str(planner),
        reward_funcs=reward,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": [one.text for one in PROBLEMS[:PER_STEP]]}),
        rollout_func=rollout,
    )
    trainer.train()
    first = trainer.state.log_history[0]
    return {"loss": first["loss"], "grad_norm": float(torch.tensor(first["grad_norm"]))}
