"""Optimizer steps on a batch of completions: micro-batches, one sum over all processes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from tracelift_groups.errors import GateError
from tracelift_groups.grpo.loss import Terms, loss_terms, token_logprobs
from tracelift_groups.grpo.planner import Reference
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.grpo.rollout import Completion, batches


class Batch(NamedTuple):
    """A micro-batch: ``_B`` completions, ``_T`` tokens of a completion, padded on the right."""

    ids_BT: Tensor
    """Prompts, padded on the left, and completions."""
    mask_BT: Tensor
    counts_BT: Tensor
    sampled_BT: Tensor
    advantage_B: Tensor


def collate(rows: Sequence[Completion], pad: int, device: torch.device) -> Batch:
    """Pad some completions to one shape."""
    prompt = max(len(row.prompt_ids) for row in rows)
    longest = max(len(row.sampled.ids) for row in rows)
    ids_BT = torch.full((len(rows), prompt + longest), pad)
    mask_BT = torch.zeros_like(ids_BT)
    counts_BT = torch.zeros(len(rows), longest)
    sampled_BT = torch.zeros(len(rows), longest)
    for number, row in enumerate(rows):
        own = len(row.sampled.ids)
        start, end = prompt - len(row.prompt_ids), prompt + own
        ids_BT[number, start:end] = torch.tensor([*row.prompt_ids, *row.sampled.ids])
        mask_BT[number, start:end] = 1
        counts_BT[number, :own] = 1
        sampled_BT[number, :own] = torch.tensor(row.sampled.logprobs)
    advantage_B = torch.tensor([row.advantage for row in rows])
    return Batch(*(one.to(device) for one in (ids_BT, mask_BT, counts_BT, sampled_BT, advantage_B)))


class Updater:
    """Takes the optimizer steps.

    Gradients are added up over processes by hand: their micro-batches differ in number and size,
    and the loss is a mean over all tokens of the step, wherever they are.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: Any,
        optimizer: Any,
        recipe: PlannerRecipe,
        pad: int,
    ) -> None:
        self._accelerator, self._model, self._optimizer = accelerator, model, optimizer
        self._recipe, self._pad = recipe, pad
        self._reference: Reference | None = None
        if recipe.loss.kl_weight:
            self._reference = Reference(model, adapters=recipe.lora is not None)

    def learn(self, completions: Sequence[Completion], step: int) -> dict[str, float]:
        """Take the updates of a step on the completions that count.

        Returns:
            Figures of the last update; none where no completion of any process counts.

        Raises:
            GateError: The loss or the gradient is not finite.
        """
        rows = [row for row in completions if row.counts]
        tokens = self._everywhere(float(sum(len(row.sampled.ids) for row in rows)))
        if not tokens:
            return {}
        rows.sort(key=lambda row: len(row.prompt_ids) + len(row.sampled.ids))
        sized = [(len(row.prompt_ids) + len(row.sampled.ids), row) for row in rows]
        room = self._recipe.tokens_per_batch
        device = self._accelerator.device
        micro = [collate(batch, self._pad, device) for batch in batches(sized, room)]
        # One update on fresh completions is on policy: the old policy is this one.
        several = self._recipe.loss.updates > 1 or self._recipe.loss.correction != "none"
        old = [self._logprobs(self._model, one).detach() for one in micro] if several else None
        reference = self._reference
        base = [reference(self._logprobs, one) for one in micro] if reference else None
        figures: dict[str, float] = {}
        for _ in range(self._recipe.loss.updates):
            figures = self._update(micro, old, base, tokens, step)
        return figures

    def _update(
        self,
        micro: Sequence[Batch],
        old: Sequence[Tensor] | None,
        base: Sequence[Tensor] | None,
        tokens: float,
        step: int,
    ) -> dict[str, float]:
        loss = self._recipe.loss
        sums = torch.zeros(5, device=self._accelerator.device)
        for number, batch in enumerate(micro):
            logp_BT = self._logprobs(self._model, batch, grad=True)
            terms: Terms = loss_terms(
                logp_BT,
                logp_BT.detach() if old is None else old[number],
                batch.advantage_B,
                batch.counts_BT,
                loss,
                sampled_BT=batch.sampled_BT,
                reference_BT=None if base is None else base[number],
            )
            ((terms.policy + loss.kl_weight * terms.kl) / tokens).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([one.detach() for one in terms])
        self._add_gradients()
        parameters = [one for one in self._model.parameters() if one.requires_grad]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self._recipe.optim.max_grad_norm))
        total: Any = self._accelerator.reduce(sums, "sum")
        policy, kl, clipped, ratio, correction = (float(one) / tokens for one in total)
        value = policy + loss.kl_weight * kl
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise GateError(
                f"step {step}: loss {value:.3g}, gradient norm {norm:.3g} - not finite, stopped; "
                "the last checkpoint is kept: lower optim.lr, or set precision=fp32"
            )
        self._optimizer.step()
        self._optimizer.zero_grad()
        return {
            "loss": value,
            "kl": kl,
            "clipped": clipped,
            "ratio": ratio,
            "correction": correction,
            "grad_norm": norm,
        }

    def _logprobs(self, model: Any, batch: Batch, *, grad: bool = False) -> Tensor:
        half = self._recipe.precision == "bf16"
        device = self._accelerator.device
        with torch.set_grad_enabled(grad), torch.autocast(device.type, torch.bfloat16, half):
            return token_logprobs(
                model,
                batch.ids_BT,
                batch.mask_BT,
                batch.counts_BT.shape[1],
                self._recipe.sampling.temperature,
            )

    def _add_gradients(self) -> None:
        if self._accelerator.num_processes == 1:
            return
        for parameter in self._model.parameters():
            if parameter.requires_grad:
                own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self._accelerator.reduce(own, "sum")

    def _everywhere(self, number: float) -> float:
        total: Any = self._accelerator.reduce(
            torch.tensor(number, dtype=torch.float64, device=self._accelerator.device), "sum"
        )
        return float(total)
