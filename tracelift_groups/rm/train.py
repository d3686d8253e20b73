"""Training a reward model: one loop on ``accelerate``, short enough to read.

``transformers.Trainer`` was left out: it takes a mean per micro-batch, while here a step's loss is
divided by the pairs of the whole step, over batches of uneven size and all processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import set_seed
from torch import nn

from tracelift_groups import __version__
from tracelift_groups.errors import GateError, UserError
from tracelift_groups.rm.assemble import assemble, merged, trained_names
from tracelift_groups.rm.backbone import weights_folder
from tracelift_groups.rm.batch import TokenGroup, collate, targets, to_device
from tracelift_groups.rm.checkpoint import (
    BEST,
    CHECKPOINT,
    NEW,
    OLD,
    Best,
    Checkpoints,
    Progress,
    clear,
    leave_out_frozen,
    load_best,
)
from tracelift_groups.rm.data import (
    TRAIN,
    VALIDATION,
    Encoded,
    encode_groups,
    read_split,
    source_files,
)
from tracelift_groups.rm.folder import MARKER, read_info, save_native
from tracelift_groups.rm.loss import Parts, loss_sums, weighted
from tracelift_groups.rm.optim import make_optimizer, set_rate
from tracelift_groups.rm.plan import Plan, Step
from tracelift_groups.rm.recipe import Recipe, dump_recipe
from tracelift_groups.rm.selfcheck import SelfCheck
from tracelift_groups.rm.text import Subject, TextEncoder, input_text
from tracelift_groups.rm.tokenizer import load_tokenizer, train_tokenizer
from tracelift_groups.rm.validate import Accuracy, validate

METRICS = "metrics.jsonl"


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


def train(
    source: Path,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = True,
    on_report: OnReport = lambda report: None,
) -> dict[str, Any]:
    """Train a reward model and write its native folder.

    Run by one process, or by several under ``accelerate launch``. A training that was interrupted
    goes on from its last checkpoint and ends with the very parameters it would have had.

    Args:
        source: A run folder or a file of groups.
        recipe: What to train, and how.
        out: The folder of the reward model; checkpoints and ``metrics.jsonl`` lie there too.
        resume: Go on with what ``out`` holds; otherwise start over.
        on_report: Called after each step, in the main process.

    Returns:
        What ``rm.json`` holds.

    Raises:
        UserError: No groups to train on, an architecture that cannot be packed, or an ``out``
            that holds something else.
        GateError: The loss or the gradient is not finite.
    """
    accelerator = _accelerator(recipe, out)
    set_seed(recipe.seed)
    fingerprint = _fingerprint(recipe, source)
    done = _prepare(accelerator, out, fingerprint, resume=resume)
    if done is not None:
        return done
    tokenizer = _tokenizer(recipe, source)
    encoder = TextEncoder(tokenizer, recipe.text.max_length, append_eos=recipe.text.eos == "append")
    data = _encode(source, TRAIN, encoder, recipe)
    held_out = _encode(source, VALIDATION, encoder, recipe)
    if not data.groups:
        raise UserError(
            f"no group to train on ({_why(data)})",
            where=str(source),
            way_out="raise text.max_length or change sample",
        )
    model = assemble(recipe, tokenizer)
    names = trained_names(model)
    check = None
    if recipe.batching == "trie":
        autocast = recipe.precision == "bf16"
        check = SelfCheck(
            model.to(accelerator.device), accelerator.device, autocast=autocast
        ).require(min(data.groups, key=lambda group: group.group_id).ids_G)
    loop = _Loop(accelerator, model, recipe, out, fingerprint, on_report, tokenizer.pad_token_id)
    best, seconds = loop.run(data.groups, held_out.groups, names)
    info = {
        "version": __version__,
        "fingerprint": fingerprint,
        "dimensions": {**held_out.dimensions, **data.dimensions},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "groups": {TRAIN: dict(data.counts), VALIDATION: dict(held_out.counts)},
        "steps": loop.steps,
        "best": best._asdict(),
        "self_check": check,
        "seconds": round(seconds, 1),
    }
    if accelerator.is_main_process:
        kept = merged(recipe, tokenizer, load_best(out), adapter_folder=out / "adapter")
        save_native(out, kept, tokenizer, recipe, info)
        clear(out)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return read_info(out)


class _Loop:
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
        log = _MetricsLog(self._out / METRICS, progress.step, accelerator)
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


_DATA_PARALLEL = (DistributedType.MULTI_GPU, DistributedType.MULTI_CPU)


class _MetricsLog:
    """``metrics.jsonl`` and the trackers; a resumed training cuts off what it will write again."""

    def __init__(self, path: Path, step: int, accelerator: Accelerator) -> None:
        self._path, self._accelerator = path, accelerator
        if accelerator.is_main_process:
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            kept = [line for line in lines[:step] if line.endswith("}")]
            path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, step: int, row: dict[str, float]) -> None:
        if self._accelerator.is_main_process:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **row}) + "\n")
        self._accelerator.log(row, step=step)


def _accelerator(recipe: Recipe, out: Path) -> Accelerator:
    accelerator = Accelerator(
        mixed_precision="bf16" if recipe.precision == "bf16" else "no",
        log_with=list(recipe.trackers) or None,
        project_dir=str(out),
    )
    if recipe.trackers:
        accelerator.init_trackers("tracelift-groups")
    return accelerator


def _prepare(
    accelerator: Accelerator, out: Path, fingerprint: str, *, resume: bool
) -> dict[str, Any] | None:
    """Make the folder; return what it holds where this very training is finished.

    Raises:
        UserError: It holds another reward model, or cannot be written.
    """
    done = None
    if (out / MARKER).is_file() and resume:
        done = read_info(out)
        if done.get("fingerprint") != fingerprint:
            raise UserError(
                "the folder holds a reward model trained with another recipe or other data",
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
            clear(out, MARKER, METRICS, CHECKPOINT, OLD, NEW, BEST)
    accelerator.wait_for_everyone()
    return done


def _tokenizer(recipe: Recipe, source: Path) -> Any:
    if recipe.backbone.scratch is None:
        assert recipe.backbone.pretrained is not None
        return load_tokenizer(weights_folder(recipe.backbone.pretrained, recipe.backbone.revision))
    texts = (
        input_text(Subject(group.problem, group.domain, group.tests), trace.text)
        for group in read_split(source, TRAIN)
        for trace in group.traces
    )
    return train_tokenizer(texts, recipe.backbone.scratch.vocabulary)


def _encode(source: Path, split: str, encoder: TextEncoder, recipe: Recipe) -> Encoded:
    sample = recipe.sample if split == TRAIN else None
    return encode_groups(read_split(source, split), encoder, tests=recipe.text.tests, sample=sample)


def _why(data: Encoded) -> str:
    left_out = [f"{count} {name}" for name, count in sorted(data.counts.items()) if count]
    return ", ".join(left_out) or "no group at all"


def _fingerprint(recipe: Recipe, source: Path) -> str:
    digest = hashlib.sha256(dump_recipe(recipe).encode())
    for path in source_files(source):
        if not path.is_file():
            raise UserError("no such file or run folder", where=str(path))
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _require_finite(loss: float, norm: float, step: int) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise GateError(
            f"step {step}: loss {loss:.3g}, gradient norm {norm:.3g} - not finite, stopped; "
            "the last checkpoint is kept: lower optim.lr or max_grad_norm, or set precision=fp32"
        )
