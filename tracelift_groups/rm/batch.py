"""The one collator: groups of tokenised traces to a batch, packed as tries or padded.

Groups are kept whole, because ranking compares the traces of a group, and laid into batches of
bounded tokens: packed groups first-fit by decreasing size, padded ones by length, so that rows of
a batch are about equally long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tracelift_groups.rm.attention import Tails
from tracelift_groups.rm.trie import build_trie, join_tries, trie_tokens

Batching = Literal["trie", "padded"]
Tokens = Sequence[int]


class Targets(NamedTuple):
    """What the traces of a batch are worth."""

    labels_SD: Tensor
    """Labels 0-4 of the rubric's dimensions; int64."""
    total_S: Tensor
    """Rubric totals in [0, 1]; float32."""
    sound_S: Tensor
    """Whether the trace is a reference or a twin; bool."""
    group_S: Tensor
    """Number of the trace's group within the batch; int64."""

    def to(self, device: torch.device) -> Targets:
        """Move the tensors to a device."""
        return Targets(*(tensor.to(device) for tensor in self))


@dataclass(frozen=True)
class TokenGroup:
    """A group ready for the model: token ids of each trace, and what it is worth."""

    group_id: str
    ids_G: tuple[Tokens, ...]
    labels_GD: tuple[tuple[int, ...], ...]
    total_G: tuple[float, ...]
    sound_G: tuple[bool, ...]

    def subset(self, chosen: Sequence[int]) -> TokenGroup:
        """The group with the traces at these places only."""
        return TokenGroup(
            group_id=self.group_id,
            ids_G=tuple(self.ids_G[i] for i in chosen),
            labels_GD=tuple(self.labels_GD[i] for i in chosen),
            total_G=tuple(self.total_G[i] for i in chosen),
            sound_G=tuple(self.sound_G[i] for i in chosen),
        )


def collate(ids_SG: Sequence[Sequence[Tokens]], batching: Batching, pad_id: int) -> dict[str, Any]:
    """Make the model's inputs of the token ids of some groups.

    Returns:
        Keyword arguments of :meth:`tracelift_groups.rm.model.RewardModel.forward`; its outputs
        come trace by trace in the order given.
    """
    if batching == "trie":
        trie = join_tries([build_trie(traces) for traces in ids_SG])
        return {
            "input_ids": torch.from_numpy(trie.ids_N)[None],
            "position_ids": torch.from_numpy(trie.depth_N)[None],
            "last_rows": torch.from_numpy(trie.last_S),
            "tails": Tails.of(trie),
        }
    rows = [trace for traces in ids_SG for trace in traces]
    lengths = np.asarray([len(row) for row in rows])
    present = np.arange(lengths.max()) < lengths[:, None]
    ids_ST = np.full(present.shape, pad_id, dtype=np.int64)
    ids_ST[present] = np.concatenate([np.asarray(row) for row in rows])
    return {
        "input_ids": torch.from_numpy(ids_ST),
        "attention_mask": torch.from_numpy(present.astype(np.int64)),
    }


def to_device(inputs: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Move a batch's inputs to a device."""
    return {name: value.to(device) for name, value in inputs.items()}


def targets(groups: Sequence[TokenGroup]) -> Targets:
    """Stack what the traces of some groups are worth, in the order of :func:`collate`."""
    sizes = torch.tensor([len(group.ids_G) for group in groups])
    return Targets(
        labels_SD=torch.tensor([row for group in groups for row in group.labels_GD]),
        total_S=torch.tensor([total for group in groups for total in group.total_G]),
        sound_S=torch.tensor([sound for group in groups for sound in group.sound_G]),
        group_S=torch.arange(len(groups)).repeat_interleave(sizes),
    )


def cost(traces: Sequence[Tokens], batching: Batching) -> int:
    """Tokens that a group takes up: nodes of its trie, or the longest trace for every trace."""
    if batching == "trie":
        return trie_tokens(traces)
    return len(traces) * max(map(len, traces))


def into_batches(
    groups: Sequence[Sequence[Tokens]], batching: Batching, budget: int
) -> list[list[int]]:
    """Lay groups into batches of at most ``budget`` tokens; a larger group goes alone.

    Returns:
        Indices of the groups of each batch.
    """
    if batching == "trie":
        return _first_fit([trie_tokens(traces) for traces in groups], budget)
    return _by_length(groups, budget)


def _first_fit(sizes: Sequence[int], budget: int) -> list[list[int]]:
    batches: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        fitting = (number for number, left in enumerate(room) if left >= sizes[index])
        number = next(fitting, len(batches))
        if number == len(batches):
            batches.append([])
            room.append(budget)
        batches[number].append(index)
        room[number] -= sizes[index]
    return batches


def _by_length(groups: Sequence[Sequence[Tokens]], budget: int) -> list[list[int]]:
    longest = [max(map(len, traces)) for traces in groups]
    batches: list[list[int]] = []
    rows = width = 0
    for index in sorted(range(len(groups)), key=lambda i: (-longest[i], i)):
        rows += len(groups[index])
        if not batches or rows * width > budget:
            batches.append([])
            rows, width = len(groups[index]), longest[index]
        batches[-1].append(index)
    return batches
