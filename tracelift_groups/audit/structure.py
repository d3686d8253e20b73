"""What is wrong with a set of groups whatever its texts say: duplicates, leaks, overlap, labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tracelift_groups.perturb.checks import recheck
from tracelift_groups.records import Group
from tracelift_groups.splits import near_duplicates, overlapping

_SHOWN = 5


class Finding(NamedTuple):
    """One structural check.

    Attributes:
        name: ``duplicate_texts``, ``duplicate_problems``, ``split_leakage``, ``evaluation_overlap``
            or ``certificates``.
        found: How often it was found.
        checked: Of how many.
        examples: The first few, for people.
    """

    name: str
    found: int
    checked: int
    examples: list[str]


def duplicate_texts(groups: Sequence[Group]) -> Finding:
    """Groups that hold one text as sound and as flawed, or twice."""
    found = []
    for group in groups:
        labels: dict[str, list[str]] = defaultdict(list)
        for trace in group.traces:
            labels[" ".join(trace.text.split())].append(trace.trace_id)
        found += [" and ".join(names) for names in labels.values() if len(names) > 1]
    traces = sum(len(group.traces) for group in groups)
    return Finding("duplicate_texts", len(found), traces, found[:_SHOWN])


def duplicate_problems(groups: Sequence[Group]) -> Finding:
    """Groups with the same problem. Other responses to one problem are variants, not duplicates."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group in groups:
        names[" ".join(group.problem.split()), group.reference.text].append(group.group_id)
    found = [" and ".join(several) for several in names.values() if len(several) > 1]
    return Finding("duplicate_problems", len(found), len(groups), found[:_SHOWN])


def split_leakage(groups: Sequence[Group]) -> Finding:
    """Pairs of near-duplicate problems in different splits."""
    by_split: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        if group.split is not None:
            by_split[group.split].append(group)
    found: list[str] = []
    names = sorted(by_split)
    for place, one in enumerate(names):
        for two in names[place + 1 :]:
            pairs = near_duplicates(
                [group.problem for group in by_split[two]],
                [group.problem for group in by_split[one]],
            )
            found += [
                f"{by_split[one][b].group_id} ({one}) and {by_split[two][a].group_id} ({two})"
                for a, b in sorted(pairs)
            ]
    return Finding("split_leakage", len(found), len(groups), found[:_SHOWN])


def evaluation_overlap(groups: Sequence[Group], files: Sequence[Path]) -> Finding:
    """Problems that repeat one of the evaluation files."""
    found = overlapping([group.problem for group in groups], files)
    shown = [f"{groups[n].group_id} and {one.where}" for n, one in sorted(found.items())]
    return Finding("evaluation_overlap", len(found), len(groups), shown[:_SHOWN])


def certificates(groups: Sequence[Group], sample: int | None, seed: int) -> Finding:
    """Certificates that the texts do not give again.

    Args:
        groups: The groups; those without certificates are passed over.
        sample: How many to check, drawn at random; None for all.
        seed: Of the draw.
    """
    certified = [group for group in groups if any(t.certificate for t in group.traces)]
    if sample is not None and sample < len(certified):
        certified = Random(f"{seed}:recheck").sample(certified, sample)
    found = [line for group in certified for line in recheck(group)]
    return Finding("certificates", len(found), len(certified), found[:_SHOWN])


def balance(groups: Sequence[Group]) -> dict[str, Any]:
    """How labels are spread: for reading, without a limit."""
    traces = [trace for group in groups for trace in group.traces]
    sound = [trace for trace in traces if trace.sound]
    flawed = [trace for trace in traces if not trace.sound]
    return {
        "groups": len(groups),
        "sound": len(sound),
        "flawed": len(flawed),
        "kinds": dict(sorted(Counter(str(trace.kind) for trace in flawed).items())),
        "mean_total_sound": _mean([trace.rubric.total for trace in sound]),
        "mean_total_flawed": _mean([trace.rubric.total for trace in flawed]),
        "splits": dict(sorted(Counter(str(group.split) for group in groups).items())),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
