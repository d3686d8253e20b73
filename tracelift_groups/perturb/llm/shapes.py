"""Shapes of the replies to the prompts of this engine, with the fields in the order asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reworded(_Shape):
    """A twin."""

    reasoning: str


class Perturbed(_Shape):
    """A flawed trace."""

    reasoning: str


class PerturbedPlan(_Shape):
    """A flawed plan, and the program that follows from it."""

    reasoning: str
    program: str


class PairVerdict(_Shape):
    """What a judge says of two traces that it was shown blindly."""

    why: str
    flawed: Annotated[
        Literal["a", "b", "neither"],
        BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
    ]
    quote: str
