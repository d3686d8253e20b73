"""The policy's loss, over tokens: PPO's clipped ratio with group-relative advantages.

Axis suffixes: ``_B`` completions of a batch, ``_T`` their tokens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from tracelift_groups.grpo.recipe import Loss


class Terms(NamedTuple):
    """Sums over the tokens of a batch that count.

    Attributes:
        policy: Of the clipped objective, negated.
        kl: Of the divergence from the reference; 0 without one.
        clipped: Tokens whose ratio was clipped.
        ratio: Of the ratios.
        correction: Of the importance weights.
    """

    policy: Tensor
    kl: Tensor
    clipped: Tensor
    ratio: Tensor
    correction: Tensor


def token_logprobs(
    model: Any, ids_BT: Tensor, mask_BT: Tensor, completion: int, temperature: float
) -> Tensor:
    """Log-probability of each of the last ``completion`` tokens, under the sampling policy.

    Args:
        model: A causal language model.
        ids_BT: Prompts and completions; prompts padded on the left, completions on the right.
        mask_BT: 1 at tokens, 0 at padding.
        completion: Length of the padded completions.
        temperature: Logits are divided by it.

    Returns:
        (B, completion), in fp32 or better; what stands at padding means nothing.
    """
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
    output = model(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=positions_BT,
        use_cache=False,
        logits_to_keep=completion + 1,
    )
    logits_BTV = output.logits[:, -completion - 1 : -1]
    target_BT = ids_BT[:, -completion:]
    # A row at a time, computed again in the backward pass: the logits of a whole batch in fp32
    # would be the peak of memory.
    rows: list[Tensor] = [
        checkpoint(
            _chosen_logprobs,
            logits_TV,
            target_T,
            temperature,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        for logits_TV, target_T in zip(logits_BTV, target_BT, strict=True)
    ]
    return torch.stack(rows)


def _chosen_logprobs(logits_TV: Tensor, target_T: Tensor, temperature: float) -> Tensor:
    exact = torch.promote_types(logits_TV.dtype, torch.float32)
    return -cross_entropy(logits_TV.to(exact) / temperature, target_T, reduction="none")


def loss_terms(
    logp_BT: Tensor,
    old_BT: Tensor,
    advantage_B: Tensor,
    counts_BT: Tensor,
    loss: Loss,
    *,
    sampled_BT: Tensor | None = None,
    reference_BT: Tensor | None = None,
) -> Terms:
    """Sum the loss over the tokens that count.

    With ``r = exp(logp - old)`` and ``A`` the completion's advantage, a token's policy loss is
    ``-w min(r A, clip(r, 1 - clip_low, 1 + clip_high) A)``, a higher upper bound leaving unlikely
    tokens room to grow (DAPO, arXiv 2503.14476). ``w = min(exp(old - sampled), cap)``, without a
    gradient, corrects for a sampler that is not quite the policy. Its KL term is ``r`` times
    Schulman's estimator ``exp(d) - d - 1`` with ``d = reference - logp``: with the ratio its
    expected gradient is that of KL(policy || reference), without it would be the other direction's
    (DeepSeek-V3.2, arXiv 2512.02556).

    Args:
        logp_BT: Log-probabilities under the policy, with a gradient.
        old_BT: Under the policy before the first update on this batch.
        advantage_B: Of each completion.
        counts_BT: 1 at tokens that count, 0 elsewhere.
        loss: The recipe's section.
        sampled_BT: As the sampler gave them; needed for the correction.
        reference_BT: Under the starting planner; needed for the KL term.
    """
    ratio_BT = (logp_BT - old_BT).exp()
    clipped_BT = ratio_BT.clamp(1 - loss.clip_low, 1 + loss.clip_high)
    gain_BT, bound_BT = ratio_BT * advantage_B[:, None], clipped_BT * advantage_B[:, None]
    objective_BT = torch.minimum(gain_BT, bound_BT)
    weight_BT = torch.ones_like(objective_BT)
    if loss.correction == "truncated" and sampled_BT is not None:
        weight_BT = (old_BT - sampled_BT).exp().clamp(max=loss.correction_cap).detach()
    kl_BT = torch.zeros_like(objective_BT)
    if reference_BT is not None:
        difference_BT = reference_BT - logp_BT
        kl_BT = ratio_BT * (difference_BT.exp() - difference_BT - 1)

    def total(values_BT: Tensor) -> Tensor:
        # Padding may hold infinities, and 0 x inf is no number.
        return torch.where(counts_BT > 0, values_BT, 0.0).sum()

    return Terms(
        policy=total(-weight_BT * objective_BT),
        kl=total(kl_BT),
        clipped=total((bound_BT < gain_BT).float()),
        ratio=total(ratio_BT.detach()),
        correction=total(weight_BT),
    )
