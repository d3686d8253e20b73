"""The recipe of a planner: everything that decides a training but the data and the models asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from tracelift_groups.grpo.prompting import PLANNER
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.recipes import Section, read_recipe
from tracelift_groups.rm.recipe import Lora


class Sampling(Section):
    """How completions are drawn."""

    completions: int = Field(8, ge=2)
    """Of each problem: the group that advantages are centred in."""
    temperature: float = Field(1.0, gt=0.0, le=2.0)
    """The policy that is trained is the one at this temperature."""
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(512, ge=1)
    prefill: bool = False
    """Whether the model is given the opening tag, as those that never saw tags need."""


class Loss(Section):
    """The policy's loss; :mod:`.advantage` and :mod:`.loss` have the formulas."""

    advantage: Literal["centred", "standardised"] = "centred"
    """A continuous reward has groups of tiny variance; dividing by it blows noise up."""
    clip_low: float = Field(0.2, ge=0.0, lt=1.0)
    clip_high: float = Field(0.28, ge=0.0)
    updates: int = Field(1, ge=1)
    """Optimizer steps on each batch of completions; from the second on they are off-policy."""
    correction: Literal["none", "truncated"] = "none"
    """``truncated``: importance weights of the training policy against the sampling one."""
    correction_cap: float = Field(2.0, gt=0.0)
    kl_weight: float = Field(0.0, ge=0.0)
    """Of the divergence from the starting planner; 0 needs no second model."""
    mask_truncated: bool = True
    """Completions that were cut off at the limit get no gradient."""


class PlannerOptim(Section):
    """AdamW."""

    lr: float = Field(gt=0.0)
    schedule: Literal["linear", "cosine", "constant"] = "constant"
    warmup: float = Field(0.0, ge=0.0, lt=1.0)
    weight_decay: float = Field(0.0, ge=0.0)
    max_grad_norm: float = Field(1.0, gt=0.0)

    @property
    def head_lr(self) -> None:
        """A planner has no heads."""


class Evaluation(Section):
    """The executor's success with the planner's most likely reasoning, on held-out problems."""

    every: int | None = Field(None, ge=1)
    problems: int = Field(100, ge=1)


class PlannerRecipe(Section):
    """A planner's training."""

    planner: str | None = None
    """A folder or a Hub name; ``--planner`` goes before it."""
    revision: str | None = None
    prompt: str = PLANNER
    """A prompt of ``prompts/``, or the path of a ``.jinja`` file."""
    reward: RewardSettings = RewardSettings()
    sampling: Sampling = Sampling()
    steps: int = Field(ge=1)
    problems_per_step: int = Field(8, ge=1)
    """Over all processes."""
    loss: Loss = Loss()
    lora: Lora | None = None
    optim: PlannerOptim
    tokens_per_batch: int = Field(16384, ge=16)
    """Of one forward and backward pass, with padding; it changes no result."""
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_activations: bool = False
    checkpoint_every: int = Field(25, ge=1)
    evaluate: Evaluation = Evaluation()
    log_samples_every: int = Field(10, ge=1)
    give_up_after: int = Field(10, ge=1)
    """Steps in a row without one valid score."""
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> PlannerRecipe:
        if self.lora is not None and self.lora.dropout:
            raise ValueError("lora.dropout: the policy that is trained is the one that sampled; 0")
        if self.lora is not None and self.lora.bits is not None:
            raise ValueError("lora.bits: planners are not quantized")
        return self


def load_planner_recipe(name: str, overrides: Sequence[str] = ()) -> PlannerRecipe:
    """Read a recipe (:func:`~tracelift_groups.recipes.read_recipe`)."""
    return read_recipe(PlannerRecipe, name, overrides, "rm", "planner")
