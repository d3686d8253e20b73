"""Small backbones made on the spot, and groups to run them on."""

from __future__ import annotations

import random
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from tracelift_groups.rm.attention import TRIE_ATTENTION
from tracelift_groups.rm.batch import TokenGroup
from tracelift_groups.rm.model import RewardModel

VOCABULARY = 97
_LLAMA_LIKE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
    "vocab_size": VOCABULARY,
    "pad_token_id": 0,
}
_WINDOW = {"sliding_window": 7}
_GEMMA = {
    **_WINDOW,
    "layer_types": ["sliding_attention", "full_attention"],
    "query_pre_attn_scalar": 8,
}
_MOE = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "decoder_sparse_step": 1,
}

# name -> (model type, what differs from the sizes above)
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("qwen2", {}),
    "qwen2_window": (
        "qwen2",
        {**_WINDOW, "use_sliding_window": True, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", {}),
    "qwen3_moe": ("qwen3_moe", _MOE),
    "llama": ("llama", {}),
    "mistral_window": ("mistral", _WINDOW),
    "phi3": ("phi3", {"rope_scaling": None}),
    "gemma3": ("gemma3_text", _GEMMA),
    "gpt2": ("gpt2", {}),
}


def config_of(name: str) -> Any:
    if name == "gpt2":
        return AutoConfig.for_model(
            "gpt2",
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=256,
            vocab_size=VOCABULARY,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
    if name == "bert":
        return AutoConfig.for_model(
            "bert",
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=256,
            vocab_size=VOCABULARY,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    kind, differs = DECODERS[name]
    return AutoConfig.for_model(kind, **{**_LLAMA_LIKE, **differs})


def reward_model(name: str, implementation: str = TRIE_ATTENTION, seed: int = 0) -> RewardModel:
    torch.manual_seed(seed)
    config = config_of(name)
    pooling = "mean" if name == "bert" else "last"
    backbone = AutoModel.from_config(
        config, attn_implementation="sdpa" if name == "bert" else implementation
    )
    model = RewardModel(backbone, config.hidden_size, pooling).eval()
    with torch.no_grad():  # random heads of random states are near zero: make scores differ
        for head in (model.total_head, *model.dimension_heads):
            head.weight.normal_(0, 1.0)
    return model


def token_groups(seed: int = 0, groups: int = 3) -> list[TokenGroup]:
    """Groups of unequal sizes: local edits, a prefix, an equal pair, one trace unlike the rest."""
    draw = random.Random(seed)
    made = []
    for number in range(groups):
        problem = [draw.randrange(1, VOCABULARY) for _ in range(draw.randint(5, 15))]
        reference = problem + [draw.randrange(1, VOCABULARY) for _ in range(draw.randint(8, 30))]
        traces = [reference, reference[: len(problem) + 4], list(reference)]
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(problem), len(reference))
            traces.append([*reference[:at], draw.randrange(1, VOCABULARY), *reference[at + 1 :]])
        traces.append([draw.randrange(1, VOCABULARY) for _ in range(9)])
        draw.shuffle(traces)
        sound = [True, *(draw.random() < 0.4 for _ in traces[2:]), False]
        labels = [tuple(draw.randrange(5) for _ in range(5)) for _ in traces]
        made.append(
            TokenGroup(
                group_id=f"g{number}",
                ids_G=tuple(traces),
                labels_GD=tuple(labels),
                total_G=tuple(sum(row) / 20 for row in labels),
                sound_G=tuple(sound),
            )
        )
    return made


def all_ids(groups: list[TokenGroup]) -> list[tuple[Any, ...]]:
    return [group.ids_G for group in groups]
