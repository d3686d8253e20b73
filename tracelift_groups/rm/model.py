"""The reward model: a backbone, five rubric heads of five labels, and one total head.

``score = 0.5 derived + 0.5 sigmoid(total)`` with ``derived`` the mean expected label over the
dimensions, divided by four: the published formula. The *logit* is the total head's raw output;
ranking on it has no floor, while a score is confined to [0, 1].
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from tracelift_groups.rm.attention import Tails

DIMENSIONS = 5
LABELS = 5

Pooling = Literal["last", "mean"]


class Output(NamedTuple):
    """What the model says of each trace; all fp32."""

    labels_SDL: Tensor
    """Logits of the labels of each dimension."""
    logit_S: Tensor
    """Raw output of the total head: what traces are ranked by."""

    @property
    def expected_SD(self) -> Tensor:
        """Expected label of each dimension, in [0, 4]."""
        steps = torch.arange(LABELS, device=self.labels_SDL.device).to(self.labels_SDL.dtype)
        return self.labels_SDL.softmax(-1) @ steps

    @property
    def score_S(self) -> Tensor:
        """The published score, in [0, 1]; without rubric heads the total head's part alone."""
        if not self.labels_SDL.shape[1]:
            return self.logit_S.sigmoid()
        derived_S = self.expected_SD.mean(-1) / (LABELS - 1)
        return 0.5 * derived_S + 0.5 * self.logit_S.sigmoid()


class RewardModel(nn.Module):
    """A backbone with reward heads.

    Args:
        backbone: A transformers model without a head; trie-packed inputs need
            ``attn_implementation="tlg_trie"``.
        hidden: Units of its last layer.
        pooling: Read a trace at its last token (decoders) or at the mean of its tokens (encoders).
        dimensions: Rubric heads: all, or none where a classifier was read back.
    """

    def __init__(
        self, backbone: nn.Module, hidden: int, pooling: Pooling, *, dimensions: int = DIMENSIONS
    ) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, pooling
        self.dimension_heads = nn.ModuleList(nn.Linear(hidden, LABELS) for _ in range(dimensions))
        self.total_head = nn.Linear(hidden, 1)
        # FSDP's transformer wrapping asks the outermost module.
        self._no_split_modules = getattr(backbone, "_no_split_modules", None)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        last_rows: Tensor | None = None,
        tails: Tails | None = None,
    ) -> Output:
        """Score traces: packed with ``position_ids``, ``last_rows`` and ``tails``, or padded.

        Padding may be on either side. Packed and padded batches give the same scores.
        """
        if tails is not None and last_rows is not None:
            # A 4-D mask is taken as ready-made, so transformers makes none; ours is in ``tails``.
            ready = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=input_ids.device)
            states = self._states(
                input_ids=input_ids, attention_mask=ready, position_ids=position_ids, tails=tails
            )
            return self._heads(states[0].index_select(0, last_rows))
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        input_ids, attention_mask = _padding_to_the_right(input_ids, attention_mask)
        states = self._states(input_ids=input_ids, attention_mask=attention_mask)
        return self._heads(_pool(states, attention_mask, self.pooling))

    def _states(self, **inputs: Any) -> Tensor:
        states: Tensor = self.backbone(**_without_cache(self.backbone, inputs)).last_hidden_state
        return states

    def _heads(self, pooled_SH: Tensor) -> Output:
        # Scores of good traces lie close together: the heads work in their own precision, fp32
        # unless the whole model was cast, and never under autocast.
        with torch.autocast(pooled_SH.device.type, enabled=False):
            pooled_SH = pooled_SH.to(self.total_head.weight.dtype)
            labels = [head(pooled_SH) for head in self.dimension_heads]
            none = pooled_SH.new_zeros(len(pooled_SH), 0, LABELS)
            labels_SDL = torch.stack(labels, dim=1) if labels else none
            return Output(labels_SDL.float(), self.total_head(pooled_SH).squeeze(-1).float())


def _without_cache(backbone: nn.Module, inputs: dict[str, Any]) -> dict[str, Any]:
    config: Any = backbone.config
    return {**inputs, "use_cache": False} if hasattr(config, "use_cache") else inputs


def _padding_to_the_right(ids_ST: Tensor, mask_ST: Tensor) -> tuple[Tensor, Tensor]:
    """Shift rows so that their padding comes last; then positions count from the first token.

    Left padding would otherwise move learnt positions, and the last column would be the last
    token of some rows only.
    """
    order = torch.argsort(mask_ST.bool().logical_not().byte(), dim=1, stable=True)
    return ids_ST.gather(1, order), mask_ST.gather(1, order)


def _pool(states_STH: Tensor, mask_ST: Tensor, pooling: Pooling) -> Tensor:
    """[S, H]: the state at the last token of each row, or the mean over its tokens."""
    if pooling == "last":
        last_S = mask_ST.sum(1) - 1
        return states_STH[torch.arange(len(last_S), device=last_S.device), last_S]
    weight_ST1 = mask_ST[..., None].to(states_STH.dtype)
    return (states_STH * weight_ST1).sum(1) / weight_ST1.sum(1)
