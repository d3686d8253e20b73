"""The pipeline, seed by seed: read, make a group or reject, journal, then write the run folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tracelift_groups import __version__, store
from tracelift_groups.assets import asset
from tracelift_groups.audit.probes import (
    TraceRow,
    bag_of_words_probes,
    length_probe,
    trace_rows,
)
from tracelift_groups.errors import UserError
from tracelift_groups.groups import make_group, reject
from tracelift_groups.perturb.code.runs import Sandbox, SandboxDown, sandbox_of
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.records import SCHEMA_VERSION, Rejected, Seed
from tracelift_groups.seeds import SeedSource
from tracelift_groups.splits import SPLITS, assign_splits, overlapping
from tracelift_groups.tables import write_groups
from tracelift_groups.workers import map_in_order

# The words probe holds its texts in memory and takes two seconds per thousand groups; beyond
# this many groups it looks at every n-th.
_PROBED_GROUPS = 1500


@dataclass(frozen=True)
class BuildOptions:
    """What a build does. Everything but ``workers`` and ``sandbox`` goes into its fingerprint."""

    source: SeedSource
    seed: int = 0
    workers: int = 1
    decontaminate: tuple[Path, ...] = ()
    sandbox: Sandbox = field(default_factory=Sandbox)
    """For code: where programs run. Not in the fingerprint: verdicts do not depend on it."""


class Progress(NamedTuple):
    """How far a build is. ``total`` counts the seeds that will be worked on."""

    done: int
    total: int
    groups: int
    rejected: int


def fingerprint(options: BuildOptions) -> dict[str, Any]:
    """Everything that the bytes of a run depend on, for resuming and for the manifest."""
    return {
        "version": __version__,
        "schema_version": SCHEMA_VERSION,
        "seed": options.seed,
        "source": options.source.options,
        "domain": options.source.domain,
        "engine": "rule",
        "reference": "gold",
        "rubric": "template",
        "inputs": [_hashed(path) for path in options.source.files],
        "decontaminate": [_hashed(path) for path in options.decontaminate],
        "templates": {
            path.stem: _sha256(path)
            for path in sorted(asset("perturbations", options.source.domain).glob("*.yaml"))
        },
    }


def _hashed(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build(
    options: BuildOptions,
    out: Path,
    *,
    resume: bool = True,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Build a run folder, or finish one that was interrupted.

    Args:
        options: What to build.
        out: The run folder.
        resume: Go on with what is there; False starts over.
        on_progress: Told after every batch of seeds.

    Returns:
        The manifest.

    Raises:
        UserError: The input has no usable row, or the folder belongs to another build.
    """
    mark = fingerprint(options)
    done = store.read_manifest(out) if resume else None
    if done is not None and done.get("build") == mark:
        return done
    if done is not None:
        raise _other_build(out)
    if options.source.domain == "code":
        sandbox_of(options.sandbox)  # now, and in one line, where programs cannot be isolated
    seeds, rejected = _screen(options)
    store.prepare(out, resume=resume)
    journal = store.Journal(out, mark)
    try:
        rejected += _work(seeds, journal, options, on_progress)
        manifest = _finish(out, journal, rejected, mark)
    finally:
        journal.close()
    journal.path.unlink()
    return manifest


def _other_build(out: Path) -> UserError:
    return UserError(
        "the folder holds a finished build with other inputs or options",
        where=str(out),
        way_out="use another --out, or --resume never to start over",
    )


def _screen(options: BuildOptions) -> tuple[list[Seed], list[Rejected]]:
    """Read all seeds; set malformed, duplicate and contaminated ones aside.

    Of seeds with the same problem the one with the smallest answer and reasoning is kept, so the
    outcome does not depend on their order.
    """
    kept: dict[str, Seed] = {}
    rejected: list[Rejected] = []
    for item in options.source:
        if isinstance(item, Rejected):
            rejected.append(item)
            continue
        other = kept.setdefault(item.seed_id, item)
        if other is not item:
            first, second = sorted((other, item), key=_content)
            kept[item.seed_id] = first
            detail = f"the same problem as {first.where}"
            rejected.append(reject(second, "duplicate_problem", detail))
    if not kept:
        where = options.source.path.name if options.source.path else options.source.name
        first_reason = f": {rejected[0].where}: {rejected[0].detail}" if rejected else ""
        raise UserError(
            f"no usable row{first_reason}",
            where=where,
            way_out="check the file and, for --source jsonl, --map",
        )
    seeds = list(kept.values())
    if options.decontaminate:
        found = overlapping([seed.problem for seed in seeds], options.decontaminate)
        for index, overlap in found.items():
            detail = f"near-duplicate of {overlap.where}: {overlap.problem[:120]}"
            rejected.append(reject(seeds[index], "contaminated", detail))
        seeds = [seed for index, seed in enumerate(seeds) if index not in found]
    return seeds, rejected


def _content(seed: Seed) -> tuple[str, ...]:
    content = (seed.answer, seed.reference_solution, seed.tests, seed.reasoning, seed.where)
    return tuple(part or "" for part in content)


def _work(
    seeds: list[Seed],
    journal: store.Journal,
    options: BuildOptions,
    on_progress: Callable[[Progress], None],
) -> list[Rejected]:
    """Make the groups that the journal does not hold yet."""
    todo = [seed for seed in seeds if seed.seed_id not in journal]
    work = partial(_make_lines, run_seed=options.seed, sandbox=options.sandbox)
    # A seed with programs to run takes a hundred times as long as one without.
    chunk = 16 if options.source.domain == "math" else 2
    try:
        for lines in map_in_order(work, todo, options.workers, chunk=chunk):
            journal.append(lines)
            count, bad = len(journal.offsets), len(journal.rejected_ids)
            on_progress(Progress(count, len(seeds), count - bad, bad))
    except SandboxDown as error:
        raise UserError(
            f"the sandbox failed, so that nothing is known of a program: {error}",
            where=str(journal.path.parent),
            way_out="give the same command again: it goes on where it stopped",
        ) from error
    return list(journal.rejections())


def _make_lines(seeds: list[Seed], run_seed: int, sandbox: Sandbox) -> list[str]:
    """What a worker does: seeds to journal lines."""
    return [store.journal_line(seed.seed_id, make_group(seed, run_seed, sandbox)) for seed in seeds]


def _finish(
    out: Path, journal: store.Journal, rejected: list[Rejected], mark: dict[str, Any]
) -> dict[str, Any]:
    """Write Parquet, rejections, card and, last, the manifest."""
    from tracelift_groups.card import render_card

    ids = journal.group_ids()
    split, probes = _survey(journal, ids, mark["seed"])
    folder = out / store.GROUPS
    folder.mkdir(exist_ok=True)
    counts = _Counts()
    for name in SPLITS:
        part = folder / f"{name}.parquet.part"
        members = journal.groups([one for one in ids if split[one] == name])
        rows = (counts.counted({**group, "split": name}) for group in members)
        write_groups(str(part), rows, dimensions_of(mark["domain"]))
        part.replace(folder / f"{name}.parquet")
    ordered = sorted(rejected, key=lambda one: (one.seed_id or "", one.where, one.reason))
    lines = "".join(f"{one.model_dump_json()}\n" for one in ordered)
    store.write_atomically(out / store.REJECTED, lines)
    manifest = {
        "build": mark,
        "counts": {
            "seeds_read": len(ids) + len(rejected),
            "groups": len(ids),
            "rejected": len(rejected),
            "by_rejection_reason": dict(sorted(Counter(r.reason for r in rejected).items())),
            **counts.summary(),
        },
        "probes": probes,
        **({"sandbox": sandbox_of().isolation} if mark["domain"] == "code" else {}),
        "spent": {"model_calls": 0, "tokens": 0, "usd": 0.0},
    }
    store.write_atomically(out / store.CARD, render_card(manifest))
    store.write_atomically(out / store.MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return manifest


def _survey(
    journal: store.Journal, ids: list[str], run_seed: int
) -> tuple[dict[str, str], dict[str, Any]]:
    """Assign the splits and measure the shortcut probes (of a large run, on a fixed sample)."""
    every = -(-len(ids) // _PROBED_GROUPS) or 1
    problems: list[tuple[str, str]] = []
    rows: list[TraceRow] = []
    for number, group in enumerate(journal.groups(ids)):
        problems.append((group["group_id"], group["problem"]))
        if number % every == 0:
            rows += [row._replace(group=number // every) for row in trace_rows([group])]
    words = bag_of_words_probes(rows)
    probes = {
        "groups": len({row.group for row in rows}),
        "length": length_probe(rows)._asdict(),
        "bag_of_words": words.words._asdict(),
        "bag_of_words_and_signs": words.words_and_signs._asdict(),
    }
    return assign_splits(problems, run_seed), probes


class _Counts:
    """Tallies over the groups of a run."""

    def __init__(self) -> None:
        self.by: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("split", "role", "kind", "groups_with_kind", "operator", "severity")
        }

    def counted(self, group: dict[str, Any]) -> dict[str, Any]:
        """Count a dumped group and give it back."""
        self.by["split"][group["split"]] += 1
        self.by["groups_with_kind"].update({t["kind"] for t in group["traces"] if t["kind"]})
        for trace in group["traces"]:
            self.by["role"][trace["role"]] += 1
            if certificate := trace["certificate"]:
                self.by["kind"][certificate["kind"]] += 1
                self.by["operator"][f"{trace['kind']}/{certificate['operator']}"] += 1
                self.by["severity"][certificate["severity"]] += 1
        return group

    def summary(self) -> dict[str, dict[str, int]]:
        return {
            name if name == "groups_with_kind" else f"by_{name}": dict(sorted(counter.items()))
            for name, counter in self.by.items()
        }
