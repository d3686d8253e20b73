"""The same training by ``trl.GRPOTrainer``: for vLLM, DeepSpeed and more than one machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracelift_groups import __version__
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.planner import MARKER, planner_folder
from tracelift_groups.grpo.plugins.rows import planner_rows
from tracelift_groups.grpo.plugins.trl import reward_function
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.grpo.reward import ScoreRollouts
from tracelift_groups.rm.tokenizer import load_tokenizer
from tracelift_groups.store import write_atomically

_log = logging.getLogger(__name__)


def trl_arguments(recipe: PlannerRecipe, out: Path, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a recipe to ``GRPOConfig``'s arguments.

    Args:
        recipe: The planner's recipe.
        out: The folder of checkpoints and logs.
        extra: Further arguments of ``GRPOConfig``, such as ``use_vllm`` or ``deepspeed``; they go
            before the recipe.

    Raises:
        UserError: The recipe asks for something that TRL does in another way.
    """
    for key, asked, instead in (
        ("sampling.prefill", recipe.sampling.prefill, "TRL gives the planner no opening tag"),
        ("loss.correction", recipe.loss.correction != "none", "give TRL's own with --trl"),
    ):
        if asked:
            raise UserError("the TRL backend does not do this", where=key, way_out=instead)
    if recipe.evaluate.every is not None:
        _log.warning("evaluate.every is left out with TRL: measure with tlg eval-planner")
    loss, optim, sampling = recipe.loss, recipe.optim, recipe.sampling
    import torch

    batch = recipe.problems_per_step * sampling.completions
    return {
        "output_dir": str(out),
        "max_steps": recipe.steps,
        "per_device_train_batch_size": batch,
        "num_generations": sampling.completions,
        "num_iterations": loss.updates,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_completion_length": sampling.max_tokens,
        "mask_truncated_completions": loss.mask_truncated,
        "scale_rewards": "none" if loss.advantage == "centred" else "group",
        "loss_type": "bnpo",
        "epsilon": loss.clip_low,
        "epsilon_high": loss.clip_high,
        "beta": loss.kl_weight,
        "learning_rate": optim.lr,
        "lr_scheduler_type": optim.schedule,
        "warmup_steps": round(optim.warmup * recipe.steps),
        "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.max_grad_norm,
        "bf16": recipe.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        "activation_checkpointing": recipe.checkpoint_activations,
        "save_steps": recipe.checkpoint_every,
        "logging_steps": 1,
        "report_to": list(recipe.trackers),
        "seed": recipe.seed,
        "disable_dropout": True,
        **extra,
    }


def train_with_trl(
    problems: Sequence[Problem],
    recipe: PlannerRecipe,
    reward: ScoreRollouts,
    out: Path,
    *,
    extra: Mapping[str, Any] | None = None,
    about: Mapping[str, str] | None = None,
    resume: bool = True,
) -> dict[str, Any]:
    """Train a planner with TRL and write it like the small runner does.

    An interrupted training goes on from TRL's last checkpoint; TRL samples from one stream of
    random numbers, so the outcome is not bit for bit that of an uninterrupted one.

    Returns:
        What ``planner.json`` holds.

    Raises:
        UserError: TRL is not installed, or an argument that it does not have.
    """
    try:
        import trl as installed
    except ImportError as error:
        raise UserError(
            "this needs trl", way_out='pip install "tracelift-groups[train,trl]"'
        ) from error
    trl: Any = installed  # its names are loaded lazily, unseen by type checkers
    from datasets import Dataset
    from transformers.trainer_utils import get_last_checkpoint

    folder = planner_folder(recipe)
    tokenizer = load_tokenizer(folder)
    try:
        arguments = trl.GRPOConfig(**trl_arguments(recipe, out, extra or {}))
    except (TypeError, ValueError) as error:
        raise UserError(f"TRL does not take this ({error})", where="--trl") from error
    rows = planner_rows(problems, recipe.prompt, chat=bool(tokenizer.chat_template))
    trainer = trl.GRPOTrainer(
        model=str(folder),
        reward_funcs=reward_function(reward),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=_lora(recipe),
    )
    find: Any = get_last_checkpoint
    last = find(str(out)) if resume and out.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    info = {
        "version": __version__,
        "backend": f"trl {trl.__version__}",
        "about": dict(about or {}),
        "problems": len(problems),
        "steps": trainer.state.global_step,
        "log": trainer.state.log_history,
    }
    if trainer.accelerator.is_main_process:
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
        write_atomically(out / MARKER, json.dumps(info, indent=2) + "\n")
    trainer.accelerator.wait_for_everyone()
    return info


def _lora(recipe: PlannerRecipe) -> Any:
    if recipe.lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,  # type: ignore[arg-type]  # any number will do
        lora_dropout=recipe.lora.dropout,
        target_modules=list(recipe.lora.targets),
        task_type="CAUSAL_LM",
    )
