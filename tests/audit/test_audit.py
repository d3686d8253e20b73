"""Planted artefacts are found and named; what is built passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_jsonl
from tracelift_groups.audit.audit import Report, audit
from tracelift_groups.audit.limits import load_limits
from tracelift_groups.cli import main
from tracelift_groups.errors import UserError
from tracelift_groups.formats import write_tracelift
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.records import Group, Trace
from tracelift_groups.rm.metrics import Wins, pair_wins


@pytest.fixture(scope="module")
def groups(sample_run: Path) -> list[Group]:
    return list(groups_of(sample_run))


def audited(groups: list[Group], **options: object) -> Report:
    return audit(groups, load_limits(), **options)  # type: ignore[arg-type]


def reworded(groups: list[Group], change: Callable[[Trace], str]) -> list[Group]:
    """Other texts for the traces; certificates go, since they quote the texts."""
    return [
        group.model_copy(
            update={
                "traces": tuple(
                    trace.model_copy(
                        update={
                            "text": change(trace),
                            "steps": (change(trace),),
                            "certificate": None,
                        }
                    )
                    for trace in group.traces
                )
            }
        )
        for group in groups
    ]


def test_what_is_built_passes(groups: list[Group]) -> None:
    report = audited(groups, recheck=None)
    assert report.passed, report.failures
    assert {one.name: one.found for one in report.findings} == {
        "duplicate_texts": 0,
        "duplicate_problems": 0,
        "split_leakage": 0,
        "certificates": 0,
    }


def test_a_marker_word_in_all_flaws_is_named(groups: list[Group]) -> None:
    planted = reworded(groups, lambda t: t.text if t.sound else f"{t.text} Presumably.")
    report = audited(planted)
    assert any("single_token ('presumably' in flawed traces): 1.000" in x for x in report.failures)


def test_a_marker_in_one_kind_is_named_with_it(groups: list[Group]) -> None:
    planted = reworded(
        groups, lambda t: f"{t.text} Presumably." if t.kind == "wrong_operation" else t.text
    )
    (line,) = [one for one in audited(planted).failures if "wrong_operation" in one]
    assert line.startswith("single_token ('presumably' in flawed traces): 1.000")


def test_a_marker_in_all_sound_traces_is_named(groups: list[Group]) -> None:
    planted = reworded(groups, lambda t: f"Clearly, {t.text}" if t.sound else t.text)
    failures = audited(planted).failures
    assert any("single_token ('clearly' in sound traces): 1.000" in one for one in failures)


@pytest.mark.parametrize("sound", [True, False])
def test_positives_that_are_always_longer_or_shorter(groups: list[Group], sound: bool) -> None:
    tail = " Step by step." * 30
    planted = reworded(groups, lambda t: t.text + tail if t.sound == sound else t.text)
    failures = audited(planted).failures
    value = "1.000" if sound else "0.000"
    assert any(one.startswith(f"length: {value}") for one in failures)


def test_an_author_that_gives_the_label_away(groups: list[Group]) -> None:
    named = [
        group.model_copy(
            update={
                "traces": tuple(
                    t.model_copy(update={"author": "human" if t.sound else "gpt"})
                    for t in group.traces
                )
            }
        )
        for group in groups
    ]
    assert any(one.startswith("author: 1.000") for one in audited(named).failures)


def test_flaws_that_are_all_at_the_end(groups: list[Group]) -> None:
    at_the_end = [
        group.model_copy(
            update={
                "traces": tuple(
                    t.model_copy(
                        update={
                            "certificate": t.certificate.model_copy(
                                update={"start": len(t.text) - 2, "end": len(t.text)}
                            )
                        }
                    )
                    if t.certificate
                    else t
                    for t in group.traces
                )
            }
        )
        for group in groups
    ]
    (line,) = audited(at_the_end).failures
    assert line.startswith("position (of the flaws in the last third): 1.000")


def test_a_leaked_split_names_both_groups(groups: list[Group]) -> None:
    held_out = next(group for group in groups if group.split == "validation")
    leaked = held_out.model_copy(
        update={"group_id": "leak", "split": "train", "problem": held_out.problem + " "}
    )
    failures = audited([*groups, leaked]).failures
    assert any("split_leakage: 1 of" in one for one in failures)
    (line,) = [one for one in failures if "split_leakage" in one]
    assert f"leak (train) and {held_out.group_id} (validation)" in line


def test_duplicates_are_named(groups: list[Group]) -> None:
    first = groups[0]
    flawed = next(trace for trace in first.traces if not trace.sound)
    twice = flawed.model_copy(update={"trace_id": "again", "certificate": None})
    doubled = first.model_copy(update={"traces": (*first.traces, twice)})
    failures = audited([doubled, *groups[1:]]).failures
    assert any(f"{flawed.trace_id} and again" in one for one in failures)
    failures = audited([*groups, first.model_copy(update={"group_id": "copy"})]).failures
    assert any(f"{first.group_id} and copy" in one for one in failures)


def test_overlap_with_an_evaluation_file(groups: list[Group], tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "test.jsonl", [{"question": groups[3].problem, "answer": "1"}])
    report = audited(groups, against=[file])
    assert any("evaluation_overlap: 1 of" in one for one in report.failures)
    assert groups[3].group_id in report.failures[0]


def test_a_certificate_that_does_not_hold(groups: list[Group]) -> None:
    victim = groups[0]
    traces = tuple(
        t.model_copy(
            update={"certificate": t.certificate.model_copy(update={"answer_after": "777"})}
        )
        if t.certificate
        else t
        for t in victim.traces
    )
    broken = [victim.model_copy(update={"traces": traces}), *groups[1:]]
    assert any("certificates:" in one for one in audited(broken, recheck=None).failures)
    assert audited(broken, recheck=0).passed


def test_the_token_is_the_best_of_all(groups: list[Group]) -> None:
    """Against every token tried one by one."""
    import re

    from tracelift_groups.audit.cheap import traces_of
    from tracelift_groups.audit.tokens import TokenTable

    traces = traces_of(groups[:25])
    best = TokenTable(traces).strongest()
    tokens = [set(re.findall(r"\w+|[^\w\s]", text.lower())) for text in traces.texts]
    counted = {token for words in tokens for token in words}
    usable = [t for t in counted if sum(t in words for words in tokens) >= 5]

    def accuracy(token: str) -> float:
        import numpy as np

        present = np.array([float(token in words) for words in tokens])
        wins: Wins = pair_wins(present, traces.sound_N, traces.group_N)
        value = wins.won_N.sum() / wins.of_N.sum()
        return float(max(value, 1 - value))

    assert accuracy(best.token) == pytest.approx(max(map(accuracy, usable)))


def test_the_same_seed_the_same_report(groups: list[Group]) -> None:
    assert audited(groups).to_json() == audited(groups).to_json()


def test_the_published_layout_is_audited(
    groups: list[Group], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Foreign rows have neither certificates nor authors; positives here are marked."""
    planted = reworded(groups, lambda t: t.text if t.sound else f"{t.text} Presumably.")
    write_tracelift(tmp_path / "ours.jsonl", planted)
    rows = [json.loads(line) for line in (tmp_path / "ours.jsonl").read_text().splitlines()]
    foreign = write_jsonl(tmp_path / "theirs.jsonl", [{**row, "metadata": {}} for row in rows])
    with pytest.raises(SystemExit) as ended:
        main(["audit", str(foreign), "-o", str(tmp_path)])
    assert ended.value.code == 1
    assert "'presumably' in flawed traces" in capsys.readouterr().err
    assert json.loads((tmp_path / "audit.json").read_text())["passed"] is False
    assert "**Failed**" in (tmp_path / "audit.md").read_text()


def test_a_run_is_audited_in_place_and_stays_a_run(
    sample_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    run = Path(shutil.copytree(sample_run, tmp_path / "run"))
    with pytest.raises(SystemExit) as ended:
        main(["audit", str(run), "--recheck", "5"])
    assert ended.value.code == 0
    assert "within all limits" in capsys.readouterr().out
    assert json.loads((run / "audit.json").read_text())["passed"] is True
    assert len(list(groups_of(run))) == len(list(groups_of(sample_run)))


def test_few_groups_are_not_probed(groups: list[Group]) -> None:
    report = audited(groups[:3])
    assert report.passed
    assert report.probes == {}
    assert "| check | found" in report.to_markdown()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("math: {overall: {length: 0.6}, wrong: 1}", "known keys: overall"),
        ("math: {overall: {length: much}}", "overall.length"),
        ("[1]", "a mapping"),
        ("math: [", "not YAML"),
        ("code: {overall: {}}", "no limits for math"),
    ],
)
def test_mistakes_in_limits(text: str, said: str, groups: list[Group], tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        audit(groups, load_limits(file))


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["audit", str(tmp_path / "none")], "no such file or run folder"),
        (["audit", str(tmp_path), "--recheck", "some"], "not a"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr().err
        assert ended.value.code == 2
        assert said in told
        assert told.strip().count("\n") == 0
