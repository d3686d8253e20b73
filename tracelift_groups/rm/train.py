"""Training a reward model: one loop on ``accelerate``, short enough to read.

``transformers.Trainer`` was left out: it takes a mean per micro-batch, while here a step's loss is
divided by the pairs of the whole step, over batches of uneven size and all processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import set_seed

from tracelift_groups import __version__
from tracelift_groups.errors import UserError
from tracelift_groups.recipes import dump_recipe
from tracelift_groups.records import Group
from tracelift_groups.rm.assemble import assemble, merged, trained_names
from tracelift_groups.rm.backbone import weights_folder
from tracelift_groups.rm.checkpoint import BEST, CHECKPOINT, NEW, OLD, clear, load_best
from tracelift_groups.rm.data import (
    TRAIN,
    VALIDATION,
    Encoded,
    encode_groups,
    read_split,
    source_files,
    without_kinds,
)
from tracelift_groups.rm.folder import MARKER, read_info, save_native
from tracelift_groups.rm.loop import METRICS, Loop, OnReport
from tracelift_groups.rm.recipe import Recipe
from tracelift_groups.rm.selfcheck import SelfCheck
from tracelift_groups.rm.text import Subject, TextEncoder, input_text
from tracelift_groups.rm.tokenizer import load_tokenizer, train_tokenizer


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
    _refuse_unknown_kinds(source, recipe)
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
    parameters = sum(parameter.numel() for parameter in model.parameters())
    check = None
    if recipe.batching == "trie":
        autocast = recipe.precision == "bf16"
        check = SelfCheck(
            model.to(accelerator.device), accelerator.device, autocast=autocast
        ).require(min(data.groups, key=lambda group: group.group_id).ids_G)
    loop = Loop(accelerator, model, recipe, out, fingerprint, on_report, tokenizer.pad_token_id)
    best, seconds = loop.run(data.groups, held_out.groups, names)
    info = {
        "version": __version__,
        "fingerprint": fingerprint,
        "dimensions": {**held_out.dimensions, **data.dimensions},
        "parameters": parameters,
        "groups": {TRAIN: dict(data.counts), VALIDATION: dict(held_out.counts)},
        "steps": loop.steps,
        "processes": accelerator.num_processes,
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


def _accelerator(recipe: Recipe, out: Path) -> Accelerator:
    accelerator = Accelerator(
        mixed_precision="bf16" if recipe.precision == "bf16" else "no",
        log_with=list(recipe.trackers) or None,
        project_dir=str(out),
    )
    if accelerator.state.deepspeed_plugin is not None:
        from transformers.integrations import deepspeed

        forget: Any = deepspeed.unset_hf_deepspeed_config
        # Weights are loaded whole and sharded by prepare: the self-check needs them whole, and so
        # does the main process alone when it merges adapters at the end.
        forget()
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
        for group in _read(source, TRAIN, recipe)
        for trace in group.traces
    )
    return train_tokenizer(texts, recipe.backbone.scratch.vocabulary)


def _encode(source: Path, split: str, encoder: TextEncoder, recipe: Recipe) -> Encoded:
    sample = recipe.sample if split == TRAIN else None
    groups = _read(source, split, recipe)
    return encode_groups(groups, encoder, tests=recipe.text.tests, sample=sample)


def _read(source: Path, split: str, recipe: Recipe) -> Iterator[Group]:
    return without_kinds(read_split(source, split), recipe.without_kinds)


def _refuse_unknown_kinds(source: Path, recipe: Recipe) -> None:
    if not recipe.without_kinds:
        return
    found = {trace.kind for group in read_split(source, TRAIN) for trace in group.traces} - {None}
    unknown = sorted(set(recipe.without_kinds) - found)
    if unknown:
        raise UserError(
            f"without_kinds: no flaw of kind {', '.join(unknown)}",
            where=str(source),
            way_out=f"there are {', '.join(sorted(map(str, found)))}",
        )


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
