"""A step's completions: sampled from the planner, each with a seed of its own, and rewarded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import torch

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.advantage import advantages_G
from tracelift_groups.grpo.generate import Sampled, generate
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.prompting import model_input, planner_prompt
from tracelift_groups.grpo.reasoning import OPEN
from tracelift_groups.grpo.recipe import PlannerRecipe, Sampling
from tracelift_groups.grpo.reward import Rollout, Score, ScoreRollouts


class Completion(NamedTuple):
    """One completion of a problem, with what the loss needs of it."""

    rollout: Rollout
    prompt_ids: list[int]
    sampled: Sampled
    score: Score
    advantage: float
    """0 where there is none."""
    counts: bool
    """Whether its tokens get a gradient."""


class Sampler:
    """Draws completions from the planner.

    Args:
        tokenizer: Of the planner.
        recipe: Prompt, sampling and batch size.
        eos: Tokens that end a completion.
        pad: What fills rows up.
    """

    def __init__(self, tokenizer: Any, recipe: PlannerRecipe, eos: frozenset[int], pad: int):
        self._tokenizer, self._recipe, self._eos, self._pad = tokenizer, recipe, eos, pad

    def prompt_ids(self, problem: Problem) -> list[int]:
        """Tokens of what the planner is given."""
        prefill = OPEN if self._recipe.sampling.prefill else ""
        prompt = planner_prompt(problem, self._recipe.prompt)
        return model_input(self._tokenizer, prompt, prefill)

    def fitting(self, model: Any, problems: Sequence[Problem]) -> list[Problem]:
        """The problems whose prompt and a whole completion the model has positions for.

        Raises:
            UserError: There are none.
        """
        positions = getattr(model.config, "max_position_embeddings", None) or 1 << 30
        room = positions - self._recipe.sampling.max_tokens
        kept = [one for one in problems if len(self.prompt_ids(one)) <= room]
        if problems and not kept:
            raise UserError(
                f"no prompt fits into the planner's {positions} positions beside a completion of "
                f"{self._recipe.sampling.max_tokens}",
                way_out="lower sampling.max_tokens",
            )
        if not problems:
            raise UserError("there is no problem to train on")
        return kept

    def draw(
        self, model: Any, problems: Sequence[Problem], seeds: Sequence[Sequence[int]]
    ) -> list[list[Sampled]]:
        """Draw completions of some problems, one for each of a problem's seeds."""
        sampling = self._recipe.sampling
        return self._draw(model, problems, seeds, sampling.temperature, sampling.top_p)

    def most_likely(self, model: Any, problems: Sequence[Problem]) -> list[Sampled]:
        """Take the most likely completion of each problem."""
        drawn = self._draw(model, problems, [[0]] * len(problems), 0.0, 1.0)
        return [one for (one,) in drawn]

    def text(self, sampled: Sampled) -> str:
        """The text of a completion."""
        text: str = self._tokenizer.decode(sampled.ids, skip_special_tokens=True)
        return text

    def _draw(
        self,
        model: Any,
        problems: Sequence[Problem],
        seeds: Sequence[Sequence[int]],
        temperature: float,
        top_p: float,
    ) -> list[list[Sampled]]:
        prompts = [self.prompt_ids(problem) for problem in problems]
        rows = [
            (len(ids), number, place)
            for number, ids in enumerate(prompts)
            for place in range(len(seeds[number]))
        ]
        found: dict[tuple[int, int], Sampled] = {}
        room = self._recipe.sampling.max_tokens
        half = self._recipe.precision == "bf16"
        for batch in batches([(length + room, row) for length, *row in sorted(rows)], self._room):
            with torch.autocast(model.device.type, torch.bfloat16, half):  # as in the update
                drawn = generate(
                    model,
                    [prompts[number] for number, _ in batch],
                    [seeds[number][place] for number, place in batch],
                    temperature=temperature,
                    top_p=top_p,
                    max_new_tokens=room,
                    eos_ids=self._eos,
                    pad_id=self._pad,
                )
            found.update({(row[0], row[1]): one for row, one in zip(batch, drawn, strict=True)})
        return [
            [found[number, place] for place in range(len(own))] for number, own in enumerate(seeds)
        ]

    @property
    def _room(self) -> int:
        # Sampling keeps no activations: several times the tokens of a backward pass fit.
        return 4 * self._recipe.tokens_per_batch


def batches(rows: Sequence[tuple[int, Any]], tokens: int) -> Iterator[list[Any]]:
    """Split rows, ordered by length, into batches of at most so many padded tokens.

    Args:
        rows: (length, row); a row longer than ``tokens`` goes alone.
        tokens: Most tokens of a batch: its rows times its longest.
    """
    batch: list[Any] = []
    longest = 0
    for length, row in rows:
        if batch and max(longest, length) * (len(batch) + 1) > tokens:
            yield batch
            batch, longest = [], 0
        batch.append(row)
        longest = max(longest, length)
    if batch:
        yield batch


def seed_of(*parts: object) -> int:
    """A seed from what a completion is: the run's seed, step, problem and number."""
    text = ":".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def problems_of(problems: Sequence[Problem], step: int, per_step: int, seed: int) -> list[Problem]:
    """The problems of a step: each epoch goes through all of them in an order of its own."""
    per_step = min(per_step, len(problems))
    orders: dict[int, list[int]] = {}  # a step lies in one epoch, or in two
    chosen = []
    for number in range(step * per_step, (step + 1) * per_step):
        epoch, place = divmod(number, len(problems))
        if epoch not in orders:
            orders[epoch] = list(range(len(problems)))
            Random(f"{seed}:{epoch}").shuffle(orders[epoch])
        chosen.append(problems[orders[epoch][place]])
    return chosen


def roll_out(
    sampler: Sampler,
    model: Any,
    problems: Sequence[Problem],
    step: int,
    recipe: PlannerRecipe,
    reward: ScoreRollouts,
) -> list[list[Completion]]:
    """Sample and reward a step's completions; those of a problem together.

    Scores that are not valid take part in nothing; a group that has nothing to learn from has no
    completion that counts.
    """
    sampling: Sampling = recipe.sampling
    seeds = [
        [seed_of(recipe.seed, step, one.problem_id, g) for g in range(sampling.completions)]
        for one in problems
    ]
    drawn = sampler.draw(model, problems, seeds)
    rollouts = [
        [Rollout(problem, sampler.text(one), prefilled=sampling.prefill) for one in group]
        for problem, group in zip(problems, drawn, strict=True)
    ]
    scores = iter(reward([one for group in rollouts for one in group]))
    groups = []
    for problem, group, texts in zip(problems, drawn, rollouts, strict=True):
        scored = [next(scores) for _ in group]
        advantages = advantages_G([one.value for one in scored], recipe.loss.advantage)
        ids = sampler.prompt_ids(problem)
        groups.append(
            [
                Completion(
                    rollout=rollout,
                    prompt_ids=ids,
                    sampled=one,
                    score=score,
                    advantage=advantages[place] if advantages else 0.0,
                    counts=advantages is not None
                    and score.valid
                    and (one.finished or not recipe.loss.mask_truncated),
                )
                for place, (rollout, one, score) in enumerate(
                    zip(texts, group, scored, strict=True)
                )
            ]
        )
    return groups
