from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Tlg, write_jsonl
from tests.rm.small import save_small, small_recipe
from tracelift_groups.cli import main
from tracelift_groups.commands import extras
from tracelift_groups.errors import UserError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rm") / "small"
    return save_small(folder, small_recipe(text={"max_length": 1024}))


def test_a_run_is_measured_and_reported(
    tlg: Tlg, model: Path, sample_run: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    done = tlg("eval-rm", model, "--on", sample_run, "--limit", 2, "-o", report, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert json.loads((tmp_path / "report.json").read_text()) == data
    judges = [one["judge"] for one in data["figures"]]
    assert judges == ["RM", "shorter", "longer", "plausible answer", "bag of words"]
    assert (data["groups"], data["split"], data["format"]) == (2, "validation", "groups")
    assert set(data["figures"][0]["by_kind"]) == set(data["by_kind"])
    assert (tmp_path / "report.md").read_text().startswith("# Reward model evaluation\n")


def test_a_file_of_judged_traces_and_its_bad_rows(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    rows: list[Any] = [{"problem": "p", "reasoning": "1 + 1 = 3", "correct": False}]
    rows += [{"problem": "q", "reasoning": "1 + 1 = 2", "correct": True}]
    rows += [{"problem": "q", "correct": True}] * 12
    file = write_jsonl(tmp_path / "chains.jsonl", rows)
    with pytest.raises(SystemExit) as ended:
        main(["eval-rm", str(model), "--on", str(file)])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("RM: AUC ")
    told = said.err.splitlines()
    assert told[0].startswith("chains.jsonl:3: field 'reasoning' is missing")
    assert "... and 2 more rows passed over" in told


def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str], model: Path, sample_run: Path, tmp_path: Path
) -> None:
    right = [{"problem": "p", "reasoning": "r", "correct": True}]
    one_class = write_jsonl(tmp_path / "right.jsonl", list(right))
    for arguments, words in (
        ([tmp_path / "gone", "--on", sample_run], "no such folder"),
        ([tmp_path, "--on", sample_run], "not a complete reward model"),
        ([model, "--on", sample_run, "--device", "tpu9"], "--device tpu9: no such device here"),
        ([model, "--on", sample_run, "--device", "cuda:99"], "cuda:99: no such device here"),
        ([model, "--on", sample_run, "--split", "test"], "no split 'test'"),
        ([model, "--on", tmp_path / "gone.parquet"], "no such file or run folder"),
        ([model, "--on", one_class], "not both sound and flawed"),
        (["http://127.0.0.1:9", "--on", sample_run], "no answer from the server"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["eval-rm", *map(str, arguments)])
        assert ended.value.code == 2
        assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "uvicorn" else object())
    extras.require_extra("train")
    with pytest.raises(UserError, match=r'needs uvicorn - pip install "tracelift-groups\[serve\]"'):
        extras.require_extra("train", "serve")
