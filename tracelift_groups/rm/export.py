"""Writes a reward model for others to load, and believes nothing until it has been read back.

A folder is written beside its place, reloaded from there and asked to score a few texts: one by
one, in batches, padded on either side. Only when every score agrees with the source's, within
1e-5 in fp32, does it move to its place; otherwise nothing is left behind.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from tracelift_groups.errors import GateError, UserError
from tracelift_groups.rm.classifier import (
    classifier_logits,
    save_classifier,
    self_ending,
    with_padding_of_its_own,
)
from tracelift_groups.rm.device import device_named
from tracelift_groups.rm.export_card import card
from tracelift_groups.rm.folder import Native, save_native
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.loading import load_any
from tracelift_groups.rm.published import save_published
from tracelift_groups.rm.score import Scorer
from tracelift_groups.rm.text import Subject, TextEncoder, input_text
from tracelift_groups.store import write_atomically

Flavour = Literal["native", "sequence-classification", "published"]
TOLERANCE = 1e-5
BATCH = 8

_STEPS = [
    "Each of the 4 boxes has 12 pens, so there are 4 * 12 = 48 pens.",
    "She gives away a third of them: 48 / 3 = 16.",
    "That leaves 48 - 16 = 32 pens, which she sells for $1.50 each.",
    "So she earns 32 * 1.5 = $48.",
]
_PLAN = "Sort the intervals by their end; keep one whenever it starts after the last one kept."
PROBES = [
    *(Item("Mia has 4 boxes of 12 pens.", "\n".join(_STEPS[:n])) for n in range(1, 5)),
    Item("Mia has 4 boxes of 12 pens.", "\n".join(reversed(_STEPS))),
    Item("What is 7 % of 300?", "7 / 100 * 300 = 21"),
    Item("What is 7 % of 300?", "300 − 7 = 293, i.e. “seven off”."),
    Item("Pick the most intervals.", _PLAN, "code"),
    Item("Pick the most intervals.", f"{_PLAN} This is O(n log n).", "code"),
    Item("Pick the most intervals.", "Try all subsets.", "code"),
]
"""Texts of different lengths in both domains, some with a common beginning."""


class Difference(NamedTuple):
    """The largest difference from the source's scores, of one way of scoring."""

    way: str
    difference: float


class Exported(NamedTuple):
    """What an export wrote."""

    folder: Path
    flavour: Flavour
    differences: tuple[Difference, ...]


def export(source: Path, out: Path, flavour: Flavour, *, device: str = "cpu") -> Exported:
    """Write a reward model in a flavour and check what was written.

    Args:
        source: A folder in any layout; a classifier can only be written as one.
        out: The folder to make.
        flavour: native, sequence-classification or published.
        device: Where the scores are compared.

    Raises:
        UserError: No reward model, one that the flavour cannot hold, or ``out`` exists.
        GateError: What was written scores differently; nothing is left behind.
    """
    if out.exists():
        raise UserError("exists already", where=str(out), way_out="use another -o")
    if not out.parent.is_dir():
        raise UserError("no such folder", where=str(out.parent), way_out="make it first")
    device_named(device)
    expected = _expected(source, flavour, device)
    partial = out.with_name(out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        native = load_any(source)
        _write(partial, native, flavour)
        text = card(native, flavour, name=out.name)
        write_atomically(partial / "README.md", text)
        del native  # before the copy is loaded: a large model fits once
        differences = tuple(
            Difference(way, _largest(values, expected))
            for way, values in _ways(partial, flavour, device)
        )
        worst = max(differences, key=lambda one: one.difference)
        if not worst.difference <= TOLERANCE:  # NaN is no agreement
            raise GateError(
                f"{source}: exported as {flavour}, scores differ by {worst.difference:.2g} "
                f"({worst.way}), more than {TOLERANCE:g}; nothing was kept"
            )
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(out, flavour, differences)


def _write(folder: Path, native: Native, flavour: Flavour) -> None:
    if flavour == "native":
        info = {name: value for name, value in native.info.items() if name != "format"}
        save_native(folder, native.model, native.tokenizer, native.recipe, info)
    elif flavour == "published":
        dimensions = native.info["dimensions"]
        names = dimensions.get("math") or next(iter(dimensions.values()))
        save_published(folder, native.model, self_ending(native), names)
    else:
        tokenizer = with_padding_of_its_own(self_ending(native))
        save_classifier(folder, native.model, tokenizer)


def _expected(source: Path, flavour: Flavour, device: str) -> list[float]:
    native = load_any(source, dtype=torch.float32)
    if not native.model.dimension_heads and flavour != "sequence-classification":
        raise UserError(
            f"a sequence classifier has no rubric heads, and {flavour} needs them",
            where=str(source),
            way_out="export from the model that it was made of",
        )
    scorer = Scorer(native, torch.device(device))
    scores = scorer.score(PROBES)
    if scorer.truncated:
        raise UserError(
            f"reads {scorer.recipe.text.max_length} tokens, too few for the check's texts",
            where=str(source),
        )
    return [_value(one.score, one.logit, flavour) for one in scores]


def _value(score: float, logit: float, flavour: Flavour) -> float:
    return logit if flavour == "sequence-classification" else score


def _ways(folder: Path, flavour: Flavour, device: str) -> Iterator[tuple[str, list[float]]]:
    """Every way of scoring the probes with what was written, by name."""
    if flavour == "sequence-classification":
        texts = _texts()
        for batch, side in ((1, "right"), (BATCH, "right"), (BATCH, "left")):
            way = f"batch {batch}, padded {side}"
            yield way, classifier_logits(folder, texts, batch=batch, side=side, device=device)
    scorer = Scorer(load_any(folder, dtype=torch.float32), torch.device(device))
    if flavour == "sequence-classification":
        yield "read back here", [one.logit for one in scorer.score(PROBES)]
        return
    yield "one by one", [scorer.score([item])[0].score for item in PROBES]
    yield "together", [one.score for one in scorer.score(PROBES)]
    for side in ("right", "left"):
        yield f"batch {BATCH}, padded {side}", _padded(scorer, side)


def _texts() -> list[str]:
    return [input_text(Subject(one.problem, one.domain), one.reasoning) for one in PROBES]


@torch.inference_mode()
def _padded(scorer: Scorer, side: str) -> list[float]:
    text = scorer.recipe.text
    encoder = TextEncoder(scorer.tokenizer, text.max_length, append_eos=text.eos == "append")
    rows = encoder.encode(_texts())
    pad = scorer.tokenizer.pad_token_id
    scores: list[float] = []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        width = max(map(len, some))
        ids, mask = zip(*(_pad(row, width, pad, side) for row in some), strict=True)
        output: Any = scorer.model(
            input_ids=torch.tensor(ids, device=scorer.device),
            attention_mask=torch.tensor(mask, device=scorer.device),
        )
        scores += output.score_S.tolist()
    return scores


def _pad(row: list[int], width: int, pad: int, side: str) -> tuple[list[int], list[int]]:
    empty = width - len(row)
    ids, mask = [pad] * empty, [0] * empty
    ones = [1] * len(row)
    return (ids + row, mask + ones) if side == "left" else (row + ids, ones + mask)


def _largest(found: list[float], expected: list[float]) -> float:
    """Largest difference; of logits beyond one relative to the largest, as fp32's noise is."""
    scale = max(1.0, *map(abs, expected))
    return max(abs(a - b) for a, b in zip(found, expected, strict=True)) / scale
