"""Held-out accuracy during training: which checkpoint is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from tracelift_groups.rm.batch import TokenGroup, collate, into_batches, to_device
from tracelift_groups.rm.metrics import Floats, pair_wins, top_wins
from tracelift_groups.rm.recipe import Recipe


class Accuracy(NamedTuple):
    """Shares in [0, 1], by the published score. Compared in this order."""

    group: float
    """Groups whose highest-scored trace is sound."""
    pair: float
    """Pairs of a sound and a flawed trace of a group in the right order."""


@torch.no_grad()
def validate(
    accelerator: Accelerator,
    model: nn.Module,
    groups: Sequence[TokenGroup],
    recipe: Recipe,
    pad_id: int,
) -> Accuracy:
    """Score the held-out groups, shared between the processes."""
    was_training = model.training
    model.eval()
    layout = into_batches(
        [group.ids_G for group in groups], recipe.batching, recipe.tokens_per_batch
    )
    processes = accelerator.num_processes
    sums = np.zeros(4)
    # Every process makes as many forward passes as any other: sharded ones are collective.
    for start in range(0, len(layout), processes):
        number = start + accelerator.process_index
        batch = [groups[index] for index in layout[min(number, len(layout) - 1)]]
        inputs = collate([group.ids_G for group in batch], recipe.batching, pad_id)
        score_S = model(**to_device(inputs, accelerator.device)).score_S
        if number < len(layout):
            sums += _wins(score_S.double().cpu().numpy(), batch)
    total = accelerator.reduce(torch.tensor(sums, device=accelerator.device).float(), "sum")
    assert isinstance(total, torch.Tensor)
    tops, of_groups, pairs, of_pairs = total.tolist()
    model.train(was_training)
    return Accuracy(tops / of_groups, pairs / of_pairs)


def _wins(score_S: Floats, batch: list[TokenGroup]) -> Floats:
    """Groups won, of how many; pairs won, of how many."""
    sound_S = np.asarray([sound for group in batch for sound in group.sound_G])
    group_S = np.repeat(np.arange(len(batch)), [len(group.ids_G) for group in batch])
    tops = top_wins(score_S, sound_S, group_S)
    pairs = pair_wins(score_S, sound_S, group_S)
    return np.asarray([tops.won_N.sum(), tops.of_N.sum(), pairs.won_N.sum(), pairs.of_N.sum()])
