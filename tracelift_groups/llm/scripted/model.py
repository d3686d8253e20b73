"""The scripted model: a reply for each prompt of the model engine, and for any other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Usage
from tracelift_groups.llm.scripted import references, rewordings, verdicts
from tracelift_groups.llm.scripted.chance import chance, rng_of
from tracelift_groups.llm.scripted.flaws import flaw
from tracelift_groups.llm.scripted.reading import Asked, read_prompt
from tracelift_groups.llm.scripted.schema import smallest
from tracelift_groups.records import Seed

# Replies that no check must let through. High enough that a few dozen problems meet every sort,
# low enough that three attempts nearly always bring a good one (0.15 ** 3 = 0.3 %).
BAD_SHARE = 0.15
# Of the pairs that would be judged badly only so many are: a judge is asked once.
_BAD_PAIRS = 1 / 3

# What models put around the JSON they are asked for, where no schema holds them to it.
_AROUND = (
    "{}",
    "```json\n{}\n```",
    "Here is the JSON object that you asked for:\n\n{}",
    "<think>\nWhat is asked for is {{}}.\n</think>\n\n```\n{}\n```\n\nTell me what else you need.",
)


class ScriptedModel:
    """Replies by rule: the same to the same request, and to another sample perhaps another.

    A reply depends on the model's name, the prompt, the sample and the schema alone.

    Args:
        seeds: Problems besides the bundled ones whose solution the model knows: JSONL (``.gz``
            too) or Parquet, in GSM8K's layout or any that ``--source jsonl`` reads.
        bad_share: Share of replies that are bad on purpose: wrong solutions, texts that were not
            changed, remarks on the flaw and the like. 0 gives good ones only.
        known: More problems whose solution it knows.

    Raises:
        UserError: The file of seeds cannot be read.
    """

    def __init__(
        self, seeds: Path | None = None, bad_share: float = BAD_SHARE, known: Iterable[Seed] = ()
    ) -> None:
        self._seeds = references.known_seeds(seeds)
        self._seeds |= {references.key_of(seed.problem): seed for seed in known}
        self._bad_share = bad_share

    def answer(self, request: Request) -> Answer:
        """Reply to a request as an endpoint would: a text beyond ``max_tokens`` is cut off."""
        text = self.text(request)
        usage = Usage(tokens(request.prompt), min(tokens(text), request.max_tokens))
        if tokens(text) > request.max_tokens:
            return Failed("truncated", f"cut off at {request.max_tokens} tokens", usage)
        return Reply(text, usage)

    def text(self, request: Request) -> str:
        """The whole reply, however long."""
        drawn = (request.model, request.prompt, request.sample)
        asked = read_prompt(request.prompt)
        if asked is None:
            if request.schema is None:
                return "This model replies by rule, and it has no rule for what you ask."
            return json.dumps(smallest(request.schema.body), ensure_ascii=False)
        bad = chance("bad", *drawn) < self._bad_share * (_BAD_PAIRS if asked.stage == "pair" else 1)
        text = json.dumps(self._reply(asked, bad, rng_of("reply", *drawn)), ensure_ascii=False)
        if request.schema is not None:
            return text
        return rng_of("around", *drawn).choice(_AROUND).format(text)

    def _reply(self, asked: Asked, bad: bool, rng: Random) -> dict[str, Any]:
        seed = self._seeds.get(references.key_of(asked.problem))
        if asked.stage == "reference":
            return references.solution(asked, seed, bad, rng)
        if asked.stage == "twin":
            twin = _reworded(asked, seed, rng)
            return {
                "reasoning": rewordings.badly_reworded(asked.texts[0], twin, rng) if bad else twin
            }
        if asked.stage == "perturb":
            return flaw(asked, bad, rng)
        if asked.stage == "pair":
            return verdicts.comparison(asked, seed, bad)
        return verdicts.scores(asked, seed, bad, rng)


def _reworded(asked: Asked, seed: Seed | None, rng: Random) -> str:
    text = asked.texts[0]
    if asked.domain == "code":
        program = seed.reference_solution if seed else None
        return rewordings.reworded_plan(text, program, asked.manner, rng)
    return rewordings.reworded_sum(asked.problem, text, asked.manner, rng)


def tokens(text: str) -> int:
    """How many tokens a text counts for: one for every four characters begun."""
    return -(-len(text) // 4)
