"""What each trace of a run is worth to a frozen executor, and which kinds of flaw really hurt."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tracelift_groups import store
from tracelift_groups.card import render_card
from tracelift_groups.grpo.executor import Executor, Runs
from tracelift_groups.grpo.formulas import share
from tracelift_groups.grpo.models import ModelChoice, repeats_differ
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.records import Group, Trace, Uplift
from tracelift_groups.rm.metrics import Estimate, Wins, ratio
from tracelift_groups.tables import read_groups, write_groups

OnDone = Callable[[int, int], None]


class Measured(NamedTuple):
    """One trace's runs beside those of its parent, for the table."""

    group: int
    row: str
    """``reference``, ``twin`` or the kind."""
    uplift: Uplift
    parent: Uplift | None


@dataclass
class Outcome:
    """What was measured in a run.

    Attributes:
        executor: The executor's name.
        groups: Groups measured.
        measured: Traces that got an uplift.
        unknown: Traces that got none, by reason.
        samples: Whether the executor's repeats differ; None where that is not known.
        table: One row for the reference, the twins and each kind (:func:`table_of`).
    """

    executor: str
    samples: bool | None = None
    groups: int = 0
    measured: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    table: list[dict[str, Any]] = field(default_factory=list)

    def summary(self, settings: RewardSettings) -> dict[str, Any]:
        """What the manifest and the card say of it."""
        return {
            "executor": self.executor,
            "temperature": settings.temperature,
            "repeats": settings.repeats,
            "baseline_repeats": settings.baseline_repeats,
            "repeats_differ": self.samples,
            "groups": self.groups,
            "measured": self.measured,
            "unknown": dict(sorted(self.unknown.items())),
            "table": self.table,
        }


def measure_run(
    run: Path,
    choice: ModelChoice,
    settings: RewardSettings,
    *,
    limit: int | None = None,
    verifier: Verifier | None = None,
    on_done: OnDone = lambda done, total: None,
) -> dict[str, Any]:
    """Measure every trace of a finished run and write ``uplift`` into its traces.

    The executor's replies are kept in the run folder, so an interrupted measurement goes on where
    it was, and another one of the same kind asks nothing. Files are replaced whole at the end.

    Args:
        run: A run folder.
        choice: The executor.
        settings: Repeats, temperature, limits and prompt; the mode does not matter.
        limit: Groups to measure, of each split, from the first; the others keep what they have.
        verifier: By default one of its own.
        on_done: Told how many groups are done, and of how many.

    Returns:
        What the manifest then holds under ``uplift``.

    Raises:
        UserError: No finished run, or an executor that cannot be asked.
    """
    files = store.run_files(run)
    manifest = store.read_manifest(run)
    assert manifest is not None  # run_files has looked
    splits = {name: list(read_groups(str(path))) for name, path in files.items()}
    chosen = [group for groups in splits.values() for group in groups[:limit]]
    judge = verifier or Verifier()
    try:
        outcome, measured = asyncio.run(
            _measure(chosen, choice, settings, run / store.REQUESTS, judge, on_done)
        )
    finally:
        if verifier is None:
            judge.close()
    for name, path in files.items():
        part = path.with_name(path.name + ".part")
        groups = (measured.get(group.group_id, group).model_dump() for group in splits[name])
        write_groups(str(part), groups, dimensions_of(manifest["build"]["domain"]))
        part.replace(path)
    manifest["uplift"] = outcome.summary(settings)
    store.write_atomically(run / store.CARD, render_card(manifest))
    store.write_atomically(run / store.MANIFEST, json.dumps(manifest, indent=2) + "\n")
    summary: dict[str, Any] = manifest["uplift"]
    return summary


async def _measure(
    groups: Sequence[Group],
    choice: ModelChoice,
    settings: RewardSettings,
    cache: Path,
    verifier: Verifier,
    on_done: OnDone,
) -> tuple[Outcome, dict[str, Group]]:
    model = choice.open(cache)
    try:
        outcome = Outcome(model.name, samples=await repeats_differ(model, settings.temperature))
        executor = Executor(model, verifier, settings)
        measured: dict[str, Group] = {}
        waiting = iter(groups)

        async def work() -> None:
            for group in waiting:
                measured[group.group_id] = await _measure_group(group, executor, outcome)
                outcome.groups += 1
                on_done(outcome.groups, len(groups))

        # A group has about nine traces: enough groups to keep every place at the endpoint taken.
        width = max(4, choice.concurrency // 8)
        workers = [asyncio.create_task(work()) for _ in range(width)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
    finally:
        await model.close()
    outcome.table = table_of(measured[group.group_id] for group in groups)
    return outcome, measured


async def _measure_group(group: Group, executor: Executor, outcome: Outcome) -> Group:
    problem, settings = Problem.of(group), executor.settings
    baseline, *with_trace = await asyncio.gather(
        executor.run(problem, None, settings.baseline_repeats),
        *(executor.run(problem, trace.text, settings.repeats) for trace in group.traces),
    )
    traces = []
    for trace, runs in zip(group.traces, with_trace, strict=True):
        uplift = _uplift(runs, baseline, executor)
        if uplift is None:
            outcome.unknown[(runs.missing or baseline.missing).partition(" ")[0].rstrip(":")] += 1
        else:
            outcome.measured += 1
        traces.append(trace.model_copy(update={"uplift": uplift}))
    return group.model_copy(update={"traces": tuple(traces)})


def _uplift(runs: Runs, baseline: Runs, executor: Executor) -> Uplift | None:
    if runs.passed is None or baseline.passed is None:
        return None
    success, without = share(runs.passed), share(baseline.passed)
    return Uplift(
        executor=executor.model.name,
        success=round(success, 6),
        baseline=round(without, 6),
        uplift=round(success - without, 6),
        repeats=len(runs.runs),
        baseline_repeats=len(baseline.runs),
        temperature=executor.settings.temperature,
    )


def table_of(groups: Iterable[Group]) -> list[dict[str, Any]]:
    """Sum up by role and kind, with 95 % bootstrap intervals over problems.

    Returns:
        Rows ``{"row", "traces", "success", "uplift", "against_parent"}``; the last three are
        ``[value, low, high]``. ``against_parent`` is how much less often the executor succeeds with
        a twin or a flawed trace than with the sound trace that it was made from: what the flaw
        itself does. It is None for references.
    """
    rows: dict[str, list[Measured]] = defaultdict(list)
    for number, group in enumerate(groups):
        for one in _measured(number, group):
            rows[one.row].append(one)
    first = [name for name in ("reference", "twin") if name in rows]
    return [_row(name, rows[name]) for name in [*first, *sorted(set(rows) - set(first))]]


def _measured(number: int, group: Group) -> Iterator[Measured]:
    known = {trace.trace_id: trace.uplift for trace in group.traces}
    for trace in group.traces:
        if trace.uplift is not None:
            parent = known.get(_parent(trace, group)) if trace.role != "reference" else None
            yield Measured(number, trace.kind or trace.role, trace.uplift, parent)


def _parent(trace: Trace, group: Group) -> str:
    return trace.parent_id or group.reference.trace_id


def _row(name: str, members: Sequence[Measured]) -> dict[str, Any]:
    paired = [(one.group, one.uplift.success - one.parent.success) for one in members if one.parent]
    return {
        "row": name,
        "traces": len(members),
        "success": _mean((one.group, one.uplift.success) for one in members),
        "uplift": _mean((one.group, one.uplift.uplift) for one in members),
        "against_parent": _mean(paired) if paired else None,
    }


def _mean(values: Iterable[tuple[int, float]]) -> list[float]:
    clusters, numbers = zip(*values, strict=True)
    wins = Wins(np.array(numbers, dtype=np.float64), np.ones(len(numbers)))
    estimate: Estimate = ratio(wins, np.array(clusters, dtype=np.int64))
    return [round(float(one), 4) for one in estimate]
