"""Sampling from a local model: every row with a seed of its own.

``transformers.generate`` draws a batch's tokens from one stream of random numbers, so a row's text
depends on its neighbours and a run that goes on after a crash takes another path. Here every row
has a stream of its own; ``generate`` does the rest. A row's tokens are then the same in any batch,
but for rounding in the model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList


class Sampled(NamedTuple):
    """One continuation.

    Attributes:
        ids: Tokens, with the end token where there is one.
        logprobs: Log-probability of each under the model at the sampling temperature (greedy: at
            temperature 1), over the whole vocabulary: what an off-policy correction needs.
        finished: Whether it ended by itself rather than at the limit.
    """

    ids: list[int]
    logprobs: list[float]
    finished: bool


@torch.inference_mode()
def generate(
    model: Any,
    prompt_ids: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    temperature: float,
    top_p: float = 1.0,
    max_new_tokens: int,
    eos_ids: Collection[int],
    pad_id: int,
) -> list[Sampled]:
    """Continue a batch of prompts.

    Args:
        model: A causal language model of ``transformers``, in evaluation mode.
        prompt_ids: Tokens of each prompt, of any lengths; padded on the left here.
        seeds: Of each row.
        temperature: Above 0; 0 takes the likeliest token.
        top_p: Only the likeliest tokens that together have this probability.
        max_new_tokens: Most tokens of a continuation.
        eos_ids: Tokens that end one.
        pad_id: What fills the rows up.

    Returns:
        The continuations, in order.
    """
    device = model.device
    longest = max(len(ids) for ids in prompt_ids)
    ids_PT = torch.full((len(prompt_ids), longest), pad_id)
    mask_PT = torch.zeros_like(ids_PT)
    for row, ids in enumerate(prompt_ids):
        ids_PT[row, longest - len(ids) :] = torch.tensor(list(ids))
        mask_PT[row, longest - len(ids) :] = 1
    draw = _Draw([Random(seed) for seed in seeds], temperature, top_p)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(eos_ids),
        pad_token_id=pad_id,
        use_cache=True,
    )
    with _without_own_settings(model):
        out_PT = model.generate(
            ids_PT.to(device),
            attention_mask=mask_PT.to(device),
            generation_config=config,
            logits_processor=LogitsProcessorList([draw]),
        )
    logprobs_PT = torch.stack(draw.logprobs, dim=1).tolist()
    continued = out_PT[:, longest:].tolist()
    return [
        _cut(ids, logprobs, eos_ids) for ids, logprobs in zip(continued, logprobs_PT, strict=True)
    ]


@contextmanager
def _without_own_settings(model: Any) -> Iterator[None]:
    """Take a model's generation config away: what a call leaves open is filled up from it.

    Penalties, forbidden or forced tokens and least lengths would change the distribution.
    """
    holders = [model]
    if hasattr(model, "get_base_model"):  # an adapter hands its config to the model in it
        holders.append(model.get_base_model())
    own = [holder.generation_config for holder in holders]
    try:
        for holder in holders:
            holder.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
        yield
    finally:
        for holder, config in zip(holders, own, strict=True):
            holder.generation_config = config


def _cut(ids: list[int], logprobs: list[float], eos_ids: Collection[int]) -> Sampled:
    end = next((place for place, one in enumerate(ids) if one in eos_ids), None)
    kept = len(ids) if end is None else end + 1
    return Sampled(ids[:kept], logprobs[:kept], end is not None)


class _Draw(LogitsProcessor):
    """Leaves one token of each row possible: the one that its random number falls on."""

    def __init__(self, streams: Sequence[Random], temperature: float, top_p: float) -> None:
        self._streams, self._temperature, self._top_p = streams, temperature, top_p
        self.logprobs: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take a position's logits (rows, vocabulary); return them with all but one at -inf."""
        logits_PV = scores.double()
        if self._temperature > 0:
            logits_PV = logits_PV / self._temperature
        logprobs_PV = logits_PV.log_softmax(-1)
        if self._temperature > 0:
            chosen_P = self._choose(logprobs_PV.exp())
        else:
            chosen_P = logits_PV.argmax(-1)
        self.logprobs.append(logprobs_PV.gather(-1, chosen_P[:, None])[:, 0].float())
        only = torch.full_like(scores, float("-inf"))
        return only.scatter(-1, chosen_P[:, None], 0.0)

    def _choose(self, probs_PV: torch.Tensor) -> torch.Tensor:
        """Invert the cumulative distribution at each row's next random number."""
        if self._top_p < 1:
            probs_PV = _nucleus(probs_PV, self._top_p)
        edges_PV = probs_PV.cumsum(-1)
        drawn = [stream.random() for stream in self._streams]
        at_P = torch.tensor(drawn, dtype=torch.float64, device=probs_PV.device)
        at_P = at_P * edges_PV[:, -1]
        place_P = torch.searchsorted(edges_PV, at_P[:, None], right=True)[:, 0]
        # A number that rounds up to the whole sum falls behind the last edge.
        last_P = probs_PV.shape[-1] - 1 - (probs_PV > 0).flip(-1).int().argmax(-1)
        return torch.minimum(place_P, last_P)


def _nucleus(probs_PV: torch.Tensor, top_p: float) -> torch.Tensor:
    """Set all but the likeliest tokens that together reach ``top_p`` to 0."""
    ordered, order = probs_PV.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < top_p, ordered, 0.0)
    return torch.zeros_like(probs_PV).scatter(-1, order, kept)
