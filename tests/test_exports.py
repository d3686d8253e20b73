from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from tests.conftest import write_jsonl
from tracelift_groups.cli import main
from tracelift_groups.exports import exporter, write_rows
from tracelift_groups.formats import write_tracelift
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.records import Group


@pytest.fixture(scope="module")
def groups(sample_run: Path) -> list[Group]:
    return list(groups_of(sample_run))


def rows_of(groups: list[Group], target: str, tmp_path: Path, pairs: Any = "parent") -> Any:
    path = tmp_path / f"{target}.jsonl"
    count, left_out = write_rows(path, groups, exporter(target, pairs))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert count == len(rows)
    return rows, dict(left_out)


def test_pairs_have_a_sound_trace_above_a_flawed_one(groups: list[Group], tmp_path: Path) -> None:
    rows, left_out = rows_of(groups, "trl-reward", tmp_path)
    flawed = {t.text: (g, t) for g in groups for t in g.traces if not t.sound}
    assert len(rows) == sum(not t.sound for g in groups for t in g.traces)
    assert not left_out
    for row in rows:
        group, trace = flawed[row["rejected"]]
        parent = next(t for t in group.traces if t.trace_id == trace.parent_id)
        assert row["chosen"] == parent.text
        assert row["prompt"] == f"{group.problem}\n\n"
        assert row["margin"] == pytest.approx(parent.rubric.total - trace.rubric.total)
    every, _ = rows_of(groups, "trl-reward", tmp_path, "all")
    assert len(every) == sum(
        sum(t.sound for t in g.traces) * sum(not t.sound for t in g.traces) for g in groups
    )


def test_steps_are_right_up_to_the_first_wrong_one(groups: list[Group], tmp_path: Path) -> None:
    rows, _ = rows_of(groups, "trl-prm", tmp_path)
    traces = [trace for group in groups for trace in group.traces]
    for row, trace in zip(rows, traces, strict=True):
        assert row["completions"] == list(trace.steps)
        if trace.certificate is None:
            assert row["labels"] == [True] * len(trace.steps)
        else:
            wrong = trace.certificate.step
            after = len(trace.steps) - wrong
            assert row["labels"] == [True] * wrong + [False] * after


def test_processbench_is_what_eval_rm_reads(groups: list[Group], tmp_path: Path) -> None:
    from tracelift_groups.records import Rejected
    from tracelift_groups.rm.traces import read_traces

    rows, _ = rows_of(groups, "processbench", tmp_path)
    traces = [trace for group in groups for trace in group.traces]
    for row, trace in zip(rows, traces, strict=True):
        assert row["label"] == (trace.certificate.step if trace.certificate else -1)
        changed = trace.certificate is not None and trace.certificate.answer_changed
        assert row["final_answer_correct"] is not changed
    read = list(read_traces(tmp_path / "processbench.jsonl", "processbench"))
    assert not any(isinstance(one, Rejected) for one in read)
    assert [one.correct for one in read] == [t.sound for t in traces]  # type: ignore[union-attr]


def test_rewardbench_has_one_right_and_three_wrong(groups: list[Group], tmp_path: Path) -> None:
    rows, left_out = rows_of(groups, "rewardbench", tmp_path)
    by_id = {group.group_id: group for group in groups}
    assert len(rows) + left_out.get("groups_with_fewer_than_three_kinds", 0) == len(groups)
    for row in rows:
        group = by_id[row["id"]]
        assert row["chosen"][0] in {t.text for t in group.traces if t.sound}
        kinds = {t.text: t.kind for t in group.traces if not t.sound}
        assert [kinds[text] for text in row["rejected"]] == row["kinds"]
        assert len(set(row["kinds"])) == 3
    assert rows == rows_of(groups, "rewardbench", tmp_path)[0]


def test_foreign_flaws_have_no_first_wrong_step(groups: list[Group], tmp_path: Path) -> None:
    write_tracelift(tmp_path / "ours.jsonl", groups[:2])
    rows = [json.loads(line) for line in (tmp_path / "ours.jsonl").read_text().splitlines()]
    file = write_jsonl(tmp_path / "theirs.jsonl", [{**row, "metadata": {}} for row in rows])
    foreign = list(groups_of(file))
    found, left_out = rows_of(foreign, "trl-prm", tmp_path)
    flawed = sum(not trace.sound for group in foreign for trace in group.traces)
    assert left_out == {"traces_without_certificate": flawed}
    assert all(all(row["labels"]) for row in found)


@pytest.mark.parametrize("target", ["trl-reward", "trl-prm", "processbench", "rewardbench"])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_datasets_loads_it(
    target: str, suffix: str, sample_run: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / f"rows.{suffix}"
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(sample_run), "--to", target, "-o", str(out), "--json"])
    assert ended.value.code == 0
    outcome = json.loads(capsys.readouterr().out)
    kind = "parquet" if suffix == "parquet" else "json"
    loaded = load_dataset(kind, data_files=str(out), cache_dir=str(tmp_path / "cache"))
    assert len(loaded["train"]) == outcome["rows"] > 0


def test_only_some_kinds(sample_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    with pytest.raises(SystemExit):
        chosen = ["--kind", "unit_mismatch", "--split", "train", "-o", str(out)]
        main(["convert", str(sample_run), "--to", "trl-reward", *chosen])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["kind"] for row in rows} == {"unit_mismatch"}


def test_trls_reward_trainer_takes_the_pairs(groups: list[Group], tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from tracelift_groups.rm.tokenizer import train_tokenizer

    rows_of(groups[:6], "trl-reward", tmp_path)
    dataset = load_dataset("json", data_files=str(tmp_path / "trl-reward.jsonl"))["train"]
    tokenizer = train_tokenizer([group.problem for group in groups[:6]], 300)
    config = AutoConfig.for_model(
        "qwen2", vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_labels=1,
        num_attention_heads=2, num_key_value_heads=2, intermediate_size=16,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    trainer = trl.RewardTrainer(
        model=AutoModelForSequenceClassification.from_config(config),
        args=trl.RewardConfig(
            output_dir=str(tmp_path / "out"), max_steps=2, per_device_train_batch_size=4,
            use_cpu=True, bf16=False, report_to=[], logging_steps=1, save_strategy="no",
            activation_checkpointing=False,
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert len(losses) == 2
    assert all(loss > 0.5 for loss in losses)  # the margin of untrained pairs is in it
