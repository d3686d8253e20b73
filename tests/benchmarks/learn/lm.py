"""Small causal language models from random weights: tokenizer, training loop, folder."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from transformers import Qwen2Config, Qwen2ForCausalLM

from tracelift_groups.grpo.reasoning import CLOSE, OPEN
from tracelift_groups.rm.tokenizer import train_tokenizer

_IGNORED = -100


class Shape(NamedTuple):
    """Size of a model. ``feed_forward`` is 8/3 of ``hidden``."""

    hidden: int
    layers: int
    heads: int
    vocabulary: int = 1024
    positions: int = 512


class Training(NamedTuple):
    """One pass over as many batches as it says.

    Attributes:
        steps: Optimizer steps.
        batch: Examples of a step.
        lr: Highest learning rate; it rises over the first 5 % and falls to a tenth as a cosine.
        prompt_weight: Weight of the prompt's tokens in the loss, beside 1 for the completion's: a
            model that also predicts the problem learns sooner to look things up in it.
        seed: Of weights and order.
    """

    steps: int
    batch: int = 32
    lr: float = 2e-3
    prompt_weight: float = 0.1
    seed: int = 0


class Lesson(NamedTuple):
    """A prompt with the completion to be learnt."""

    prompt: str
    completion: str


def make_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """Train a BPE tokenizer; the reasoning's tags are tokens of their own, and text like others."""
    tokenizer = train_tokenizer(texts, vocabulary)
    tokenizer.add_tokens([OPEN, CLOSE])
    return tokenizer


def make_model(tokenizer: Any, shape: Shape, seed: int) -> Any:
    """A decoder with random weights."""
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            intermediate_size=shape.hidden * 8 // 3,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=shape.positions,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def train(
    model: Any,
    tokenizer: Any,
    lessons: Sequence[Lesson],
    training: Training,
    *,
    device: str = "cpu",
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> float:
    """Train a model in place on lessons drawn without putting back, over and over.

    Returns:
        Seconds that it took.
    """
    started = time.monotonic()
    model.to(device).train()
    encoded = _encode(tokenizer, lessons)
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.lr, betas=(0.9, 0.98))
    warmup = max(1, training.steps // 20)
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=warmup),
            torch.optim.lr_scheduler.CosineAnnealingLR(
                optimizer, training.steps - warmup, eta_min=training.lr / 10
            ),
        ],
        [warmup],
    )
    batches = _batches(encoded, training)
    for step in range(training.steps):
        ids, labels, weights = _collate(next(batches), tokenizer.pad_token_id, training)
        with torch.autocast(device, torch.bfloat16):  # a third faster on CPUs that know it
            seen = (weights >= 0).to(device)
            logits = model(input_ids=ids.to(device), attention_mask=seen).logits
        losses = functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(),
            labels[:, 1:].flatten().to(device),
            ignore_index=_IGNORED,
            reduction="none",
        )
        share = weights[:, 1:].flatten().clamp(min=0).to(device)
        loss = (losses * share).sum() / share.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        on_step(step + 1, loss.item())
    model.eval()
    return time.monotonic() - started


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a folder that ``AutoModelForCausalLM`` reads."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class _Example(NamedTuple):
    ids: list[int]
    prompt: int


def _encode(tokenizer: Any, lessons: Sequence[Lesson]) -> list[_Example]:
    prompts = tokenizer([one.prompt for one in lessons])["input_ids"]
    completions = tokenizer([one.completion for one in lessons])["input_ids"]
    return [
        _Example([*prompt, *completion, tokenizer.eos_token_id], len(prompt))
        for prompt, completion in zip(prompts, completions, strict=True)
    ]


def _batches(examples: list[_Example], training: Training) -> Any:
    """Yield batches of examples of about one length, in an order of their own each time round."""
    order = random.Random(training.seed)
    size = training.batch
    while True:
        shuffled = order.sample(examples, len(examples))
        pools = [shuffled[at : at + 32 * size] for at in range(0, len(shuffled), 32 * size)]
        batches = []
        for pool in pools:
            pool.sort(key=lambda one: len(one.ids))
            batches += [pool[at : at + size] for at in range(0, len(pool) - size + 1, size)]
        order.shuffle(batches)
        yield from batches


def _collate(
    batch: Sequence[_Example], pad: int, training: Training
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, labels and weights; a weight below 0 marks padding."""
    longest = max(len(one.ids) for one in batch)
    ids = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), _IGNORED)
    weights = torch.full((len(batch), longest), -1.0)
    for row, one in enumerate(batch):
        ids[row, : len(one.ids)] = labels[row, : len(one.ids)] = torch.tensor(one.ids)
        weights[row, : len(one.ids)] = 1.0
        weights[row, : one.prompt] = training.prompt_weight
    return ids, labels, weights
