"""The native folder of a reward model: self-contained, no pickle.

``config.json`` and ``model*.safetensors`` are the backbone as ``AutoModel`` loads it,
``heads.safetensors`` the reward heads, then the tokenizer's files and ``recipe.yaml``.
``rm.json``, written last, says what the scores are; a folder without it is not complete.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel

from tracelift_groups.errors import UserError
from tracelift_groups.recipes import dump_recipe
from tracelift_groups.rm.backbone import attention_for
from tracelift_groups.rm.model import RewardModel
from tracelift_groups.rm.recipe import Recipe, load_recipe
from tracelift_groups.rm.tokenizer import load_tokenizer
from tracelift_groups.store import write_atomically

MARKER = "rm.json"
HEADS = "heads.safetensors"
RECIPE = "recipe.yaml"
FORMAT = 1


class Native(NamedTuple):
    """What a native folder holds."""

    model: RewardModel
    tokenizer: Any
    recipe: Recipe
    info: dict[str, Any]
    """``format``, ``dimensions`` by domain, and the training's figures."""


def save_native(
    folder: Path, model: RewardModel, tokenizer: Any, recipe: Recipe, info: dict[str, Any]
) -> None:
    """Write a reward model, adapters merged beforehand; the marker comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone: Any = model.backbone
    backbone.save_pretrained(folder)
    save_file(heads_state(model), folder / HEADS)
    tokenizer.save_pretrained(folder)
    write_atomically(folder / RECIPE, dump_recipe(recipe))
    write_atomically(folder / MARKER, json.dumps({"format": FORMAT, **info}, indent=2) + "\n")


def load_native(folder: Path, *, dtype: torch.dtype | None = None) -> Native:
    """Load a reward model onto the CPU, in evaluation mode.

    Args:
        folder: What ``tlg train-rm`` wrote.
        dtype: Of the backbone, by default as saved; the heads stay fp32.

    Raises:
        UserError: No such folder, an incomplete or damaged one, or one of a later version.
    """
    info = read_info(folder)
    recipe = load_recipe(str(folder / RECIPE))
    try:
        config = AutoConfig.from_pretrained(folder)
        backbone = AutoModel.from_pretrained(
            folder,
            config=config,
            attn_implementation=attention_for(config, recipe.batching),
            dtype=dtype or "auto",
        )
        heads = load_file(folder / HEADS)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"damaged reward model ({error})", where=str(folder)) from error
    model = RewardModel(backbone, config.hidden_size, recipe.pooling)
    missing, unexpected = model.load_state_dict(heads, strict=False)
    lacking = [name for name in missing if not name.startswith("backbone.")]
    if lacking or unexpected:
        raise UserError(f"heads differ: {[*lacking, *unexpected]}", where=str(folder / HEADS))
    return Native(model.eval(), load_tokenizer(folder), recipe, info)


def heads_state(model: RewardModel) -> dict[str, Tensor]:
    """The heads' weights by name: ``dimension_heads.0.weight`` and so on."""
    state = model.state_dict()
    return {name: state[name].contiguous() for name in state if not name.startswith("backbone.")}


def read_info(folder: Path) -> dict[str, Any]:
    """Read what a native folder says of itself.

    Raises:
        UserError: Not a complete reward model, or one of a later version.
    """
    if not folder.is_dir():
        raise UserError("no such folder", where=str(folder), way_out="make one with tlg train-rm")
    try:
        info: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"not a complete reward model (no readable {MARKER})",
            where=str(folder),
            way_out="make one with tlg train-rm",
        ) from error
    if info.get("format") != FORMAT:
        raise UserError(f"format {info.get('format')}, not {FORMAT}", where=str(folder / MARKER))
    return info


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``; empty where there is none to read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
