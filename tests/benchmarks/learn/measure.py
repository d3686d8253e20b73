"""A planner on held-out problems: what the executor makes of its reasoning, and is that sound."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.learn import world
from tests.benchmarks.learn.lessons import EXECUTOR, PLANNER
from tracelift_groups.grpo.benchmarks import Benchmark
from tracelift_groups.grpo.evaluate import Outcome, Protocol, run_benchmark
from tracelift_groups.grpo.executor import Executor
from tracelift_groups.grpo.models import ModelChoice
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.perturb.math.checks import parsed
from tracelift_groups.perturb.math.soundness import soundness
from tracelift_groups.perturb.math.trace import Problem as Quantities
from tracelift_groups.records import Group
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.score import Scorer
from tracelift_groups.store import write_atomically

MAX_TOKENS = 120
# Greedy: what is measured is the planner, and a repeat of the executor would say nothing new.
_SETTINGS = RewardSettings(temperature=0.0, max_tokens_math=8, executor_prompt=EXECUTOR)


def measure(out: Path, name: str, planner: Path | None, temperature: float = 0.0) -> dict[str, Any]:
    """Measure one planner, or read what was measured before.

    Args:
        out: The proof's folder.
        name: Of the file that keeps the outcome.
        planner: Who writes the reasoning; None for the gold references.
        temperature: Of the planner; 0 takes its most likely reasoning, 1 is what GRPO samples.

    Returns:
        Lists over the held-out problems: ``success`` and ``without`` (of the executor, with the
        reasoning and alone), ``verdict`` (``sound``, ``unsound:why`` or ``unreadable:why``),
        ``length`` in characters, ``rm`` (None where there is no reasoning), ``text``.
    """
    kept = out / "measured" / f"{name}-{temperature:g}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    groups = world.read_world(out / "held_out.parquet")
    if planner is None:
        texts = [one.reference.text for one in groups]
        outcomes = asyncio.run(_with_texts(out, groups, texts))
    else:
        outcomes = asyncio.run(_with_planner(out, groups, planner, temperature))
        texts = [one.reasoning.text if one.reasoning else "" for one in outcomes]
    row = {
        "success": [one.with_it for one in outcomes],
        "without": [one.without for one in outcomes],
        "verdict": [_verdict(group, text) for group, text in zip(groups, texts, strict=True)],
        "length": [len(text) for text in texts],
        "rm": _rm_scores(out, groups, texts),
        "text": texts,
    }
    kept.parent.mkdir(exist_ok=True)
    write_atomically(kept, json.dumps(row, ensure_ascii=False))
    return row


def _verdict(group: Group, text: str) -> str:
    found = soundness(parsed(group.reference, Quantities(group.problem)), text)
    return f"{found.outcome}:{found.reason}".rstrip(":")


async def _with_planner(
    out: Path, groups: Sequence[Group], planner: Path, temperature: float
) -> list[Outcome]:
    protocol = Protocol(temperature=temperature, prompt=PLANNER, max_tokens_math=MAX_TOKENS)
    problems = [Problem.of(one) for one in groups]
    benchmark = Benchmark("held_out", "run", problems, Counter())
    async with (
        ModelChoice(f"local:{planner}").open() as writes,
        ModelChoice(f"local:{out / 'executor'}").open() as works,
    ):
        with Verifier() as verifier:
            runner = Executor(works, verifier, _SETTINGS)
            return await run_benchmark(benchmark, writes, runner, protocol, width=len(problems))


async def _with_texts(out: Path, groups: Sequence[Group], texts: Sequence[str]) -> list[Outcome]:
    async with ModelChoice(f"local:{out / 'executor'}").open() as works:
        with Verifier() as verifier:
            runner = Executor(works, verifier, _SETTINGS)

            async def one(group: Group, text: str) -> Outcome:
                problem = Problem.of(group)
                with_it, without = await asyncio.gather(
                    runner.run(problem, text, 1), runner.run(problem, None, 1)
                )
                assert with_it.passed is not None and without.passed is not None
                return Outcome(problem, None, float(with_it.passed[0]), float(without.passed[0]))

            return list(await asyncio.gather(*map(one, groups, texts)))


def _rm_scores(out: Path, groups: Sequence[Group], texts: Sequence[str]) -> list[float | None]:
    if not (out / "rm").exists():
        return [None] * len(texts)
    scorer = Scorer.load(out / "rm", device="cpu")
    written = [number for number, text in enumerate(texts) if text]
    scores = scorer.score([Item(groups[number].problem, texts[number]) for number in written])
    by_number = dict(zip(written, scores, strict=True))
    return [by_number[n].score if n in by_number else None for n in range(len(texts))]


def executor_on_traces(out: Path) -> dict[str, tuple[int, int]]:
    """How often the executor is right with each kind of held-out trace: (right, all)."""
    kept = out / "measured" / "traces.json"
    if not kept.exists():
        groups = world.read_world(out / "held_out.parquet")
        pairs = [(group, trace) for group in groups for trace in group.traces]
        outcomes = asyncio.run(
            _with_texts(out, [one for one, _ in pairs], [trace.text for _, trace in pairs])
        )
        counts: dict[str, list[int]] = {}
        for (_, trace), outcome in zip(pairs, outcomes, strict=True):
            entry = counts.setdefault(trace.kind or trace.role, [0, 0])
            entry[0] += outcome.with_it == 1.0
            entry[1] += 1
        kept.parent.mkdir(exist_ok=True)
        write_atomically(kept, json.dumps(counts))
    return {name: (a, b) for name, (a, b) in json.loads(kept.read_text("utf-8")).items()}
