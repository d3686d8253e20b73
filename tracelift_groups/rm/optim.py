"""AdamW and its learning rate, as a function of the step."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import nn


class Optim(Protocol):
    """What is read of a recipe's section."""

    @property
    def lr(self) -> float:
        """The peak."""

    @property
    def head_lr(self) -> float | None:
        """Of what is not the backbone, where it has one of its own."""

    @property
    def weight_decay(self) -> float:
        """Of matrices."""

    @property
    def schedule(self) -> str:
        """``linear``, ``cosine`` or ``constant``."""

    @property
    def warmup(self) -> float:
        """Share of the steps."""


def make_optimizer(model: nn.Module, optim: Optim) -> torch.optim.AdamW:
    """Make AdamW over what is trained: vectors without weight decay, heads at their own rate."""
    kinds: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (name.startswith("backbone."), parameter.ndim > 1)
            kinds.setdefault(key, []).append(parameter)
    groups = []
    for (backbone, matrix), parameters in kinds.items():
        rate = optim.lr if backbone else optim.head_lr or optim.lr
        decay = optim.weight_decay if matrix else 0.0
        groups.append({"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, optim: Optim) -> float:
    """Set the learning rates of a step; return the first."""
    share = rate_share(step, steps, optim)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
    return float(optimizer.param_groups[0]["lr"])


def rate_share(step: int, steps: int, optim: Optim) -> float:
    """Share of the peak learning rate at a step counted from 0: up linearly, then the schedule."""
    warm = math.ceil(steps * optim.warmup)
    if step < warm:
        return (step + 1) / warm
    left = 1 - (step - warm) / max(steps - warm, 1)
    if optim.schedule == "linear":
        return left
    return 0.5 * (1 - math.cos(math.pi * left)) if optim.schedule == "cosine" else 1.0
