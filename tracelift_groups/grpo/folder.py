"""The folder of a planner that is being trained: whose it is, and what a resumed training keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.local import digest_of
from tracelift_groups.grpo.planner import ADAPTER, MARKER, planner_folder
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.prompts import prompt_source
from tracelift_groups.recipes import dump_recipe
from tracelift_groups.rm.checkpoint import clear
from tracelift_groups.rm.loop import METRICS
from tracelift_groups.store import read_json, write_atomically

SAMPLES = "samples.jsonl"
RECIPE = "recipe.yaml"


def prepare(
    accelerator: Accelerator, out: Path, fingerprint: str, *, resume: bool
) -> dict[str, Any] | None:
    """Make the folder; return what it holds where this very training is finished.

    Raises:
        UserError: It holds another planner, or cannot be written.
    """
    done = read_json(out / MARKER) if resume else None
    if done is not None and done.get("fingerprint") != fingerprint:
        raise UserError(
            "the folder holds a planner trained with another recipe or other data",
            where=str(out),
            way_out="use another -o, or --resume never to start over",
        )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process and done is None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write here ({error.strerror})", where=str(out)) from error
        if not resume:
            clear(out, MARKER, METRICS, SAMPLES, ADAPTER)
            clear(out)
    accelerator.wait_for_everyone()
    return done


def fingerprint_of(
    problems: Sequence[Problem], recipe: PlannerRecipe, about: Mapping[str, str]
) -> str:
    """Tell this training from others by everything that its outcome depends on."""
    digest = hashlib.sha256(dump_recipe(recipe).encode())
    for name in (recipe.prompt, recipe.reward.executor_prompt):
        digest.update(prompt_source(name).encode())
    digest.update(digest_of(planner_folder(recipe)).encode())
    digest.update(json.dumps(dict(about), sort_keys=True).encode())
    for one in problems:
        row = [one.problem_id, one.text, one.answer, one.tests]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:16]


def log_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; none where there is no file."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def cut_samples(path: Path, step: int, accelerator: Accelerator) -> None:
    """Remove what a resumed training will write again."""
    if accelerator.is_main_process and path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_atomically(path, "".join(f"{line}\n" for line in kept))
