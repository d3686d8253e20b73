"""The loss of a step beside that of ``trl.GRPOTrainer``, on the same completions and rewards.

Settings that coincide:

* ``advantage``: ``centred`` is ``scale_rewards="none"``, ``standardised`` is ``"group"``;
* the mean over all tokens of the step is ``bnpo``, and ``dapo`` for one batch;
* ``clip_low``, ``clip_high``, ``kl_weight`` are ``epsilon``, ``epsilon_high``, ``beta``;
* ``correction="truncated"`` is vLLM's importance sampling in its mode ``token_truncate``;
* ``mask_truncated`` is ``mask_truncated_completions``.

One thing does not: TRL counts the tokens of a group without variance in its mean, while here such
a group takes part in nothing.
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
from tracelift_groups.grpo.loss import loss_terms, token_logprobs
from tracelift_groups.grpo.planner import load_planner
from tracelift_groups.grpo.reward import Rollout, Score
from tracelift_groups.grpo.rollout import Completion, Sampler, roll_out
from tracelift_groups.grpo.update import Updater, collate
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


@pytest.mark.parametrize("kl_weight", [0.0, 0.2])
def test_the_loss_off_policy_is_trls(tmp_path: Path, kl_weight: float) -> None:
    """Old, sampled and reference log-probabilities away from the policy's, as after an update."""
    planner = make_planner(tmp_path / "start")
    loss = {
        "clip_low": 0.1,
        "clip_high": 0.15,
        "correction": "truncated",
        "correction_cap": 1.5,
        "kl_weight": kl_weight,
        "mask_truncated": False,
    }
    sampling = {"completions": GROUP, "max_tokens": 9, "temperature": 0.8}
    recipe = recipe_for(planner, loss=loss, sampling=sampling)
    torch.manual_seed(3)
    rows = [_row(length) for length in (9, 2, 5, 1, 7, 9)]
    batch = collate(rows, 0, torch.device("cpu"))
    model = load_planner(recipe).train()
    logp_BT = token_logprobs(model, batch.ids_BT, batch.mask_BT, 9, 0.8)
    old_BT, reference_BT = (logp_BT.detach() + 0.2 * torch.randn_like(logp_BT) for _ in range(2))
    sampled_BT = old_BT + 0.5 * torch.randn_like(logp_BT)
    terms = loss_terms(
        logp_BT,
        old_BT,
        batch.advantage_B,
        batch.counts_BT,
        recipe.loss,
        sampled_BT=sampled_BT,
        reference_BT=reference_BT if kl_weight else None,
    )
    ours = (terms.policy + kl_weight * terms.kl) / batch.counts_BT.sum()
    ours.backward()
    gradients = {name: one.grad.clone() for name, one in model.named_parameters()}
    assert 0 < terms.clipped < batch.counts_BT.sum()

    more = {"beta": kl_weight, "epsilon": 0.1, "epsilon_high": 0.15, "loss_type": "bnpo"}
    trainer = _trainer(tmp_path, planner, **more)
    trainer.current_gradient_accumulation_steps = 1  # set by its loop, which does not run here
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = True
    own = trainer.model.train()
    prompt = batch.ids_BT.shape[1] - 9
    theirs = trainer._compute_loss(
        own,
        {
            "prompt_ids": batch.ids_BT[:, :prompt],
            "prompt_mask": batch.mask_BT[:, :prompt],
            "completion_ids": batch.ids_BT[:, prompt:],
            "completion_mask": batch.counts_BT,
            "advantages": batch.advantage_B,
            "old_per_token_logps": old_BT,
            "ref_per_token_logps": reference_BT,
            "importance_sampling_ratio": (old_BT - sampled_BT).exp().clamp(max=1.5),
        },
    )
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    for name, one in own.named_parameters():
        torch.testing.assert_close(gradients[name], one.grad, atol=1e-6, rtol=1e-4)


def _row(length: int) -> Completion:
    ids = torch.randint(2, 200, (length,)).tolist()
    prompt = torch.randint(2, 200, (1 + length % 4,)).tolist()
    sampled = Sampled(ids, [0.0] * length, True)
    advantage = float(torch.randn(()))
    return Completion(
        Rollout(PROBLEMS[0], ""), prompt, sampled, Score(0.0, True, {}), advantage, True
    )


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

    trainer = _trainer(
        tmp_path,
        planner,
        reward=reward,
        rollout_func=rollout,
        beta=0.0,
        loss_type=loss_type,
        scale_rewards="none" if way == "centred" else "group",
    )
    trainer.train()
    first = trainer.state.log_history[0]
    return {"loss": first["loss"], "grad_norm": float(torch.tensor(first["grad_norm"]))}


def _trainer(
    tmp_path: Path,
    planner: Path,
    reward: Any = lambda completion_ids, **_: [0.0] * len(completion_ids),
    rollout_func: Any = None,
    **more: Any,
) -> Any:
    arguments = trl.GRPOConfig(
        output_dir=str(tmp_path / "trl"),
        per_device_train_batch_size=PER_STEP * GROUP,
        num_generations=GROUP,
        max_completion_length=9,
        temperature=0.8,
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
        **more,
    )
    return trl.GRPOTrainer(
        model=str(planner),
        reward_funcs=reward,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": [one.text for one in PROBLEMS[:PER_STEP]]}),
        rollout_func=rollout_func,
    )
