"""The planner's weights: loaded for training, and written as a folder that ``local:DIR`` takes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.rm.assemble import add_adapters, checkpoint_activations
from tracelift_groups.rm.backbone import DROPOUTS, weights_folder
from tracelift_groups.store import write_atomically

MARKER = "planner.json"
ADAPTER = "adapter"


def planner_folder(recipe: PlannerRecipe) -> Path:
    """The folder of the starting planner, downloaded if need be.

    Raises:
        UserError: None is named, or it is out of reach.
    """
    if recipe.planner is None:
        raise UserError("no planner to start from", way_out="give --planner DIR or a Hub name")
    return weights_folder(recipe.planner.removeprefix("local:"), recipe.revision)


def load_planner(recipe: PlannerRecipe) -> Any:
    """Load the planner for training, with adapters where the recipe has them.

    Dropout is off: the policy whose probabilities are trained is the one that was sampled from.
    Weights that are trained are fp32, frozen ones in the recipe's precision.

    Raises:
        UserError: No causal language model there.
    """
    folder = planner_folder(recipe)
    frozen_half = recipe.lora is not None and recipe.precision == "bf16"
    try:
        config = AutoConfig.from_pretrained(folder)
        for name in DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, 0.0)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.bfloat16 if frozen_half else torch.float32
        )
    except (OSError, ValueError, KeyError) as error:
        said = str(error).strip().partition("\n")[0]
        raise UserError(f"not a causal language model ({said})", where=str(folder)) from error
    if recipe.checkpoint_activations:
        checkpoint_activations(model)
        if recipe.lora is not None:
            model.enable_input_require_grads()  # the frozen embeddings would end the graph
    if recipe.lora is not None:
        torch.manual_seed(recipe.seed)
        model = add_adapters(model, recipe.lora)
    return model


class Reference:
    """The starting planner, for the KL term: the model without its adapters, or a frozen copy."""

    def __init__(self, model: nn.Module, *, adapters: bool) -> None:
        self._model: Any = model if adapters else copy.deepcopy(model).requires_grad_(False)
        self._adapters = adapters

    @torch.no_grad()
    def __call__(self, logprobs: Any, *arguments: Any) -> Tensor:
        """Call ``logprobs(model, …)`` with the reference."""
        if not self._adapters:
            result: Tensor = logprobs(self._model, *arguments)
            return result
        with self._model.disable_adapter():
            under_base: Tensor = logprobs(self._model, *arguments)
            return under_base


def save_planner(folder: Path, model: Any, tokenizer: Any, info: dict[str, Any]) -> None:
    """Write the trained planner whole, adapters merged; the marker last."""
    if hasattr(model, "merge_and_unload"):
        model.save_pretrained(folder / ADAPTER)
        model = model.merge_and_unload(safe_merge=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_atomically(folder / MARKER, json.dumps(info, indent=2) + "\n")
