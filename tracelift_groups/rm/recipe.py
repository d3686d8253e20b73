"""The recipe of a reward model: everything that decides a training but the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from tracelift_groups.recipes import Section, read_recipe, validated


class Scratch(Section):
    """A backbone with random weights, and a BPE tokenizer trained on the run's texts.

    Digits are tokens of their own: a number is then read digit by digit, whatever its length.
    """

    architecture: Literal["qwen2", "qwen3", "llama"] = "qwen2"
    hidden: int = Field(256, ge=8)
    layers: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    kv_heads: int = Field(4, ge=1)
    feed_forward: int = Field(704, ge=8)
    vocabulary: int = Field(4096, ge=300)


class Backbone(Section):
    """Where the weights come from: exactly one of ``pretrained`` and ``scratch``.

    ``pretrained`` is a Hub name, a folder, or ``package:NAME/FOLDER`` for a model inside an
    installed Python package.
    """

    pretrained: str | None = None
    revision: str | None = None
    scratch: Scratch | None = None
    dropout: float = Field(0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _one(self) -> Backbone:
        if (self.pretrained is None) == (self.scratch is None):
            raise ValueError("give exactly one of pretrained and scratch")
        return self


class Text(Section):
    """How a trace becomes tokens."""

    max_length: int = Field(1024, ge=16)
    eos: Literal["append", "none"] = "append"
    """``append`` gives last-token pooling a token that always means "read it all"."""
    tests: bool = True
    """Whether the tests of a code problem are part of the text."""


class Sample(Section):
    """Traces drawn anew from every group in every epoch; groups with fewer are dropped."""

    sound: int = Field(ge=1)
    flawed: int = Field(ge=1)


class Ranking(Section):
    """Sound traces above flawed ones of the same group."""

    weight: float = Field(1.0, ge=0.0)
    of: Literal["logit", "score"] = "logit"
    """``score`` is the published choice: on values in [0, 1] the pair loss stays above 0.313."""
    form: Literal["pairs", "listwise"] = "pairs"
    margin: float = Field(0.0, ge=0.0)
    flawed_weight: float = Field(0.0, ge=0.0)
    """Weight of pairs of two flawed traces, the one with the higher total above."""
    flawed_gap: float = Field(0.15, gt=0.0)
    """Least difference of totals that makes such a pair."""


class Loss(Section):
    """Weights of the three parts; see :mod:`tracelift_groups.rm.loss` for the formulas."""

    rubric: float = Field(0.2, ge=0.0)
    rubric_form: Literal["cross_entropy", "ordinal"] = "ordinal"
    total: float = Field(0.5, ge=0.0)
    ranking: Ranking = Ranking()


class Lora(Section):
    """Low-rank adapters on the named linear layers; with ``bits`` 4 on a quantized backbone."""

    rank: int = Field(32, ge=1)
    alpha: float = Field(64, gt=0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    targets: tuple[str, ...] = tuple(
        "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split()
    )
    bits: Literal[4] | None = None


class Optim(Section):
    """AdamW. ``groups_per_step`` counts over all processes."""

    lr: float = Field(gt=0.0)
    head_lr: float | None = Field(None, gt=0.0)
    """Of the reward heads, which start from random weights; by default ``lr``."""
    epochs: int = Field(3, ge=1)
    groups_per_step: int = Field(16, ge=1)
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup: float = Field(0.03, ge=0.0, lt=1.0)
    weight_decay: float = Field(0.01, ge=0.0)
    max_grad_norm: float = Field(1.0, gt=0.0)


class Recipe(Section):
    """Everything that decides a training but the data."""

    backbone: Backbone
    text: Text = Text()
    pooling: Literal["last", "mean"] = "last"
    batching: Literal["trie", "padded"] = "trie"
    """``trie``: each distinct prefix of a group once (causal decoders). ``padded``: any model."""
    tokens_per_batch: int = Field(8192, ge=16)
    """Tokens of one forward pass, packed or with padding; a larger group goes alone."""
    without_kinds: tuple[str, ...] = ()
    """Kinds of flaw to leave out, of training and of the held-out accuracy. Small models learn
    from the kinds that omit something that the fuller text is sound (docs/results.md)."""
    sample: Sample | None = None
    loss: Loss = Loss()
    lora: Lora | None = None
    optim: Optim
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_activations: bool = False
    evaluate_every: int | None = Field(None, ge=1)
    """Optimizer steps between evaluations, each with a checkpoint; by default once an epoch."""
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        dropout = self.backbone.dropout or (self.lora.dropout if self.lora else 0.0)
        if self.batching == "trie" and dropout:
            raise ValueError("batching: trie shares prefixes between traces: set dropout to 0")
        if self.batching == "trie" and self.pooling == "mean":
            raise ValueError("batching: trie reads a trace at its last token: set pooling to last")
        if self.lora and self.backbone.scratch:
            raise ValueError("lora: adapters on random weights learn nothing; train in full")
        return self


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe (:func:`~tracelift_groups.recipes.read_recipe`)."""
    return read_recipe(Recipe, name, overrides, "rm")


def parse_recipe(raw: object, where: str) -> Recipe:
    """Validate what a recipe file holds (:func:`~tracelift_groups.recipes.validated`)."""
    return validated(Recipe, raw, where)
