"""The loss and its gradient against a second computation: one sequence and token at a time."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM

from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for
from tracelift_groups.grpo.generate import Sampled
from tracelift_groups.grpo.recipe import Loss, PlannerRecipe
from tracelift_groups.grpo.reward import Rollout, Score
from tracelift_groups.grpo.rollout import Completion
from tracelift_groups.grpo.update import Updater, collate
from tracelift_groups.rm.optim import make_optimizer


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_planner(tmp_path_factory.mktemp("planner") / "start")


def completions(seed: int, count: int = 6, vocabulary: int = 200) -> list[Completion]:
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        prompt = [rng.randrange(2, vocabulary) for _ in range(rng.randint(1, 9))]
        ids = [rng.randrange(2, vocabulary) for _ in range(rng.randint(1, 7))]
        sampled = Sampled(ids, [-rng.uniform(3, 7) for _ in ids], True)
        score = Score(0.0, True, {})
        advantage = rng.uniform(-1, 1)
        rollout = Rollout(PROBLEMS[0], "")
        rows.append(Completion(rollout, prompt, sampled, score, advantage, number != 2))
    return rows


def model_in(planner: Path, dtype: torch.dtype, shift: float = 0.0) -> Any:
    model = AutoModelForCausalLM.from_pretrained(planner, dtype=dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            torch.manual_seed(parameter.numel())
            parameter.add_(shift * torch.randn_like(parameter))
    return model


def sequence_logprobs(model: Any, row: Completion, temperature: float) -> list[torch.Tensor]:
    """One sequence without padding, log-softmax written out."""
    ids = torch.tensor([[*row.prompt_ids, *row.sampled.ids]])
    logits = model(input_ids=ids).logits[0] / temperature
    found = []
    for place, token in enumerate(row.sampled.ids, len(row.prompt_ids) - 1):
        exps = (logits[place] - logits[place].max()).exp()
        found.append((exps[token] / exps.sum()).log())
    return found


def expected_loss(
    model: Any, old: Any, base: Any, rows: list[Completion], loss: Loss, temperature: float
) -> torch.Tensor:
    total, tokens = torch.zeros((), dtype=torch.float64), 0
    for row in rows:
        if not row.counts:
            continue
        now = sequence_logprobs(model, row, temperature)
        before = [one.item() for one in sequence_logprobs(old, row, temperature)]
        start = [one.item() for one in sequence_logprobs(base, row, temperature)]
        for logp, then, reference, drawn in zip(
            now, before, start, row.sampled.logprobs, strict=True
        ):
            ratio = (logp - then).exp()
            low, high = 1 - loss.clip_low, 1 + loss.clip_high
            bound = min(max(ratio.item(), low), high)
            gain = ratio * row.advantage
            if bound * row.advantage < gain.item():
                gain = torch.tensor(bound * row.advantage)
            weight = 1.0
            if loss.correction == "truncated":
                weight = min(math.exp(then - drawn), loss.correction_cap)
            difference = reference - logp
            kl = difference.exp() - difference - 1
            total = total - weight * gain + loss.kl_weight * kl
            tokens += 1
    return total / tokens


def gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: one.grad.clone() for name, one in model.named_parameters()}


def learnt(model: Any, recipe: PlannerRecipe, rows: list[Completion], updates_before: int) -> Any:
    """Run the updater up to its last optimizer step; return its figures' loss and gradient."""
    found: dict[str, Any] = {}
    optimizer = make_optimizer(model, recipe.optim)

    class Watched:
        steps = 0

        def step(self) -> None:
            self.steps += 1
            if self.steps > updates_before:
                found["gradients"] = gradients(model)
                return
            optimizer.step()

        def zero_grad(self) -> None:
            optimizer.zero_grad()

    updater = Updater(Accelerator(cpu=True), model, Watched(), recipe, 0)
    found["figures"] = updater.learn(rows, 1)
    return found


@pytest.mark.parametrize("tokens_per_batch", [16, 40, 1000])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_on_policy_against_fp64(planner: Path, tokens_per_batch: int, temperature: float) -> None:
    recipe = recipe_for(
        planner,
        tokens_per_batch=tokens_per_batch,
        sampling={"completions": 4, "temperature": temperature},
        optim={"lr": 1e-3, "max_grad_norm": 1e9},
    )
    rows = completions(3)
    model = model_in(planner, torch.float64)
    got = learnt(model, recipe, rows, 0)
    other = model_in(planner, torch.float64)
    loss = expected_loss(other, other, other, rows, recipe.loss, temperature)
    loss.backward()
    assert got["figures"]["loss"] == pytest.approx(loss.item(), abs=1e-6)
    for name, expected in gradients(other).items():
        torch.testing.assert_close(got["gradients"][name], expected, atol=1e-7, rtol=1e-5)
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients(other).values()))
    assert got["figures"]["grad_norm"] == pytest.approx(norm, rel=1e-5)


def test_off_policy_with_correction_and_kl_against_fp64(planner: Path) -> None:
    """The second update: ratios away from 1, both clips at work, weights capped, a reference."""
    loss = {
        "updates": 2,
        "clip_low": 0.1,
        "clip_high": 0.15,
        "correction": "truncated",
        "correction_cap": 1.5,
        "kl_weight": 0.3,
        "mask_truncated": False,
    }
    recipe = recipe_for(planner, loss=loss, optim={"lr": 3e-3, "max_grad_norm": 1e9})
    rows = completions(5)
    model = model_in(planner, torch.float64)
    got = learnt(model, recipe, rows, 1)
    start = model_in(planner, torch.float64)
    # The updater's model stands where the first update left it.
    second = expected_loss(model, start, start, rows, recipe.loss, 1.0)
    model.zero_grad()
    second.backward()
    assert got["figures"]["loss"] == pytest.approx(second.item(), abs=1e-6)
    assert 0 < got["figures"]["clipped"] < 1
    assert got["figures"]["kl"] > 0
    for name, expected in gradients(model).items():
        torch.testing.assert_close(got["gradients"][name], expected, atol=1e-7, rtol=1e-5)


def test_padding_and_neighbours_change_nothing(planner: Path) -> None:
    from tracelift_groups.grpo.loss import token_logprobs

    rows = completions(8)
    model = model_in(planner, torch.float32)
    batch = collate(rows, 0, torch.device("cpu"))
    together = token_logprobs(model, batch.ids_BT, batch.mask_BT, batch.counts_BT.shape[1], 0.9)
    for number, row in enumerate(rows):
        alone = torch.stack(sequence_logprobs(model, row, 0.9))
        torch.testing.assert_close(together[number, : len(alone)], alone, atol=1e-5, rtol=1e-5)


def test_nothing_that_counts_takes_no_step(planner: Path) -> None:
    model = model_in(planner, torch.float32)
    rows = [row._replace(counts=False) for row in completions(1)]
    got = learnt(model, recipe_for(planner), rows, 0)
    assert got == {"figures": {}}
