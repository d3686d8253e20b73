"""The learning proof: does the executor-grounded reward make a planner better, and in which way?

    OMP_NUM_THREADS=1 python -m tests.benchmarks.learn.run OUT [--steps 120] [--seeds 3]

One stage after the other, each skipped where its outcome lies in OUT already: problems and their
groups, a base model, from it the frozen executor, the starting planner and the reward model, GRPO
in each mode with each seed on an equal budget, what came of it, and the table. ``--until`` stops
after a stage; ``--modes`` and ``--only-seed`` train a part, so that several processes can share the
work once the models are there. ``--size gpu`` is the larger setting.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.benchmarks.learn import lm, table, world
from tests.benchmarks.learn.lessons import (
    EXECUTOR,
    HERE,
    PLANNER,
    base_lessons,
    executor_lessons,
    planner_lessons,
)
from tests.benchmarks.learn.measure import executor_on_traces, measure
from tracelift_groups.store import write_atomically
from tracelift_groups.tables import write_groups

MODES = ("exec_only", "tracelift", "no_uplift", "uplift_only")
STAGES = ("world", "models", "rm", "grpo", "table")
FLAWED = 0.6
"""Share of flawed traces among what the starting planner is taught."""


class Size(NamedTuple):
    """How large everything is.

    Attributes:
        problems: To train on, and held out.
        rm_groups: Groups that the reward model is trained on.
        shape: Of the models.
        base: Training of the base model.
        executor: Training of the executor, from the base model.
        planner: Training of the starting planner, from the base model.
        device: Where it runs.
    """

    problems: tuple[int, int]
    rm_groups: int
    shape: lm.Shape
    base: lm.Training
    executor: lm.Training
    planner: lm.Training
    device: str = "cpu"


SIZES = {
    "cpu": Size(
        problems=(9000, 480),
        rm_groups=3000,
        shape=lm.Shape(hidden=160, layers=3, heads=4, vocabulary=800),
        base=lm.Training(steps=3200, batch=32, lr=3e-3),
        executor=lm.Training(steps=800, batch=32, lr=1e-3),
        planner=lm.Training(steps=500, batch=32, lr=1e-3),
    ),
    "gpu": Size(
        problems=(9000, 480),
        rm_groups=9000,
        shape=lm.Shape(hidden=384, layers=6, heads=6, vocabulary=800),
        base=lm.Training(steps=12_000, batch=128, lr=1e-3),
        executor=lm.Training(steps=2000, batch=128, lr=3e-4),
        planner=lm.Training(steps=1500, batch=128, lr=3e-4),
        device="cuda",
    ),
}


def make_world(out: Path, size: Size, workers: int) -> None:
    """Problems and their groups."""
    if not (out / "train.jsonl").exists() or not (out / "held_out.jsonl").exists():
        world.make_seeds(out, *size.problems)
    for name in ("held_out", "train"):
        if not (out / f"{name}.parquet").exists():
            seeds, run = out / f"{name}.jsonl", out / f"run_{name}"
            world.make_groups(seeds, run, out / f"{name}.parquet", workers)


def make_models(out: Path, size: Size) -> None:
    """The base model, and from it executor and starting planner."""
    groups = world.read_world(out / "train.parquet")
    if not _is_there(out / "base"):
        texts = [one.problem for one in groups[:3000]]
        texts += [trace.text for one in groups[:2000] for trace in one.traces]
        tokenizer = lm.make_tokenizer(texts, size.shape.vocabulary)
        model = lm.make_model(tokenizer, size.shape, size.base.seed)
        lessons = list(base_lessons(groups, 0))
        _teach(out / "base", model, tokenizer, lessons, size.base, size.device)
    if not _is_there(out / "executor"):
        model, tokenizer = _base(out)
        lessons = list(executor_lessons(groups))
        _teach(out / "executor", model, tokenizer, lessons, size.executor, size.device)
    if not _is_there(out / "planner"):
        model, tokenizer = _base(out)
        lessons = list(planner_lessons(groups, FLAWED, 0))
        _teach(out / "planner", model, tokenizer, lessons, size.planner, size.device)


def _base(out: Path) -> tuple[Any, Any]:
    folder = out / "base"
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def _is_there(folder: Path) -> bool:
    return (folder / "config.json").exists()


def _teach(
    folder: Path,
    model: Any,
    tokenizer: Any,
    lessons: Sequence[lm.Lesson],
    training: lm.Training,
    device: str,
) -> None:
    """Train a model and write its folder, whole or not at all."""
    print(f"{folder.name}: {len(lessons)} lessons, {training}", flush=True)
    recent: list[float] = []

    def on_step(step: int, loss: float) -> None:
        recent.append(loss)
        if step % 200 == 0:
            print(f"  {folder.name} step {step}: loss {sum(recent[-100:]) / 100:.3f}", flush=True)

    seconds = lm.train(model, tokenizer, lessons, training, device=device, on_step=on_step)
    written = folder.with_name(f"{folder.name}.new")
    lm.save(model, tokenizer, written)
    written.replace(folder)
    print(f"  {folder.name}: {seconds:.0f} s", flush=True)


def make_rm(out: Path, size: Size) -> None:
    """The reward model, from the base model, on groups of the same world."""
    if (out / "rm" / "rm.json").exists():
        return
    groups = world.read_world(out / "train.parquet")[: size.rm_groups]
    dimensions = tuple(groups[0].reference.rubric.labels)
    write_groups(str(out / "rm.parquet"), (one.model_dump() for one in groups), dimensions)
    backbone = f"backbone.pretrained={out / 'base'}"
    _tlg("train-rm", out / "rm.parquet", backbone, "--recipe", HERE / "rm.yaml", "-o", out / "rm")
    _tlg("eval-rm", out / "rm", "--on", out / "held_out.parquet", "-o", out / "rm-report")


def train_planner(out: Path, mode: str, seed: int, steps: int) -> None:
    """One GRPO run."""
    _tlg(
        "train-planner",
        *("--groups", out / "train.parquet", "--planner", out / "planner"),
        *("--executor", f"local:{out / 'executor'}", "--rm", out / "rm"),
        *("--recipe", HERE / "grpo.yaml", "--mode", mode, "-o", planner_folder(out, mode, seed)),
        *(f"prompt={PLANNER}", f"reward.executor_prompt={EXECUTOR}"),
        *(f"steps={steps}", f"seed={seed}"),
    )


def planner_folder(out: Path, mode: str, seed: int) -> Path:
    """Where a trained planner lies."""
    return out / "grpo" / f"{mode}-{seed}"


def _tlg(*arguments: object) -> None:
    command = [sys.executable, "-m", "tracelift_groups", *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def report(out: Path, modes: Sequence[str], seeds: int) -> str:
    """Measure all planners and write the tables."""
    parts = []
    for temperature, title in ((1.0, "Sampled at temperature 1"), (0.0, "Most likely reasoning")):
        measured = table.Measured(
            start=measure(out, "start", out / "planner", temperature),
            gold=measure(out, "gold", None),
            by_mode={
                mode: [
                    measure(out, f"{mode}-{seed}", planner_folder(out, mode, seed), temperature)
                    for seed in range(seeds)
                ]
                for mode in modes
            },
        )
        parts += [f"**{title}**", table.mode_table(measured)]
        if "exec_only" in modes:
            parts.append(table.pair_table(measured, "exec_only"))
        parts.append(table.verdict_table(measured))
    traces = executor_on_traces(out)
    parts.append(
        "Executor right by kind of trace, %: "
        + ", ".join(f"{name} {100 * right / count:.1f}" for name, (right, count) in traces.items())
    )
    seconds = {
        f"{mode}-{seed}": json.loads(
            (planner_folder(out, mode, seed) / "planner.json").read_text(encoding="utf-8")
        )["seconds"]
        for mode in modes
        for seed in range(seeds)
    }
    parts.append(f"Seconds of GRPO: {seconds}")
    return "\n\n".join(parts)


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, default="cpu")
    parser.add_argument("--steps", type=int, default=120, help="of each GRPO run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only-seed", type=int, help="train this seed alone")
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--workers", type=int, default=1, help="of tlg build")
    parser.add_argument("--until", choices=STAGES, default="table", help="stop after this stage")
    given = parser.parse_args()
    torch.set_num_threads(1)
    size, out = SIZES[given.size], given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    last = STAGES.index(given.until)
    make_world(out, size, given.workers)
    if last >= STAGES.index("models"):
        make_models(out, size)
    if last >= STAGES.index("rm"):
        make_rm(out, size)
    if last >= STAGES.index("grpo"):
        seeds = range(given.seeds) if given.only_seed is None else [given.only_seed]
        for seed in seeds:
            for mode in given.modes:
                train_planner(out, mode, seed, given.steps)
    if last >= STAGES.index("table"):
        text = report(out, given.modes, given.seeds)
        write_atomically(out / "table.md", f"{text}\n")
        print(text)


if __name__ == "__main__":
    main()
