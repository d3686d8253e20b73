"""Scoring reasoning texts with a trained reward model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tracelift_groups.rm.batch import collate, into_batches, to_device
from tracelift_groups.rm.device import device_named
from tracelift_groups.rm.folder import Native
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.loading import load_any
from tracelift_groups.rm.text import Subject, TextEncoder

_TOKENS_PER_BATCH = 16384


class Score(NamedTuple):
    """What the model makes of a reasoning text."""

    score: float
    """The published score, in [0, 1]."""
    logit: float
    """Raw output of the total head, unbounded: what the model was trained to rank by."""
    dimensions: tuple[float, ...]
    """Expected label of each rubric dimension, in [0, 4]; of a classifier none."""


class Scorer:
    """A reward model with its tokenizer, on one device.

    A text's score does not depend on what it is scored with: items of one problem are packed as
    one trie where the architecture allows it, to save work, not to compare them.
    """

    def __init__(self, native: Native, device: torch.device) -> None:
        self.model = native.model.to(device).eval()
        self.tokenizer, self.recipe, self.info = native.tokenizer, native.recipe, native.info
        self.device = device
        self.truncated = 0
        """Items so far whose reasoning had to be shortened at its end."""
        text = native.recipe.text
        self._encoder = TextEncoder(
            native.tokenizer, text.max_length, append_eos=text.eos == "append"
        )

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Scorer:
        """Load a reward model's folder, in any layout that this package reads.

        Args:
            folder: What ``tlg train-rm`` or ``tlg export-rm`` wrote, or a published model.
            device: By default the GPU where there is one.
            dtype: Of weights and arithmetic; by default bf16 on a GPU and fp32 elsewhere.

        Raises:
            UserError: Not a complete reward model, or no such device.
        """
        chosen = device_named(device)
        if dtype is None:
            dtype = torch.bfloat16 if chosen.type == "cuda" else torch.float32
        return cls(load_any(folder, dtype=dtype), chosen)

    def score(self, items: Sequence[Item]) -> list[Score]:
        """Score items, in their order.

        Raises:
            UserError: A problem that alone is longer than the model reads.
        """
        by_subject: dict[Subject, list[int]] = {}
        for index, item in enumerate(items):
            tests = item.tests if self.recipe.text.tests else None
            subject = Subject(item.problem, item.domain, tests)
            by_subject.setdefault(subject, []).append(index)
        groups = [
            self._encode(subject, [items[i].reasoning for i in members])
            for subject, members in by_subject.items()
        ]
        members = list(by_subject.values())
        scores: dict[int, Score] = {}
        for batch in into_batches(groups, self.recipe.batching, _TOKENS_PER_BATCH):
            found = self._forward([groups[number] for number in batch])
            places = (index for number in batch for index in members[number])
            scores.update(zip(places, found, strict=True))
        return [scores[index] for index in range(len(items))]

    def _encode(self, subject: Subject, reasonings: list[str]) -> list[list[int]]:
        fitted = self._encoder.fit(subject, reasonings)
        if fitted.tests_cut:  # as far as each needs it, not as far as its longest neighbour does
            alone = [self._encoder.fit(subject, [reasoning]).ids[0] for reasoning in reasonings]
        else:
            alone = list(fitted.ids)
        rows = []
        for reasoning, ids in zip(reasonings, alone, strict=True):
            if ids is None:
                self.truncated += 1
                rows.append(self._encoder.cut_reasoning(subject, reasoning))
            else:
                rows.append(ids)
        return rows

    @torch.inference_mode()
    def _forward(self, groups: list[list[list[int]]]) -> list[Score]:
        inputs = collate(groups, self.recipe.batching, self.tokenizer.pad_token_id)
        output = self.model(**to_device(inputs, self.device))
        rows = zip(
            output.score_S.tolist(),
            output.logit_S.tolist(),
            output.expected_SD.tolist(),
            strict=True,
        )
        return [Score(score, logit, tuple(labels)) for score, logit, labels in rows]
