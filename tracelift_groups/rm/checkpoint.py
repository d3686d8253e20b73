"""Checkpoints of a training: the last one to go on from, and the best weights so far.

``checkpoint/`` holds accelerate's state (weights, optimizer, random states) and, written last,
``progress.json``; it replaces the one before only when it is complete. ``best.safetensors`` holds
the trained weights of the best evaluation, whatever the processes and their sharding.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import Accelerator, DistributedType
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tracelift_groups.errors import UserError
from tracelift_groups.store import write_atomically

CHECKPOINT, OLD, NEW = "checkpoint", "checkpoint.old", "checkpoint.new"
BEST = "best.safetensors"
PROGRESS = "progress.json"
_SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)


class Best(NamedTuple):
    """The evaluation whose weights are kept."""

    step: int
    group_accuracy: float | None
    pair_accuracy: float | None


class Progress(NamedTuple):
    """Where a training stands."""

    step: int
    """Optimizer steps done."""
    best: Best | None


class Checkpoints:
    """The checkpoints in a training's folder.

    Args:
        accelerator: Prepared with the model and optimizer.
        folder: The training's folder.
        fingerprint: Of recipe and data: another training's checkpoint is refused.
    """

    def __init__(self, accelerator: Accelerator, folder: Path, fingerprint: str) -> None:
        self._accelerator, self._folder, self._fingerprint = accelerator, folder, fingerprint

    def save(self, progress: Progress) -> None:
        """Write a checkpoint and put it in the place of the one before."""
        accelerator = self._accelerator
        new = self._folder / NEW
        if accelerator.is_main_process:
            shutil.rmtree(new, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(new))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            state = {"fingerprint": self._fingerprint, **progress._asdict()}
            write_atomically(new / PROGRESS, json.dumps(state))
            current, old = self._folder / CHECKPOINT, self._folder / OLD
            shutil.rmtree(old, ignore_errors=True)
            if current.is_dir():
                current.rename(old)
            new.rename(current)
            shutil.rmtree(old, ignore_errors=True)
        accelerator.wait_for_everyone()

    def restore(self) -> Progress | None:
        """Load the last complete checkpoint, or return None where there is none.

        Raises:
            UserError: It belongs to another training.
        """
        found = find_progress(self._folder)
        if found is None:
            return None
        place, state = found
        if state["fingerprint"] != self._fingerprint:
            raise UserError(
                "the folder holds an unfinished training with another recipe or other data",
                where=str(self._folder),
                way_out="use another -o, or --resume never to start over",
            )
        # Frozen weights were left out, see leave_out_frozen; sharded ones are whole.
        sharded = self._accelerator.distributed_type in _SHARDED
        self._accelerator.load_state(str(place), **({} if sharded else {"strict": False}))
        best = state["best"]
        return Progress(state["step"], Best(*best) if best else None)

    def save_best(self, model: nn.Module, names: list[str]) -> None:
        """Write the trained weights."""
        state = self._accelerator.get_state_dict(model)
        if self._accelerator.is_main_process:
            trained = {name: state[name].detach().cpu().contiguous() for name in names}
            temporary = self._folder / f"{BEST}.part"
            save_file(trained, temporary)
            temporary.replace(self._folder / BEST)


def find_progress(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The last complete checkpoint of a folder and what it says, or None."""
    for name in (CHECKPOINT, OLD):  # a crash between the two renames leaves the old one only
        path = folder / name / PROGRESS
        if path.is_file():
            return path.parent, json.loads(path.read_text(encoding="utf-8"))
    return None


def load_best(folder: Path) -> dict[str, Tensor]:
    """Read the trained weights of the best evaluation."""
    return load_file(folder / BEST)


def clear(folder: Path, *names: str) -> None:
    """Remove checkpoints, or the other things named, from a training's folder."""
    for name in names or (CHECKPOINT, OLD, NEW, BEST):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def leave_out_frozen(models: list[nn.Module], weights: list[dict[str, Any]], _: str) -> None:
    """Hook of accelerate: with adapters, a checkpoint need not repeat the backbone's weights."""
    for model, state in zip(models, weights, strict=False):
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                state.pop(name, None)
