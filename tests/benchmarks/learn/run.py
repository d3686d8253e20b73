"""The learning proof: does the executor-grounded reward make a planner better, and in which way?

python -m tests.benchmarks.learn.run OUT [--seeds 3] [--steps 60]

One stage after the other, each skipped where its outcome lies there already: problems and groups,
a base model, the frozen executor and the starting planner made from it, the reward model, GRPO in
each mode with each seed on an equal budget, and the table. One CPU core takes about an hour and a
half with the defaults.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.benchmarks.learn import lm, world
from tests.benchmarks.learn.lessons import (
    EXECUTOR,
    PLANNER,
    base_lessons,
    executor_lessons,
    planner_lessons,
)
from tests.benchmarks.learn.soundness import soundness
from tracelift_groups.grpo.benchmarks import Benchmark
from tracelift_groups.grpo.evaluate import Outcome, Protocol, run_benchmark
from tracelift_groups.grpo.executor import Executor
from tracelift_groups.grpo.models import ModelChoice
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.records import Group
from tracelift_groups.rm.metrics import Wins, ratio
from tracelift_groups.store import write_atomically
from tracelift_groups.tables import write_groups

MODES = ("exec_only", "tracelift", "no_uplift", "uplift_only")
SHAPE = lm.Shape(hidden=160, layers=3, heads=4, vocabulary=800)
BASE = lm.Training(steps=3200, batch=32, lr=3e-3)
EXECUTOR_TRAINING = lm.Training(steps=800, batch=32, lr=1e-3)
PLANNER_TRAINING = lm.Training(steps=500, batch=32, lr=1e-3)
FLAWED = 0.6
"""Share of flawed traces among what the starting planner is taught."""
RM_GROUPS = 3000
MAX_TOKENS = 120
EXECUTOR_SETTINGS = RewardSettings(temperature=0.0, max_tokens_math=8, executor_prompt=EXECUTOR)


def make_world(out: Path, train: int, held_out: int, workers: int) -> None:
    """Problems and their groups."""
    if not (out / "train.parquet").exists():
        world.make_seeds(out, train, held_out)
        for name in ("held_out", "train"):
            world.make_groups(
                out / f"{name}.jsonl", out / f"run_{name}", out / f"{name}.parquet", workers
            )


def make_models(out: Path) -> None:
    """The base model, and from it executor and starting planner."""
    groups = world.read_world(out / "train.parquet")
    if not (out / "base" / "config.json").exists():
        texts = [one.problem for one in groups[:3000]]
        texts += [trace.text for one in groups[:2000] for trace in one.traces]
        tokenizer = lm.make_tokenizer(texts, SHAPE.vocabulary)
        model = lm.make_model(tokenizer, SHAPE, BASE.seed)
        _teach(out, "base", model, tokenizer, list(base_lessons(groups, 0)), BASE)
    for name, training in (("executor", EXECUTOR_TRAINING), ("planner", PLANNER_TRAINING)):
        if (out / name / "config.json").exists():
            continue
        model = AutoModelForCausalLM.from_pretrained(out / "base")
        tokenizer = AutoTokenizer.from_pretrained(out / "base")
        lessons = (
            executor_lessons(groups) if name == "executor" else planner_lessons(groups, FLAWED, 0)
        )
        _teach(out, name, model, tokenizer, list(lessons), training)


def _teach(
    out: Path, name: str, model: Any, tokenizer: Any, lessons: list[Any], training: lm.Training
) -> None:
    print(f"{name}: {len(lessons)} lessons, {training}", flush=True)
    recent: list[float] = []

    def on_step(step: int, loss: float) -> None:
        recent.append(loss)
        if step % 200 == 0:
            print(f"  {name} step {step}: loss {sum(recent[-100:]) / 100:.3f}", flush=True)

    seconds = lm.train(model, tokenizer, lessons, training, on_step=on_step)
    lm.save(model, tokenizer, out / name)
    print(f"  {name}: {seconds:.0f} s", flush=True)


def make_rm(out: Path) -> None:
    """The reward model, from the base model, on groups of the same generator."""
    if (out / "rm" / "rm.json").exists():
        return
    groups = world.read_world(out / "train.parquet")[:RM_GROUPS]
    names = tuple(groups[0].reference.rubric.labels)
    write_groups(str(out / "rm.parquet"), (one.model_dump() for one in groups), names)
    recipe = out / "rm.yaml"
    recipe.write_text(
        f"backbone: {{pretrained: {out / 'base'}}}\n"
        "text: {max_length: 512, eos: append}\n"
        "batching: trie\n"
        "tokens_per_batch: 8192\n"
        "optim: {lr: 5.0e-4, head_lr: 2.0e-3, epochs: 2, groups_per_step: 8, warmup: 0.05}\n"
    )
    _tlg("train-rm", out / "rm.parquet", "--recipe", recipe, "-o", out / "rm")
    _tlg("eval-rm", out / "rm", "--on", out / "held_out.parquet", "-o", out / "rm-report")


def train_planner(out: Path, mode: str, seed: int, steps: int) -> Path:
    """One GRPO run."""
    folder = out / "grpo" / f"{mode}-{seed}"
    recipe = out / "planner.yaml"
    recipe.write_text(
        f"prompt: {PLANNER}\n"
        f"steps: {steps}\n"
        "problems_per_step: 8\n"
        f"sampling: {{completions: 8, temperature: 1.0, max_tokens: {MAX_TOKENS}}}\n"
        "reward: {repeats: 2, baseline_repeats: 4, temperature: 0.5, max_tokens_math: 8,"
        f" executor_prompt: {EXECUTOR}}}\n"
        "optim: {lr: 3.0e-4, warmup: 0.05}\n"
        "checkpoint_every: 20\n"
    )
    _tlg(
        "train-planner",
        *("--groups", out / "train.parquet", "--planner", out / "planner"),
        *("--executor", f"local:{out / 'executor'}", "--rm", out / "rm"),
        *("--recipe", recipe, "--mode", mode, f"seed={seed}", "-o", folder),
    )
    return folder


def _tlg(*arguments: object) -> None:
    command = [sys.executable, "-m", "tracelift_groups", *map(str, arguments)]
    subprocess.run(command, check=True)


def measure(out: Path, name: str, planner: Path | None) -> dict[str, Any]:
    """The executor's success on held-out problems, and how much of the reasoning is sound.

    Args:
        out: The proof's folder.
        name: For the file that keeps the outcome.
        planner: Whose most likely reasoning is used; None for the gold references.
    """
    kept = out / "measured" / f"{name}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    groups = world.read_world(out / "held_out.parquet")
    problems = [Problem.of(one) for one in groups]
    if planner is None:
        texts: list[str | None] = [one.reference.text for one in groups]
        outcomes = asyncio.run(_with_texts(out, problems, [one or "" for one in texts]))
    else:
        outcomes = asyncio.run(_with_planner(out, problems, planner))
        texts = [one.reasoning.text if one.reasoning else None for one in outcomes]
    row = {
        "success": [one.with_it for one in outcomes],
        "without": [one.without for one in outcomes],
        "sound": [
            soundness(group, text).outcome if text else "unreadable"
            for group, text in zip(groups, texts, strict=True)
        ],
        "length": [len(text or "") for text in texts],
        "rm": _rm_scores(out, groups, texts),
    }
    kept.parent.mkdir(exist_ok=True)
    write_atomically(kept, json.dumps(row))
    return row


async def _with_planner(out: Path, problems: list[Problem], planner: Path) -> list[Outcome]:
    protocol = Protocol(prompt=PLANNER, max_tokens_math=MAX_TOKENS)
    benchmark = Benchmark("held_out", "run", problems, Counter())
    async with (
        ModelChoice(f"local:{planner}").open() as writes,
        ModelChoice(f"local:{out / 'executor'}").open() as works,
    ):
        with Verifier() as verifier:
            runner = Executor(works, verifier, EXECUTOR_SETTINGS)
            return await run_benchmark(benchmark, writes, runner, protocol, width=len(problems))


async def _with_texts(out: Path, problems: list[Problem], texts: list[str]) -> list[Outcome]:
    async with ModelChoice(f"local:{out / 'executor'}").open() as works:
        with Verifier() as verifier:
            runner = Executor(works, verifier, EXECUTOR_SETTINGS)

            async def one(problem: Problem, text: str) -> Outcome:
                with_it, without = await asyncio.gather(
                    runner.run(problem, text, 1), runner.run(problem, None, 1)
                )
                assert with_it.passed is not None and without.passed is not None
                return Outcome(problem, None, float(with_it.passed[0]), float(without.passed[0]))

            return list(await asyncio.gather(*map(one, problems, texts)))


def _rm_scores(out: Path, groups: Sequence[Group], texts: Sequence[str | None]) -> list[float]:
    from tracelift_groups.rm.item import Item
    from tracelift_groups.rm.score import Scorer

    scorer = Scorer.load(out / "rm", device="cpu")
    items = [Item(group.problem, text or " ") for group, text in zip(groups, texts, strict=True)]
    return [one.score for one in scorer.score(items)]


def table(out: Path, seeds: int) -> str:
    """The modes side by side; intervals are 95 % bootstrap intervals over problems."""
    start = measure(out, "start", out / "planner")
    gold = measure(out, "gold", None)
    rows: dict[str, Any] = {
        "no reasoning": ([start["without"]], None),
        "starting planner": (None, [start]),
    }
    rows |= {
        mode: (
            None,
            [measure(out, f"{mode}-{s}", out / "grpo" / f"{mode}-{s}") for s in range(seeds)],
        )
        for mode in MODES
    }
    rows["gold reference"] = (None, [gold])
    lines = [
        "| | executor's success, % | change against the start | seeds | sound, % | "
        "RM score | characters |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (alone, runs) in rows.items():
        if runs is None:
            assert alone is not None
            lines.append(f"| {name} | {_percent(alone)} | | | | | |")
            continue
        success = [run["success"] for run in runs]
        change = ""
        if name in MODES:
            each = [np.array(one) - np.array(start["success"]) for one in success]
            change = _percent(each, signed=True)
        by_seed = ", ".join(f"{100 * np.mean(one):.1f}" for one in success) if len(runs) > 1 else ""
        sound = [[float(one == "sound") for one in run["sound"]] for run in runs]
        lines.append(
            f"| {name} | {_percent(success)} | {change} | {by_seed} | {_percent(sound)} | "
            f"{np.mean([run['rm'] for run in runs]):.3f} | "
            f"{np.mean([run['length'] for run in runs]):.0f} |"
        )
    return "\n".join(lines)


def _percent(values: Any, *, signed: bool = False) -> str:
    """The mean over seeds and problems, with an interval over problems."""
    by_problem = np.array(values, dtype=np.float64).mean(0)
    found = ratio(Wins(by_problem, np.ones(len(by_problem))), np.arange(len(by_problem)))
    form = "{:+.1f} ({:+.1f} {:+.1f})" if signed else "{:.1f} ({:.1f} {:.1f})"
    return form.format(*(100 * one for one in found))


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=9000)
    parser.add_argument("--held-out", type=int, default=480)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--until", choices=["models", "rm", "grpo"], help="stop after this stage")
    given = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(0)
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    make_world(out, given.train, given.held_out, given.workers)
    make_models(out)
    if given.until == "models":
        return
    make_rm(out)
    if given.until == "rm":
        return
    for seed in range(given.seeds):
        for mode in given.modes:
            train_planner(out, mode, seed, given.steps)
    if given.until == "grpo":
        return
    text = table(out, given.seeds)
    write_atomically(out / "table.md", f"{text}\n")
    print(text)


if __name__ == "__main__":
    main()
