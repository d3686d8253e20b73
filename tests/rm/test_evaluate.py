from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tracelift_groups.audit.probes import length_probe, trace_rows
from tracelift_groups.records import Group
from tracelift_groups.rm.baselines import SIMPLE
from tracelift_groups.rm.evaluate import evaluate_groups, evaluate_traces
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.report import as_data, headline, markdown
from tracelift_groups.rm.traces import JudgedTrace
from tracelift_groups.tables import read_groups


@pytest.fixture(scope="module")
def groups(sample_run: Path) -> list[Group]:
    return list(read_groups(str(sample_run / "groups" / "train.parquet")))


class Oracle:
    """Knows the totals; thinks nothing of a text under a problem that is not its own."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.known = {
            (group.problem, trace.text): trace.rubric.total
            for group in groups
            for trace in group.traces
        }

    def __call__(self, items: Sequence[Item]) -> list[float]:
        return [self.known.get((item.problem, item.reasoning), 0.25) for item in items]


def test_an_oracle_is_right_about_everything(groups: list[Group]) -> None:
    report = evaluate_groups(Oracle(groups), groups, {}, name="oracle")
    (oracle,) = report.figures
    assert oracle.pairs == oracle.top == (1, 1, 1)
    assert oracle.tau.value == pytest.approx(1)
    assert set(oracle.by_kind) == set(report.by_kind)
    assert all(one == (1, 1, 1) for one in oracle.by_kind.values())
    assert sum(report.by_kind.values()) == sum(not t.sound for g in groups for t in g.traces)
    assert report.shape.swap_delta is not None
    assert report.shape.swap_delta.value == pytest.approx(report.shape.mean_sound - 0.25)
    assert report.shape.swap_above == (1, 1, 1)


def test_baselines_stand_beside_it_and_agree_with_the_audit(groups: list[Group]) -> None:
    report = evaluate_groups(Oracle(groups), groups, SIMPLE)
    figures = {one.judge: one for one in report.figures}
    assert list(figures) == ["RM", *SIMPLE]
    probe = length_probe(trace_rows([group.model_dump() for group in groups]))
    assert figures["longer"].pairs.value == pytest.approx(probe.overall, abs=1e-4)
    for kind, value in probe.by_kind.items():
        assert figures["longer"].by_kind[kind].value == pytest.approx(value, abs=1e-4)
    assert figures["shorter"].pairs.value == pytest.approx(1 - probe.overall, abs=1e-4)


def judged() -> list[JudgedTrace]:
    return [
        JudgedTrace("p", "a", True, "f:1", tag="x"),
        JudgedTrace("p", "bb", False, "f:2", tag="y"),
        JudgedTrace("q", "ccc", False, "f:3", tag="x"),
        JudgedTrace("r", "dddd", True, "f:4", tag="y"),
    ]


def by_length(items: Sequence[Item]) -> list[float]:
    return [len(item.reasoning) / 10 for item in items]


def test_judged_traces_by_hand() -> None:
    report = evaluate_traces(by_length, judged(), SIMPLE)
    figures = report.figures[0]
    assert (report.problems, report.traces, report.flawed) == (3, 4, 2)
    assert figures.auc.value == 0.5  # a below b and c, d above both
    assert figures.within.value == 0.0  # the one pair of one problem
    assert {tag: one.value for tag, one in figures.auc_by_tag.items()} == {"x": 0.0, "y": 1.0}
    assert (figures.best.threshold, figures.best.accuracy) == (pytest.approx(0.35), 0.75)
    assert report.shape.length_correlation == pytest.approx(1)
    assert report.shape.swap_delta == (0, 0, 0)  # length does not read the problem
    assert report.shape.swap_above == (0.5, 0.5, 0.5)
    assert report.located == ()


def test_first_errors_are_found_by_scoring_prefixes() -> None:
    seen: list[str] = []

    def judge(items: Sequence[Item]) -> list[float]:
        seen.extend(item.reasoning for item in items)
        return [0.1 if "wrong" in item.reasoning else 0.9 for item in items]

    traces = [
        JudgedTrace("p", "ok\nwrong\nthen", False, "f:1", ("ok", "wrong", "then"), 1),
        JudgedTrace("q", "ok\nfine", True, "f:2", ("ok", "fine")),
    ]
    report = evaluate_traces(judge, traces, {})
    assert "ok\nwrong" in seen
    assert all(one.f1 == 1.0 for one in report.located if one.threshold != "held out")


def test_reports_are_plain_data_and_tables(groups: list[Group]) -> None:
    report = evaluate_groups(Oracle(groups), groups, SIMPLE)
    data = json.loads(json.dumps(as_data(report), allow_nan=False))
    assert data["figures"][0]["pairs"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert data["shape"]["bins"][0].keys() >= {"low", "high", "traces", "share_sound"}
    text = markdown(report, "Title", {"model": "m"})
    assert text.startswith("# Title\n\n- model: m\n")
    assert "| RM | 1.000 (1.000-1.000) |" in text
    for kind in report.by_kind:
        assert f"| {kind} | {report.by_kind[kind]} | 1.000" in text
    columns = [line.count("|") for line in text.split("\n\n")[4].splitlines()]
    assert len(set(columns)) == 1
    assert headline(report).splitlines()[0].startswith("RM: pairs 1.000 (1.000-1.000)")


def test_what_cannot_be_measured_is_null_and_a_dash() -> None:
    traces = [judged()[0], judged()[2]]  # no problem with both
    report = evaluate_traces(by_length, traces, {})
    assert np.isnan(report.figures[0].within.value)
    assert as_data(report)["figures"][0]["within"]["value"] is None
    assert "| - |" in markdown(report, "T", {})
