"""Which groups an optimizer step sees, and how they are laid out: a function of seed and step.

Nothing is stored and nothing communicated: every process works out the whole step, so that
resuming needs the number of the step alone, and all agree on what the loss is divided by.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from tracelift_groups.rm.batch import TokenGroup, cost, into_batches, targets
from tracelift_groups.rm.loss import Parts, loss_counts
from tracelift_groups.rm.recipe import Recipe


class Step(NamedTuple):
    """One optimizer step, as one process sees it."""

    batches: list[list[TokenGroup]]
    """Of this process. All processes have the same number: some forward passes are collective."""
    counted: int
    """The leading batches that count; the rest repeat one for the sake of the others."""
    counts: Parts
    """Terms of each part of the loss, over all processes."""
    groups: int
    """Over all processes."""


class Plan:
    """The optimizer steps of a training.

    Args:
        groups: All training groups, in one order on every process.
        recipe: Seed, sampling, batching and groups a step.
        process: This process.
        processes: How many there are.
    """

    def __init__(
        self, groups: Sequence[TokenGroup], recipe: Recipe, process: int = 0, processes: int = 1
    ) -> None:
        self._groups, self._recipe = groups, recipe
        self._process, self._processes = process, processes
        self._order: tuple[int, list[int]] = (-1, [])
        self.steps_per_epoch = math.ceil(len(groups) / recipe.optim.groups_per_step)
        self.steps = self.steps_per_epoch * recipe.optim.epochs

    def step(self, number: int) -> Step:
        """Return step ``number``, counted from 0 over all epochs."""
        epoch, within = divmod(number, self.steps_per_epoch)
        size = self._recipe.optim.groups_per_step
        chosen = self._epoch_order(epoch)[within * size : (within + 1) * size]
        groups = [self._drawn(self._groups[index], epoch) for index in chosen]
        layouts = [self._layout(share) for share in self._shares(groups)]
        most = max(map(len, layouts))
        mine = layouts[self._process]
        filler = mine[0] if mine else [groups[0]]
        return Step(
            batches=mine + [filler] * (most - len(mine)),
            counted=len(mine),
            counts=loss_counts(targets(groups), self._recipe.loss),
            groups=len(groups),
        )

    def _epoch_order(self, epoch: int) -> list[int]:
        if self._order[0] != epoch:
            order = list(range(len(self._groups)))
            random.Random(f"{self._recipe.seed}:order:{epoch}").shuffle(order)
            self._order = (epoch, order)
        return self._order[1]

    def _drawn(self, group: TokenGroup, epoch: int) -> TokenGroup:
        sample = self._recipe.sample
        if sample is None:
            return group
        draw = random.Random(f"{self._recipe.seed}:sample:{epoch}:{group.group_id}")
        sound = [i for i, is_sound in enumerate(group.sound_G) if is_sound]
        flawed = [i for i, is_sound in enumerate(group.sound_G) if not is_sound]
        return group.subset(draw.sample(sound, sample.sound) + draw.sample(flawed, sample.flawed))

    def _shares(self, groups: list[TokenGroup]) -> list[list[TokenGroup]]:
        """Deal groups to processes, each to the one with the least tokens so far."""
        if self._processes == 1:
            return [groups]
        shares: list[list[TokenGroup]] = [[] for _ in range(self._processes)]
        load = [0] * self._processes
        sized = [(cost(group.ids_G, self._recipe.batching), group) for group in groups]
        for size, group in sorted(sized, key=lambda pair: -pair[0]):
            least = load.index(min(load))
            shares[least].append(group)
            load[least] += size
        return shares

    def _layout(self, groups: list[TokenGroup]) -> list[list[TokenGroup]]:
        batches = into_batches(
            [group.ids_G for group in groups], self._recipe.batching, self._recipe.tokens_per_batch
        )
        return [[groups[index] for index in batch] for batch in batches]
