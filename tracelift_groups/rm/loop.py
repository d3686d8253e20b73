"""The optimizer steps of a training: loss over the whole step, evaluation, checkpoints, log."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator, DistributedType
from torch import nn

from tracelift_groups.errors import GateError
from tracelift_groups.rm.batch import TokenGroup, collate, targets, to_device
from tracelift_groups.rm.checkpoint import Best, Checkpoints, Progress, leave_out_frozen
from tracelift_groups.rm.loss import Parts, loss_sums, weighted
from tracelift_groups.rm.optim import make_optimizer, set_rate
from tracelift_groups.rm.plan import Plan, Step
from tracelift_groups.rm.recipe import Recipe
from tracelift_groups.rm.validate import Accuracy, validate
from tracelift_groups.store import write_atomically

METRICS = "metrics.jsonl"
_DATA_PARALLEL = (DistributedType.MULTI_GPU, DistributedType.MULTI_CPU)


class Report(NamedTuple):
    """What a training says of itself after every optimizer step."""

    step: int
    """Steps done."""
    steps: int
    epoch: int
    loss: float
    groups_per_s: float
    """Since this process started to train."""
    accuracy: Accuracy | None
    """Of the last evaluation."""


OnReport = Callable[[Report], None]


class Loop:
    """The optimizer steps, with what they need."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        recipe: Recipe,
        out: Path,
        fingerprint: str,
        on_report: OnReport,
        pad_id: int,
    ) -> None:
        self._accelerator, self._recipe, self._out = accelerator, recipe, out
        self._on_report, self._pad_id = on_report, pad_id
        if accelerator.state.deepspeed_plugin is not None:
            # DeepSpeed asks for it; our batches have uneven sizes and divide the loss themselves.
            accelerator.state.deepspeed_plugin.deepspeed_config[
                "train_micro_batch_size_per_gpu"
            ] = 1
        if recipe.lora is not None:
            accelerator.register_save_state_pre_hook(leave_out_frozen)
        optimizer = make_optimizer(model, recipe.optim)
        self._model, self._optimizer = accelerator.prepare(model, optimizer)
        self._checkpoints = Checkpoints(accelerator, out, fingerprint)
        self.steps = 0

    def run(
        self, groups: Sequence[TokenGroup], held_out: Sequence[TokenGroup], names: list[str]
    ) -> tuple[Best, float]:
        """Train to the end; return the best evaluation and the seconds it took this time."""
        accelerator, recipe = self._accelerator, self._recipe
        plan = Plan(groups, recipe, accelerator.process_index, accelerator.num_processes)
        self.steps = plan.steps
        every = recipe.evaluate_every or plan.steps_per_epoch
        progress = self._checkpoints.restore() or Progress(0, None)
        best, accuracy = progress.best, None
        log = MetricsLog(self._out / METRICS, progress.step, accelerator)
        started, seen = time.monotonic(), 0
        self._model.train()
        for number in range(progress.step, plan.steps):
            step = plan.step(number)
            rate = set_rate(self._optimizer, number, plan.steps, recipe.optim)
            means, norm = self._optimize(step)
            loss = float(weighted(means, recipe.loss))
            _require_finite(loss, norm, number + 1)
            seen += step.groups
            speed = seen / (time.monotonic() - started)
            row = {
                "loss": loss,
                **{f"loss_{name}": float(value) for name, value in means._asdict().items()},
                "lr": rate,
                "grad_norm": norm,
                "groups_per_s": speed,
            }
            if (number + 1) % every == 0 or number + 1 == plan.steps:
                if held_out:
                    accuracy = validate(accelerator, self._model, held_out, recipe, self._pad_id)
                    row |= {"group_accuracy": accuracy.group, "pair_accuracy": accuracy.pair}
                if best is None or accuracy is None or accuracy > (best[1], best[2]):
                    best = Best(number + 1, *(accuracy or (None, None)))
                    self._checkpoints.save_best(self._model, names)
                self._checkpoints.save(Progress(number + 1, best))
            log.write(number + 1, row)
            epoch = number // plan.steps_per_epoch + 1
            if accelerator.is_main_process:
                self._on_report(Report(number + 1, plan.steps, epoch, loss, speed, accuracy))
        assert best is not None
        return best, time.monotonic() - started

    def _optimize(self, step: Step) -> tuple[Parts, float]:
        """One optimizer step; return the means of the loss's parts and the gradient's norm."""
        accelerator, loss = self._accelerator, self._recipe.loss
        device = accelerator.device
        counts = Parts(*(count.to(device) for count in step.counts))
        sums = Parts(*torch.zeros(4, device=device))
        for number, batch in enumerate(step.batches):
            last = number == len(step.batches) - 1
            accelerator.gradient_state._set_sync_gradients(last)
            # Sharded trainings would hold whole gradients without synchronisation.
            plain = accelerator.distributed_type in _DATA_PARALLEL
            quiet = plain and not last
            with accelerator.no_sync(self._model) if quiet else contextlib.nullcontext():
                inputs = collate(
                    [group.ids_G for group in batch], self._recipe.batching, self._pad_id
                )
                output = self._model(**to_device(inputs, device))
                part = loss_sums(output, targets(batch).to(device), loss)
                share = 1.0 if number < step.counted else 0.0
                # Gradients are averaged over processes; the counts are those of all of them.
                scale = share * accelerator.num_processes
                accelerator.backward(scale * weighted(part.over(counts), loss))
            sums = sums + Parts(*(share * value.detach() for value in part))
        clipped = accelerator.clip_grad_norm_(
            self._model.parameters(), self._recipe.optim.max_grad_norm
        )
        norm = float(clipped) if clipped is not None else 0.0
        total = accelerator.reduce(torch.stack(list(sums)), "sum")
        assert isinstance(total, torch.Tensor)
        means = Parts(*total).over(counts)
        if math.isfinite(norm):
            self._optimizer.step()
        self._optimizer.zero_grad()
        return means, norm


class MetricsLog:
    """``metrics.jsonl`` and the trackers; a resumed training cuts off what it will write again."""

    def __init__(self, path: Path, step: int, accelerator: Accelerator) -> None:
        self._path, self._accelerator = path, accelerator
        if accelerator.is_main_process:
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            kept = [line for line in lines[:step] if line.endswith("}")]
            write_atomically(path, "".join(f"{line}\n" for line in kept))

    def write(self, step: int, row: dict[str, float]) -> None:
        """Add a step's line, in the main process."""
        if self._accelerator.is_main_process:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **row}) + "\n")
        self._accelerator.log(row, step=step)


def _require_finite(loss: float, norm: float, step: int) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise GateError(
            f"step {step}: loss {loss:.3g}, gradient norm {norm:.3g} - not finite, stopped; "
            "the last checkpoint is kept: lower optim.lr or max_grad_norm, or set precision=fp32"
        )
