"""The modes side by side, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracelift_groups.rm.metrics import Estimate, Wins, ratio

Row = Mapping[str, Any]
"""What :func:`tests.benchmarks.learn.measure.measure` returns."""
Value = Callable[[Row], Sequence[float]]


class Measured(NamedTuple):
    """All that was measured at one temperature of the planner."""

    start: Row
    gold: Row
    by_mode: Mapping[str, Sequence[Row]]
    """A row for each seed."""


def success(row: Row) -> Sequence[float]:
    """Whether the executor solves each problem with the reasoning."""
    return list(map(float, row["success"]))


def sound(row: Row) -> Sequence[float]:
    """Whether each reasoning is sound."""
    return [float(one == "sound") for one in row["verdict"]]


def lucky(row: Row) -> Sequence[float]:
    """Whether each problem is solved with a reasoning that is not sound."""
    return [a * (1 - b) for a, b in zip(success(row), sound(row), strict=True)]


def mode_table(measured: Measured) -> str:
    """Planners by rows. Intervals are 95 % bootstrap intervals over problems, seeds averaged."""
    lines = [
        "| reasoning by | executor right, % | change from the start | each seed | sound, % | "
        "right but not sound, % | RM score | characters |",
        "|---|---|---|---|---|---|---|---|",
        f"| nobody | {_percent(_mean([measured.start], lambda row: row['without']))} | | | | | | |",
        _line("starting planner", [measured.start], None),
    ]
    lines += [_line(mode, rows, measured.start) for mode, rows in measured.by_mode.items()]
    lines.append(_line("gold reference", [measured.gold], None))
    return "\n".join(lines)


def pair_table(measured: Measured, against: str) -> str:
    """Differences of the other modes from one of them, problem by problem."""
    lines = [
        f"| less {against} | executor right, % | sound, % | right but not sound, % |",
        "|---|---|---|---|",
    ]
    base = measured.by_mode[against]
    for mode, rows in measured.by_mode.items():
        if mode != against:
            cells = [
                _percent(_mean(rows, value) - _mean(base, value), signed=True)
                for value in (success, sound, lucky)
            ]
            lines.append(f"| {mode} | {' | '.join(cells)} |")
    return "\n".join(lines)


def verdict_table(measured: Measured) -> str:
    """Verdicts on the reasoning by reason, in per cent of all."""
    rows = {"starting planner": [measured.start], **measured.by_mode}
    names = sorted({one for mine in rows.values() for row in mine for one in row["verdict"]})
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for title, mine in rows.items():
        all_of = [one for row in mine for one in row["verdict"]]
        cells = [f"{100 * all_of.count(name) / len(all_of):.1f}" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _line(title: str, rows: Sequence[Row], start: Row | None) -> str:
    change = by_seed = ""
    if start is not None:
        gained = _mean(rows, success) - _mean([start], success)
        change = _percent(gained, signed=True)
        by_seed = ", ".join(f"{100 * np.mean(success(row)):.1f}" for row in rows)
    scores = [score for row in rows for score in row["rm"] if score is not None]
    rm = f"{np.mean(scores):.3f}" if scores else ""
    length = np.mean([one for row in rows for one in row["length"]])
    cells = [_percent(_mean(rows, value)) for value in (success, sound, lucky)]
    return (
        f"| {title} | {cells[0]} | {change} | {by_seed} | {cells[1]} | {cells[2]} | {rm} | "
        f"{length:.0f} |"
    )


def _mean(rows: Sequence[Row], value: Value) -> Any:
    """The mean over seeds, problem by problem."""
    return np.array([value(row) for row in rows], dtype=np.float64).mean(0)


def _percent(by_problem: Any, *, signed: bool = False) -> str:
    found: Estimate = ratio(Wins(by_problem, np.ones(len(by_problem))), np.arange(len(by_problem)))
    sign = "+" if signed else ""
    value, low, high = (f"{100 * one:{sign}.1f}" for one in found)
    return f"{value} ({low} to {high})"
