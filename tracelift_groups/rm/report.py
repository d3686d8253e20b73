"""Reports of an evaluation: plain data for programs, Markdown for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from tracelift_groups.rm.evaluate import GroupFigures, GroupReport, Shape, TraceFigures, TraceReport
from tracelift_groups.rm.metrics import Estimate, Threshold


def as_data(value: Any) -> Any:
    """Return a report as JSON data: named tuples as objects, no number as null."""
    if is_dataclass(value):
        return {field.name: as_data(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_data(one) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: as_data(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def markdown(report: GroupReport | TraceReport, title: str, about: Mapping[str, str]) -> str:
    """Write a report as Markdown, the interval of each figure beside it.

    Args:
        report: What was measured.
        title: The heading.
        about: What to tell before the figures, such as the model and the data.
    """
    lines = [f"# {title}", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += _groups(report) if isinstance(report, GroupReport) else _traces(report)
    lines += _shape(report.shape)
    return "\n".join(lines) + "\n"


def headline(report: GroupReport | TraceReport) -> str:
    """Return the main figures, a line for the judge and one for each baseline."""
    lines = []
    for one in report.figures:
        if isinstance(one, GroupFigures):
            parts = [("pairs", one.pairs), ("top-1", one.top), ("tau", one.tau)]
        else:
            parts = [("AUC", one.auc), ("within problems", one.within)]
        told = ", ".join(f"{name} {_interval(value)}" for name, value in parts)
        if isinstance(one, TraceFigures):
            told += f", accuracy at a held-out cut {one.held_out.accuracy:.3f}"
        lines.append(f"{one.judge}: {told}")
    return "\n".join(lines)


def _groups(report: GroupReport) -> list[str]:
    names = [one.judge for one in report.figures]
    return [
        f"{report.groups} groups, {report.traces} traces. Intervals are 95 %, resampling problems;"
        " 0.5 is chance for pairs, 0 for tau.",
        "",
        *_table(
            ["", "pairs", "sound on top", "tau"],
            [[one.judge, *map(_interval, (one.pairs, one.top, one.tau))] for one in report.figures],
        ),
        "",
        "Pair accuracy by kind of flaw:",
        "",
        *_table(
            ["kind", "traces", *names],
            [
                [kind, str(count), *(_interval(one.by_kind[kind]) for one in report.figures)]
                for kind, count in report.by_kind.items()
            ],
        ),
        "",
    ]


def _traces(report: TraceReport) -> list[str]:
    majority = max(report.flawed, report.traces - report.flawed) / report.traces
    lines = [
        f"{report.traces} traces of {report.problems} problems, {report.flawed} of them flawed."
        " Intervals are 95 %, resampling problems; 0.5 is chance for both orders. Calling all the"
        f" same has an accuracy of {majority:.3f}. The best cut is chosen on these very traces,"
        " the held-out cut on the other half of the problems; F1 is that of the flawed.",
        "",
        *_table(
            ["", "AUC", "within a problem", "accuracy, best cut", "F1", "held-out cut", "F1"],
            [
                [
                    one.judge,
                    _interval(one.auc),
                    _interval(one.within),
                    *_cut(one.best),
                    *_cut(one.held_out),
                ]
                for one in report.figures
            ],
        ),
        "",
    ]
    tags = list(report.figures[0].auc_by_tag)
    if tags:
        lines += [
            "AUC by what the file tells apart:",
            "",
            *_table(
                ["", *(one.judge for one in report.figures)],
                [
                    [tag, *(_interval(one.auc_by_tag[tag]) for one in report.figures)]
                    for tag in tags
                ],
            ),
            "",
        ]
    if report.located:
        lines += [
            "First wrong step, found by scoring prefixes (F1 as in ProcessBench):",
            "",
            *_table(
                ["reading", "threshold", "cut", "flawed", "sound", "F1"],
                [[one.reading, one.threshold, *map(_number, one[2:])] for one in report.located],
            ),
            "",
        ]
    return lines


def _shape(shape: Shape) -> list[str]:
    rows = [
        ["mean score, sound", _number(shape.mean_sound)],
        ["mean score, flawed", _number(shape.mean_flawed)],
        ["expected calibration error", _number(shape.expected_calibration_error)],
        ["share of scores above 0.95", _number(shape.saturation)],
        ["correlation with length", _number(shape.length_correlation)],
    ]
    if shape.swap_delta is not None and shape.swap_above is not None:
        rows += [
            ["sound, less the same under another problem", _interval(shape.swap_delta)],
            ["sound ones higher under their own problem", _interval(shape.swap_above)],
        ]
    bins = [
        [f"{one.low:.1f}-{one.high:.1f}", str(one.traces), *map(_number, one[3:])]
        for one in shape.bins
    ]
    return [
        "The judge's scores:",
        "",
        *_table(["", ""], rows),
        "",
        *_table(["score", "traces", "mean score", "share sound"], bins),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cut(cut: Threshold) -> list[str]:
    return [_number(cut.accuracy), _number(cut.f1)]


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _interval(value: Estimate) -> str:
    if not math.isfinite(value.value):
        return "-"
    return f"{value.value:.3f} ({_number(value.low)}-{_number(value.high)})".replace("(--", "(-")
