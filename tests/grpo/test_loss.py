"""The loss and its gradient against a second computation: one sequence and token at a time."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM

from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for
from tracelift_groups.grpo.generate import Sampled
from tracelift_groups.grpo.loss import loss_terms, token_logprobs
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
            kl = ratio * (difference.exp() - difference - 1)
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


def test_terms_by_hand() -> None:
    """Ratios 1.2 and 0.8 with bounds 0.9 and 1.1; what does not count is not a number."""
    half = math.log(0.5)
    logp_BT = torch.tensor([[math.log(0.6), math.log(0.4), half]] * 2, dtype=torch.float64)
    old_BT = torch.tensor([[half, half, -math.inf], [half, half, half]], dtype=torch.float64)
    counts_BT = torch.tensor([[1, 1, 0], [1, 1, 1]])
    advantage_B = torch.tensor([1.0, -1.0], dtype=torch.float64)
    bounds = {"clip_low": 0.1, "clip_high": 0.1}
    terms = loss_terms(logp_BT, old_BT, advantage_B, counts_BT, Loss(**bounds))
    # min(1.2, 1.1) + min(0.8, 0.9); min(-1.2, -1.1) + min(-0.8, -0.9) - 1
    assert terms.policy.item() == pytest.approx(-(1.1 + 0.8) + (1.2 + 0.9 + 1))
    assert terms.clipped.item() == 2
    assert terms.ratio.item() == pytest.approx(1.2 + 0.8 + 1.2 + 0.8 + 1)
    assert (terms.kl.item(), terms.correction.item()) == (0, 5)

    # The sampler had 0.2 where the policy has 0.5: 2.5, cut at 2. And 0.8: 0.625.
    sampled_BT = torch.tensor([[0.2, 0.8, 1.0]] * 2, dtype=torch.float64).log()
    # The reference has twice the policy's probability, then the same.
    reference_BT = logp_BT + torch.tensor([math.log(2), 0.0, 0.0], dtype=torch.float64)
    terms = loss_terms(
        logp_BT,
        old_BT,
        advantage_B,
        counts_BT,
        Loss(**bounds, correction="truncated", correction_cap=2.0),
        sampled_BT=sampled_BT,
        reference_BT=reference_BT,
    )
    expected = -(2 * 1.1 + 0.625 * 0.8) + (2 * 1.2 + 0.625 * 0.9 + 0.5 * 1)
    assert terms.policy.item() == pytest.approx(expected)
    assert terms.kl.item() == pytest.approx(2 * 1.2 * (2 - math.log(2) - 1))
    assert terms.correction.item() == pytest.approx(2 + 0.625 + 2 + 0.625 + 0.5)


def test_the_kl_term_has_the_gradient_of_the_divergence() -> None:
    """Over all tokens, weighted as they are drawn: the gradient of KL(policy || reference)."""
    torch.manual_seed(1)
    logits_V = torch.randn(5, dtype=torch.float64, requires_grad=True)
    reference_V = torch.randn(5, dtype=torch.float64).log_softmax(-1)
    logp_V = logits_V.log_softmax(-1)
    (divergence,) = torch.autograd.grad(
        (logp_V.exp() * (logp_V - reference_V)).sum(), logits_V, retain_graph=True
    )
    drawn = torch.zeros(5, dtype=torch.float64)
    for token in range(5):
        one = logp_V[token].reshape(1, 1)
        none, all_of_it = torch.zeros(1, dtype=torch.float64), torch.ones(1, 1)
        base = reference_V[token].reshape(1, 1)
        terms = loss_terms(one, one.detach(), none, all_of_it, Loss(), reference_BT=base)
        (gradient,) = torch.autograd.grad(terms.kl, logits_V, retain_graph=True)
        drawn += logp_V[token].exp().detach() * gradient
    torch.testing.assert_close(drawn, divergence)


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


class Logits:
    """A model that gives the same logits whatever it reads."""

    def __init__(self, logits_BTV: torch.Tensor) -> None:
        self.logits_BTV = logits_BTV

    def __call__(self, **_: Any) -> Any:
        return SimpleNamespace(logits=self.logits_BTV)


def test_logits_in_fp32_are_not_kept_for_the_backward_pass() -> None:
    """Of bf16 logits, what is kept is bf16; the gradient is that of the plain formula in fp64."""
    torch.manual_seed(0)
    vocabulary, completion = 50, 4
    logits_BTV = torch.randn(3, completion + 1, vocabulary).bfloat16().requires_grad_()
    ids_BT = torch.randint(0, vocabulary, (3, 7))
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logp_BT = token_logprobs(Logits(logits_BTV), ids_BT, torch.ones(3, 7), completion, 0.7)
    assert not [one for one in kept if one.dtype == torch.float32 and one.shape[-1] == vocabulary]
    weight_BT = torch.arange(12.0).reshape(3, 4)
    (weight_BT * logp_BT).sum().backward()
    exact_BTV = logits_BTV.detach().double().requires_grad_()
    plain_BT = (
        (exact_BTV[:, :-1] / 0.7).log_softmax(-1).gather(-1, ids_BT[:, -completion:, None])[..., 0]
    )
    (weight_BT * plain_BT).sum().backward()
    torch.testing.assert_close(logp_BT.double(), plain_BT, atol=1e-5, rtol=1e-5)
    assert logits_BTV.grad is not None
    assert exact_BTV.grad is not None
    torch.testing.assert_close(logits_BTV.grad.double(), exact_BTV.grad, atol=0.02, rtol=0.01)
