"""The model of a recipe, with adapters for training and with them merged for keeping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tracelift_groups.errors import UserError
from tracelift_groups.rm.backbone import make_backbone
from tracelift_groups.rm.model import RewardModel
from tracelift_groups.rm.recipe import Lora, Recipe


def assemble(recipe: Recipe, tokenizer: Any) -> RewardModel:
    """Make the model that is trained; the weights of a seed are the same every time."""
    quantized = recipe.lora is not None and recipe.lora.bits is not None
    torch.manual_seed(recipe.seed)
    backbone: Any = make_backbone(recipe, tokenizer, quantized=quantized)
    hidden = backbone.config.hidden_size
    if quantized:
        import peft

        prepare: Any = peft.prepare_model_for_kbit_training
        backbone = prepare(backbone, use_gradient_checkpointing=False)
    if recipe.checkpoint_activations:
        checkpoint_activations(backbone)
    if recipe.lora is not None:
        backbone = add_adapters(backbone, recipe.lora)
    return RewardModel(backbone, hidden, recipe.pooling)


def checkpoint_activations(backbone: Any) -> None:
    """Recompute activations in the backward pass instead of keeping them."""
    new = "activation_checkpointing_enable"  # its name since transformers 5.24
    name = new if hasattr(backbone, new) else "gradient_checkpointing_enable"
    getattr(backbone, name)({"use_reentrant": False})


def trained_names(model: nn.Module) -> list[str]:
    """Names of the parameters that training changes."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def merged(
    recipe: Recipe, tokenizer: Any, trained: Mapping[str, Tensor], *, adapter_folder: Path
) -> RewardModel:
    """Rebuild the model around trained weights, adapters merged into the backbone.

    A quantized backbone is loaded anew in its own precision: 4-bit weights cannot take an adapter
    without losing it. The adapter alone is kept in ``adapter_folder`` as well.
    """
    if recipe.lora is not None:
        recipe = recipe.model_copy(update={"lora": recipe.lora.model_copy(update={"bits": None})})
    model = assemble(recipe, tokenizer)
    names = set(trained_names(model))
    if names != set(trained):
        raise ValueError(f"trained weights of another model: {sorted(names ^ set(trained))[:4]}")
    model.load_state_dict(dict(trained), strict=False)
    if recipe.lora is not None:
        adapted: Any = model.backbone
        adapted.save_pretrained(adapter_folder)
        model.backbone = adapted.merge_and_unload(safe_merge=True)
    return model.eval()


def add_adapters(backbone: Any, lora: Lora) -> Any:
    """Put adapters on a model; all else is frozen.

    Raises:
        UserError: It has no layer of the names that the recipe gives.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # any number will do
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
    )
    try:
        return get_peft_model(backbone, config)
    except ValueError as error:
        raise UserError(
            f"no adapter can be put there ({str(error).splitlines()[0]})", where="lora.targets"
        ) from error
