"""A planner of some thousand parameters, made on the spot, and rewards that need no executor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.grpo.reward import Rollout, Score
from tracelift_groups.rm.tokenizer import train_tokenizer

PROBLEMS = [Problem(f"p{n}", "math", f"{n} + {n}?", str(2 * n)) for n in range(1, 7)]
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
}


def make_planner(folder: Path, seed: int = 0) -> Path:
    tokenizer = train_tokenizer(["<reasoning>1 + 1 = 2</reasoning>"], 280)
    config = AutoConfig.for_model(
        "qwen2",
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **_SIZES,
    )
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def recipe_for(planner: Path, **changes: Any) -> PlannerRecipe:
    prompt = planner.parent / "short.jinja"
    prompt.write_text("{{ problem }}")
    plain: dict[str, Any] = {
        "planner": str(planner),
        "prompt": str(prompt),
        "steps": 4,
        "problems_per_step": 2,
        "sampling": {"completions": 4, "max_tokens": 10, "prefill": True},
        "loss": {"mask_truncated": False},
        "optim": {"lr": 0.01},
        "checkpoint_every": 1,
    }
    return PlannerRecipe.model_validate({**plain, **changes})


def spaces(rollouts: Sequence[Rollout]) -> list[Score]:
    """Rewards completions for what any model can learn: the share of low characters."""
    return [_scored(sum(c < "P" for c in one.completion) / 10) for one in rollouts]


def _scored(value: float) -> Score:
    return Score(value, True, {"success": value, "format_ok": 1.0, "length": 10.0, "leaked": 0.0})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def same_weights(one: Path, two: Path) -> bool:
    first, second = weights(one), weights(two)
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )
