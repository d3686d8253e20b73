"""Attention over packed tries on stock transformers models: no model code is patched.

A function registered under :data:`TRIE_ATTENTION` receives the extra keyword ``tails`` that the
caller gives to ``model(…)``: queries are the consecutive rows of each tail, keys the gathered
path from the root, causal and aligned at the end. On CUDA in half precision that is one call of
``torch.nn.attention.varlen``; elsewhere a loop of small ``sdpa`` calls. Without ``tails`` the
function is plain ``sdpa``, with its mask, so the same model also runs padded batches.

It is exact only where a token's state depends on earlier tokens through attention alone. Layers
with a recurrent state (Gated DeltaNet, Mamba and the like) or a convolution over time would take
the wrong neighbour for their past and give wrong scores without a sign of it; hence an allow-list
of measured architectures and, in :mod:`tracelift_groups.rm.selfcheck`, a check at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tracelift_groups.errors import UserError
from tracelift_groups.rm.trie import Trie

TRIE_ATTENTION = "tlg_trie"

# Packed and separate forward passes were compared for each of these; window and GQA included.
_MODEL_TYPES = frozenset(
    {"qwen2", "qwen3", "qwen3_moe", "llama", "mistral", "phi3", "gpt2", "gemma3_text"}
)
_LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})


@dataclass(frozen=True)
class Tails:
    """The tails of a packed row of tries, on the model's device; shared by all layers."""

    key_rows: Tensor
    """Rows of the keys of all tails, one tail after the other; int64."""
    query_offsets: Tensor
    """Where each tail's queries begin, and the end; int32, as the varlen kernel wants it."""
    key_offsets: Tensor
    """Where each tail's keys begin in ``key_rows``, and the end; int32."""
    query_lengths: tuple[int, ...]
    key_lengths: tuple[int, ...]

    @classmethod
    def of(cls, trie: Trie) -> Tails:
        """Read the tails off a trie (or several joined ones)."""
        queries = np.append(trie.tail_K, trie.tokens)
        key_lengths = [len(path) for path in trie.path_K]
        return cls(
            key_rows=torch.from_numpy(np.concatenate(trie.path_K)),
            query_offsets=torch.from_numpy(queries.astype(np.int32)),
            key_offsets=torch.from_numpy(np.cumsum([0, *key_lengths]).astype(np.int32)),
            query_lengths=tuple(int(length) for length in np.diff(queries)),
            key_lengths=tuple(key_lengths),
        )

    def to(self, device: torch.device) -> Tails:
        """Move the tensors to a device."""
        return Tails(
            key_rows=self.key_rows.to(device),
            query_offsets=self.query_offsets.to(device),
            key_offsets=self.key_offsets.to(device),
            query_lengths=self.query_lengths,
            key_lengths=self.key_lengths,
        )


class _Gather(torch.autograd.Function):
    """Rows by index, whose gradient is summed in fp32: a problem's rows serve every trace."""

    @staticmethod
    def forward(ctx: Any, states_NHd: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.rows = states_NHd.shape[0]
        return states_NHd.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        (rows,) = ctx.saved_tensors
        total = grad.new_zeros((ctx.rows, *grad.shape[1:]), dtype=torch.float32)
        return total.index_add_(0, rows, grad.float()).to(grad.dtype), None


def trie_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    tails: Tails | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers' attention functions do: [1, heads, N, d] to [1, N, heads, d].

    A sliding window counts along the path, which is what it counts in a text of its own.
    """
    if tails is None:
        output: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output
    if query.is_cuda and torch.is_autocast_enabled("cuda"):
        # Rotary embeddings may have left queries and keys in fp32; no kernel takes a mixture.
        half = torch.get_autocast_dtype("cuda")
        query, key, value = query.to(half), key.to(half), value.to(half)
    query_NHd, key_NHd, value_NHd = (states[0].transpose(0, 1) for states in (query, key, value))
    gather: Any = _Gather.apply
    keys, values = gather(key_NHd, tails.key_rows), gather(value_NHd, tails.key_rows)
    if _kernel_takes(query):
        from torch.nn.attention.varlen import varlen_attn

        # torch 2.11 takes fewer key heads as they come; from 2.12 on it asks to be told.
        told = "enable_gqa" in inspect.signature(varlen_attn).parameters
        grouped: dict[str, Any] = {}
        if told and query.shape[1] != key.shape[1]:
            grouped["enable_gqa"] = True
        attended = varlen_attn(
            query_NHd.contiguous(),
            keys,
            values,
            tails.query_offsets,
            tails.key_offsets,
            max(tails.query_lengths),
            max(tails.key_lengths),
            scale=scaling,
            window_size=(-1 if sliding_window is None else sliding_window - 1, 0),
            **grouped,
        )
        assert isinstance(attended, Tensor)
        return attended.unsqueeze(0), None
    return _attend_in_a_loop(query_NHd, keys, values, tails, scaling, sliding_window), None


def _kernel_takes(query: Tensor) -> bool:
    return query.is_cuda and query.dtype in (torch.float16, torch.bfloat16)


def _attend_in_a_loop(
    query_NHd: Tensor,
    keys: Tensor,
    values: Tensor,
    tails: Tails,
    scaling: float | None,
    window: int | None,
) -> Tensor:
    grouped = query_NHd.shape[1] != keys.shape[1]
    parts = zip(
        torch.split_with_sizes(query_NHd, tails.query_lengths),
        torch.split_with_sizes(keys, tails.key_lengths),
        torch.split_with_sizes(values, tails.key_lengths),
        strict=True,
    )
    outputs = []
    for tail_query, tail_key, tail_value in parts:
        queries, length = len(tail_query), len(tail_key)
        whole = queries == length and (window is None or window >= length)
        mask = None if whole else _tail_mask(queries, length, window, query_NHd.device)
        attended = scaled_dot_product_attention(
            tail_query.transpose(0, 1)[None],
            tail_key.transpose(0, 1)[None],
            tail_value.transpose(0, 1)[None],
            attn_mask=mask,
            is_causal=whole,
            scale=scaling,
            enable_gqa=grouped,
        )
        outputs.append(attended[0].transpose(0, 1))
    return torch.cat(outputs)[None]


def _tail_mask(queries: int, keys: int, window: int | None, device: torch.device) -> Tensor:
    """[queries, keys] of bool: the last query sees all keys, within the window."""
    at = torch.arange(keys - queries, keys, device=device)[:, None]
    seen = torch.arange(keys, device=device)[None, :]
    mask = seen <= at
    return mask if window is None else mask & (at - seen < window)


def refuse_unless_trie_safe(config: PretrainedConfig) -> None:
    """Check that trie-packed attention is exact for an architecture.

    Raises:
        UserError: It is not, or nobody has compared.
    """
    reason = _unsafe(config)
    if reason:
        raise UserError(
            f"{reason}: a packed trie would give wrong scores",
            where=f"backbone {config.model_type}",
            way_out="set batching=padded",
        )


def _unsafe(config: PretrainedConfig) -> str:
    text: Any = config.get_text_config()
    kinds: Sequence[str] = getattr(text, "layer_types", None) or ()
    odd = sorted(set(kinds) - _LAYER_TYPES)
    if odd:
        return f"it has layers of type {', '.join(odd)}"
    if text.model_type not in _MODEL_TYPES:
        return "it is not among the architectures checked"
    if getattr(text, "attn_logit_softcapping", None):
        return "it caps attention logits"
    return ""


AttentionInterface.register(TRIE_ATTENTION, trie_attention)
# Without a mask function of its own name transformers would give the padded path no mask at all.
AttentionMaskInterface.register(TRIE_ATTENTION, sdpa_mask)
