"""The published system's model folder, read and written.

A Qwen2 backbone under ``model.``, ``dimension_heads.{0..4}`` and ``total_head`` beside it in the
same safetensors files, and the keys ``rm_dimension_names``, ``rm_dimension_weights``,
``rm_num_labels`` and ``rm_use_total_head`` in ``config.json``. The published code pools the last
token and adds no end-of-text token; it reads texts of at most 3,072 tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from logging import ERROR
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging

from tracelift_groups.errors import UserError
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.rm.attention import refuse_unless_trie_safe
from tracelift_groups.rm.backbone import attention_for
from tracelift_groups.rm.folder import FORMAT, Native, heads_state, read_config
from tracelift_groups.rm.model import DIMENSIONS, LABELS, RewardModel
from tracelift_groups.rm.recipe import Recipe
from tracelift_groups.rm.tokenizer import load_tokenizer

ARCHITECTURE = "Qwen2ForReasonRewardModel"
MAX_LENGTH = 3072
_HEADS = ("dimension_heads.", "total_head.")


def is_published(folder: Path) -> bool:
    """Whether a folder holds a reward model in the published layout."""
    config = read_config(folder)
    return "rm_dimension_names" in config and "rm_num_labels" in config


def save_published(
    folder: Path, model: RewardModel, tokenizer: Any, dimensions: Sequence[str]
) -> None:
    """Write a reward model in the published layout.

    Args:
        folder: An empty folder.
        model: Its backbone is a Qwen2 and it pools the last token.
        tokenizer: What the texts are to be read with.
        dimensions: Names of the five rubric dimensions, in the order of the heads.

    Raises:
        UserError: Another architecture, or other pooling.
    """
    backbone: Any = model.backbone
    if backbone.config.model_type != "qwen2" or model.pooling != "last":
        raise UserError(
            f"the published layout is a Qwen2 that reads its last token; this is "
            f"{backbone.config.model_type} with pooling {model.pooling}",
            way_out="use --as native",
        )
    config = copy.deepcopy(backbone.config)
    config.architectures = [ARCHITECTURE]
    config.rm_dimension_names = list(dimensions)
    config.rm_dimension_weights = [1 / DIMENSIONS] * DIMENSIONS
    config.rm_num_labels = LABELS
    config.rm_use_total_head = True
    config.classifier_dropout = 0.0
    config.save_pretrained(folder)
    state = {f"model.{name}": tensor for name, tensor in backbone.state_dict().items()}
    save_torch_state_dict(state | heads_state(model), folder)
    tokenizer.save_pretrained(folder)


def load_published(folder: Path, *, dtype: torch.dtype | None = None) -> Native:
    """Load a folder in the published layout onto the CPU, in evaluation mode.

    Raises:
        UserError: Heads that this package does not have (other numbers, weights that are not
            equal, no total head), missing weights, or weights as a pickle.
    """
    _check(read_config(folder), folder)
    try:
        config = AutoConfig.from_pretrained(folder)
        recipe = exported_recipe(config, folder)
        backbone, lost = load_backbone(folder, config, recipe, dtype)
        heads = read_heads(folder, _HEADS)
    except (OSError, SafetensorError) as error:
        raise UserError(f"damaged reward model ({error})", where=str(folder)) from error
    model = RewardModel(backbone, config.hidden_size, "last")
    missing, _ = model.load_state_dict(heads, strict=False)
    lacking = [name for name in missing if not name.startswith("backbone.")]
    lacking += lost
    if lacking:
        raise UserError(f"weights are missing: {', '.join(lacking[:4])}", where=str(folder))
    names = tuple(config.rm_dimension_names)
    domain = "code" if names == dimensions_of("code") else "math"
    info = {"format": FORMAT, "dimensions": {domain: list(names)}, "layout": "published"}
    return Native(model.eval(), load_tokenizer(folder), recipe, info)


def exported_recipe(config: PretrainedConfig, folder: Path) -> Recipe:
    """How texts are read by a decoder whose folder has no recipe: its tokenizer ends them."""
    try:
        refuse_unless_trie_safe(config)
        batching = "trie"
    except UserError:
        batching = "padded"
    return Recipe.model_validate(
        {
            "backbone": {"pretrained": folder.resolve().name},
            "text": {
                "max_length": min(MAX_LENGTH, config.max_position_embeddings),
                "eos": "none",
            },
            "batching": batching,
            "optim": {"lr": 1e-4},
        }
    )


def _check(config: dict[str, Any], folder: Path) -> None:
    weights = config.get("rm_dimension_weights", [1 / DIMENSIONS] * DIMENSIONS)
    reason = ""
    if len(config["rm_dimension_names"]) != DIMENSIONS or config["rm_num_labels"] != LABELS:
        reason = f"rubric heads other than {DIMENSIONS} of {LABELS} labels"
    elif any(abs(weight - 1 / DIMENSIONS) > 1e-6 for weight in weights):
        reason = "rm_dimension_weights that are not equal"
    elif not config.get("rm_use_total_head", True):
        reason = "no total head"
    elif config.get("model_type") != "qwen2":
        reason = f"a backbone of type {config.get('model_type')}, not qwen2"
    elif not list(folder.glob("*.safetensors")):
        reason = "no safetensors (merge adapters and convert pickles first)"
    if reason:
        raise UserError(f"a published reward model with {reason}", where=str(folder))


def load_backbone(
    folder: Path, config: PretrainedConfig, recipe: Recipe, dtype: torch.dtype | None
) -> tuple[Any, list[str]]:
    """Load a backbone that lies among its heads, and name the weights that it lacks."""
    # The heads are unexpected to AutoModel, and it would say so at length.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(ERROR)
    try:
        backbone, loading = AutoModel.from_pretrained(
            folder,
            config=config,
            attn_implementation=attention_for(config, recipe.batching),
            dtype=dtype or "auto",
            use_safetensors=True,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(verbosity)
    return backbone, sorted(loading["missing_keys"])


def read_heads(folder: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Read the tensors whose names begin so, in fp32, from all safetensors files of a folder."""
    heads: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefixes)]  # noqa: SIM118
            heads |= {name: file.get_tensor(name).float() for name in names}
    return heads
