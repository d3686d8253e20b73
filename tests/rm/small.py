"""A reward model of random weights, small enough to be made anew in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tracelift_groups.rm.backbone import make_backbone
from tracelift_groups.rm.folder import save_native
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.model import RewardModel
from tracelift_groups.rm.recipe import Recipe
from tracelift_groups.rm.tokenizer import train_tokenizer

SCRATCH = {"hidden": 32, "layers": 2, "heads": 4, "kv_heads": 2, "feed_forward": 64}

ITEMS = [
    Item("Ann has 2 and 3 apples. How many?", "2 + 3 = 5 apples."),
    Item("Ann has 2 and 3 apples. How many?", "2 * 3 = 6 apples, which is all of them together."),
    Item("A bag costs $1.50. What do 4 cost?", "4 * 1.5 = 6"),
    Item(
        "Sum the numbers.", "Loop over the list and add each value.", "code", "assert f([1]) == 1"
    ),
    Item("Sort the numbers.", "Use the built-in sort, which is O(n log n). " * 6, "code"),
]


def small_recipe(**changes: Any) -> Recipe:
    raw = {
        "backbone": {"scratch": {**SCRATCH, "vocabulary": 300}},
        "text": {"max_length": 160},
        "optim": {"lr": 1e-3},
        **changes,
    }
    return Recipe.model_validate(raw)


def small_model(recipe: Recipe) -> tuple[RewardModel, Any]:
    """A model and its tokenizer; weights far from zero, so that scores differ."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer([f"{item.problem} {item.reasoning}" for item in ITEMS], 300)
    model = RewardModel(make_backbone(recipe, tokenizer), SCRATCH["hidden"], recipe.pooling)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval(), tokenizer


def save_small(folder: Path, recipe: Recipe | None = None) -> Path:
    recipe = recipe or small_recipe()
    model, tokenizer = small_model(recipe)
    dimensions = {"math": ["a", "b", "c", "d", "e"], "code": ["f", "g", "h", "i", "j"]}
    save_native(folder, model, tokenizer, recipe, {"dimensions": dimensions})
    return folder
