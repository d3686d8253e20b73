"""The five ways of giving groups to a reward model that bench_trie.py compares.

All start from the same weights, see the same pairs in each optimizer step and minimise the mean of
``-log sigmoid(chosen - rejected)`` with AdamW; they differ in the tokens they push through.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from torch.utils.data import SequentialSampler
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PrinterCallback,
    TrainerCallback,
)
from transformers.utils import logging
from trl import RewardConfig, RewardTrainer

from tracelift_groups.rm.attention import TRIE_ATTENTION
from tracelift_groups.rm.batch import TokenGroup, collate, cost, into_batches, targets, to_device
from tracelift_groups.rm.loss import loss_counts, loss_sums, weighted
from tracelift_groups.rm.model import RewardModel
from tracelift_groups.rm.recipe import Loss

logging.set_verbosity_error()
LOSS = Loss(rubric=0.0, total=0.0)  # ranking of pairs on logits alone: what TRL trains
LR, PAD = 1e-4, 0
ARMS = {
    "A": "trl.RewardTrainer, shuffled pairs, padded",
    "B": "trl.RewardTrainer, pairs sorted by length",
    "C": "groups, varlen, nothing shared",
    "D": "pairs, shared prefix of each pair",
    "E": "groups, full trie",
}
Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Setting:
    """Sizes, device and how much goes into one forward pass."""

    config: dict[str, Any]
    device: torch.device
    half: bool
    pair_batch: int
    tokens: int
    groups_per_step: int
    seed: int = 0

    @property
    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)


def classifier(setting: Setting) -> Any:
    """One-logit model as TRL trains it; the seed fixes its weights."""
    torch.manual_seed(setting.seed)
    config = AutoConfig.for_model("qwen2", num_labels=1, pad_token_id=PAD, **setting.config)
    auto: Any = AutoModelForSequenceClassification
    return auto.from_config(config, attn_implementation="sdpa").to(setting.device)


def reward_model(setting: Setting) -> RewardModel:
    """Ours with the very weights of :func:`classifier`; the rubric heads are not trained."""
    source = classifier(setting)
    auto: Any = AutoModel
    backbone = auto.from_config(source.config, attn_implementation=TRIE_ATTENTION)
    backbone.load_state_dict(source.model.state_dict())
    model = RewardModel(backbone, source.config.hidden_size, "last")
    with torch.no_grad():
        model.total_head.weight.copy_(source.score.weight)
        model.total_head.bias.zero_()
    model.total_head.bias.requires_grad_(False)  # TRL's head has none
    return model.to(setting.device)


def pairs_of(group: TokenGroup) -> list[Pair]:
    sound = [ids for ids, good in zip(group.ids_G, group.sound_G, strict=True) if good]
    flawed = [ids for ids, good in zip(group.ids_G, group.sound_G, strict=True) if not good]
    return [(one, two) for one in sound for two in flawed]


def as_pair_group(pair: Pair) -> TokenGroup:
    return TokenGroup("pair", tuple(pair), ((0,) * 5,) * 2, (1.0, 0.0), (True, False))


def layout(arm: str, groups: Sequence[TokenGroup], tokens: int) -> list[list[TokenGroup]]:
    """Batches of a step for arms C, D and E."""
    if arm == "D":
        groups = [as_pair_group(pair) for group in groups for pair in pairs_of(group)]
    sizes = [[list(ids) for ids in group.ids_G] for group in groups]
    if arm == "C":  # a trace shares nothing: a group takes up the sum of its traces
        sizes = [[[t for ids in group.ids_G for t in ids]] for group in groups]
    return [[groups[i] for i in batch] for batch in into_batches(sizes, "trie", tokens)]


def inputs_of(arm: str, batch: Sequence[TokenGroup]) -> dict[str, Any]:
    if arm == "C":
        return collate([[ids] for group in batch for ids in group.ids_G], "trie", PAD)
    return collate([group.ids_G for group in batch], "trie", PAD)


def backward(
    arm: str,
    model: RewardModel,
    groups: Sequence[TokenGroup],
    setting: Setting,
    whole: bool = False,
) -> None:
    """Forward and backward of one optimizer step of arm C, D or E."""
    batches = layout(arm, groups, 10**9 if whole else setting.tokens)
    counts = loss_counts(targets([g for batch in batches for g in batch]), LOSS)
    for batch in batches:
        with setting.autocast:
            output = model(**to_device(inputs_of(arm, batch), setting.device))
        sums = loss_sums(output, targets(batch).to(setting.device), LOSS)
        weighted(sums.over(type(sums)(*(c.to(setting.device) for c in counts))), LOSS).backward()


def tokens_of(arm: str, steps: Sequence[Sequence[TokenGroup]], setting: Setting) -> int:
    """Tokens that go through the model, padding included."""
    total = 0
    for step in steps:
        if arm in "AB":
            for batch in pair_batches(arm, [step], setting):
                total += 2 * len(batch) * max(len(ids) for pair in batch for ids in pair)
        elif arm == "C":
            total += sum(len(ids) for group in step for ids in group.ids_G)
        else:
            total += sum(
                cost(group.ids_G, "trie") for batch in layout(arm, step, 10**9) for group in batch
            )
    return total


def pair_batches(
    arm: str, steps: Sequence[Sequence[TokenGroup]], setting: Setting
) -> list[list[Pair]]:
    pairs = [pair for step in steps for group in step for pair in pairs_of(group)]
    random.Random(setting.seed).shuffle(pairs)
    if arm == "B":
        pairs.sort(key=lambda pair: max(map(len, pair)))
    size = setting.pair_batch
    return [pairs[i : i + size] for i in range(0, len(pairs), size)]


class Runner(NamedTuple):
    """A model, and a function that trains it on some steps and returns the seconds it took."""

    model: Any
    run: Callable[[Sequence[Sequence[TokenGroup]]], float]


class _Clock(TrainerCallback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.started, self.seconds = 0.0, 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.started = time.perf_counter()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.seconds = time.perf_counter() - self.started


class _InOrder(RewardTrainer):  # type: ignore[misc]
    def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def trl_runner(arm: str, setting: Setting, tokenizer: Any) -> Runner:
    """Arms A and B: the real trainer."""
    model = classifier(setting)

    def run(steps: Sequence[Sequence[TokenGroup]]) -> float:
        batches = pair_batches(arm, steps, setting)
        rows = [
            {"chosen_ids": list(good), "rejected_ids": list(bad)}
            for batch in batches
            for good, bad in batch
        ]
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            config = RewardConfig(
                output_dir=folder,
                per_device_train_batch_size=setting.pair_batch,
                gradient_accumulation_steps=max(1, round(len(batches) / len(steps))),
                num_train_epochs=1,
                learning_rate=LR,
                lr_scheduler_type="constant",
                max_length=None,
                bf16=setting.half,
                use_cpu=setting.device.type == "cpu",
                gradient_checkpointing=False,
                dataloader_pin_memory=False,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            )
            trainer = _InOrder(
                model=model,
                args=config,
                train_dataset=Dataset.from_list(rows),
                processing_class=tokenizer,
                callbacks=[clock],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return clock.seconds

    return Runner(model, run)


def our_runner(arm: str, setting: Setting) -> Runner:
    """Arms C, D and E."""
    model = reward_model(setting).train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=LR)

    def run(steps: Sequence[Sequence[TokenGroup]]) -> float:
        started = time.perf_counter()
        for groups in steps:
            backward(arm, model, groups, setting)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        if setting.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    return Runner(model, run)
