"""Groups for training: from a run folder or a file to tokens, with a count of what was left out."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tracelift_groups.errors import UserError
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.records import Domain, Group, Trace
from tracelift_groups.rm.batch import TokenGroup
from tracelift_groups.rm.model import DIMENSIONS
from tracelift_groups.rm.recipe import Sample
from tracelift_groups.rm.text import Subject, TextEncoder
from tracelift_groups.splits import VALIDATION_SHARE
from tracelift_groups.store import run_files
from tracelift_groups.tables import read_groups

TRAIN, VALIDATION = "train", "validation"


@dataclass
class Encoded:
    """Tokenised groups, and what did not become one, by reason."""

    groups: list[TokenGroup] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """``groups``, ``traces``, and: ``traces_too_long``, ``traces_alike`` (a flawed trace whose
    tokens are a sound one's), ``groups_too_small`` and ``tests_shortened``."""
    dimensions: dict[str, list[str]] = field(default_factory=dict)
    """Names of the five rubric dimensions, by domain, in the order of the heads."""


def read_split(source: Path, split: str) -> Iterator[Group]:
    """Yield the groups of a split, one at a time.

    Args:
        source: A run folder; a Parquet file of groups; or JSONL in the published layout.
        split: ``train`` or ``validation``. Groups of a file that names no split are dealt by a
            hash of their problem: one in ten is validation, whatever else the file holds.

    Raises:
        UserError: Nothing there that holds groups.
    """
    if source.is_dir():
        files = run_files(source)
        if split in files:
            yield from read_groups(str(files[split]))
        return
    for group in groups_of(source):
        if (group.split or _dealt(group.problem)) == split:
            yield group


def without_kinds(groups: Iterable[Group], kinds: Collection[str]) -> Iterator[Group]:
    """Yield the groups without their flaws of some kinds."""
    for group in groups:
        kept = tuple(trace for trace in group.traces if trace.kind not in kinds)
        yield group.model_copy(update={"traces": kept})


def source_files(source: Path) -> list[Path]:
    """The files that hold the groups of a run folder or file."""
    return list(run_files(source).values()) if source.is_dir() else [source]


def encode_groups(
    groups: Iterable[Group], encoder: TextEncoder, *, tests: bool = True, sample: Sample | None
) -> Encoded:
    """Tokenise groups; leave out, and count, what cannot be trained on.

    A trace that does not fit is dropped rather than cut: where the flaw is cut off, a flawed
    trace would be the reference under another label.

    Raises:
        UserError: A group whose rubric has not five dimensions.
    """
    encoded = Encoded()
    wanted = sample or Sample(sound=1, flawed=1)
    for group in groups:
        subject = Subject(group.problem, group.domain, group.tests if tests else None)
        fitted = encoder.fit(subject, [trace.text for trace in group.traces])
        encoded.counts["tests_shortened"] += fitted.tests_cut
        pairs = list(zip(group.traces, fitted.ids, strict=True))
        sound = {tuple(ids) for trace, ids in pairs if trace.sound and ids is not None}
        kept: list[tuple[Trace, list[int]]] = []
        for trace, ids in pairs:
            if ids is None:
                encoded.counts["traces_too_long"] += 1
            elif not trace.sound and tuple(ids) in sound:
                encoded.counts["traces_alike"] += 1
            else:
                kept.append((trace, ids))
        right = sum(trace.sound for trace, _ in kept)
        if right < wanted.sound or len(kept) - right < wanted.flawed:
            encoded.counts["groups_too_small"] += 1
            continue
        names = _dimensions(group)
        encoded.dimensions.setdefault(group.domain, list(names))
        encoded.groups.append(_token_group(group, kept, names))
        encoded.counts["groups"] += 1
        encoded.counts["traces"] += len(kept)
    return encoded


def _token_group(
    group: Group, kept: list[tuple[Trace, list[int]]], names: tuple[str, ...]
) -> TokenGroup:
    return TokenGroup(
        group_id=group.group_id,
        ids_G=tuple(array("i", ids) for _, ids in kept),  # an eighth of a list's memory
        labels_GD=tuple(tuple(trace.rubric.labels[n] for n in names) for trace, _ in kept),
        total_G=tuple(trace.rubric.total for trace, _ in kept),
        sound_G=tuple(trace.sound for trace, _ in kept),
    )


def _dimensions(group: Group) -> tuple[str, ...]:
    """The rubric's dimensions in the order of the heads.

    A Parquet file with both domains stores their shared dimension once, so a row's own order is
    not to be relied on.
    """
    labels = group.reference.rubric.labels
    usual = _usual_dimensions(group.domain)
    names = usual if set(labels) == set(usual) else tuple(labels)
    odd = next((t for t in group.traces if set(t.rubric.labels) != set(names)), None)
    if len(names) != DIMENSIONS or odd is not None:
        raise UserError(
            f"the rubric of {odd.trace_id if odd else group.group_id} has not the {DIMENSIONS} "
            "dimensions of its group",
            where=group.group_id,
        )
    return names


@cache
def _usual_dimensions(domain: Domain) -> tuple[str, ...]:
    return dimensions_of(domain)


def _dealt(problem: str) -> str:
    draw = hashlib.sha256(f"split:{' '.join(problem.split())}".encode()).digest()
    held_out = int.from_bytes(draw[:8], "big") / 2**64 < VALIDATION_SHARE
    return VALIDATION if held_out else TRAIN
