"""The check at the start of a trie-packed training: one real group, packed and trace by trace."""

from __future__ import annotations

import torch

from tracelift_groups.errors import UserError
from tracelift_groups.rm.batch import Tokens, collate, to_device
from tracelift_groups.rm.model import RewardModel

# Relative distance of pooled states. Measured in fp32: below 1e-5 where packing is right; where it
# is wrong, 0.3 and more. Half precision alone moves states by a few per cent.
_EXACT, _HALF = 1e-3, 0.1


class SelfCheck:
    """Compares the states that the heads read; their size does not depend on the heads' weights."""

    def __init__(self, model: RewardModel, device: torch.device, *, autocast: bool) -> None:
        self._model, self._device, self._autocast = model, device, autocast

    def difference(self, traces: tuple[Tokens, ...]) -> float:
        """Relative distance between packed and separate states of a group's traces."""
        packed = self._states([traces], "trie")
        apart = torch.cat([self._states([[trace]], "padded") for trace in traces])
        return float((packed - apart).norm() / apart.norm())

    def require(self, traces: tuple[Tokens, ...]) -> float:
        """Fail where packing changes the result; return the difference.

        Raises:
            UserError: It does.
        """
        found = self.difference(traces)
        weights = next(self._model.parameters()).dtype
        half = self._autocast or weights != torch.float32
        if not found <= (_HALF if half else _EXACT):
            raise UserError(
                f"packed and separate forward passes differ by {found:.2g} on a group of this run",
                where=f"backbone {type(self._model.backbone).__name__}",
                way_out="set batching=padded",
            )
        return found

    @torch.no_grad()
    def _states(
        self, groups: list[tuple[Tokens, ...]] | list[list[Tokens]], how: str
    ) -> torch.Tensor:
        seen: list[torch.Tensor] = []
        heads = self._model.total_head.register_forward_pre_hook(
            lambda _, arguments: seen.append(arguments[0].float())
        )
        training = self._model.training
        self._model.eval()
        inputs = collate(groups, "trie" if how == "trie" else "padded", pad_id=0)
        try:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
                self._model(**to_device(inputs, self._device))
        finally:
            heads.remove()
            self._model.train(training)
        return seen[0]
