"""How a reasoning is rewarded: one frozen model, part of a planner's recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Mode = Literal["exec_only", "tracelift", "no_uplift", "uplift_only", "llm_judge"]
Formula = Literal["sum", "published_math", "published_code"]
Leak = Literal["strip", "forbid"]


class RewardSettings(BaseModel):
    """What a reasoning's value is made of (see :mod:`.formulas`).

    Attributes:
        mode: Which terms count.
        formula: ``sum`` is ``success + rm_weight x RM x uplift``, success being the share of the
            repeats; the others are the published ones, whose verifier's term has one more run.
        repeats: Executor runs with the reasoning.
        baseline_repeats: Executor runs without it, once for each problem.
        rm_weight: Weight of the reasoning's term in ``sum``.
        temperature: Of the executor, 0 to 2. At 0 all repeats would be the same.
        max_tokens_math: Most tokens of an executor's answer.
        max_tokens_code: Most tokens of an executor's program.
        leak: What becomes of a stated answer or a program in the reasoning: taken out before
            anybody reads it, or the lowest value.
        executor_prompt: A prompt of ``prompts/``, or the path of a ``.jinja`` file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "tracelift"
    formula: Formula = "sum"
    repeats: int = Field(default=3, ge=1, le=64)
    baseline_repeats: int = Field(default=3, ge=1, le=64)
    rm_weight: float = Field(default=1.0, gt=0)
    temperature: float = Field(default=0.5, ge=0, le=2)
    max_tokens_math: int = Field(default=64, ge=1)
    max_tokens_code: int = Field(default=1024, ge=1)
    leak: Leak = "strip"
    executor_prompt: str = "executor"

    @property
    def needs_uplift(self) -> bool:
        """Whether baselines are measured."""
        return self.mode in ("tracelift", "uplift_only")

    @property
    def needs_rm(self) -> bool:
        """Whether a reward model is asked."""
        return self.mode in ("tracelift", "no_uplift", "uplift_only")

    @property
    def needs_judge(self) -> bool:
        """Whether a language model is asked to judge."""
        return self.mode == "llm_judge"

    @property
    def separate_run(self) -> bool:
        """Whether the verifier's term has an executor run of its own, as published."""
        return self.formula != "sum" and self.mode != "uplift_only"

    @property
    def needs_repeats(self) -> bool:
        """Whether the executor is run ``repeats`` times with the reasoning."""
        return self.formula == "sum" or self.needs_uplift

    @model_validator(mode="after")
    def _published_repeats(self) -> RewardSettings:
        if self.formula == "published_code" and (self.repeats, self.baseline_repeats) != (3, 3):
            raise ValueError("published_code compares 3 runs with 3: leave both repeats at 3")
        return self
