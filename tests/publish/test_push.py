"""Pushes over HTTP to a stand-in of the Hub, by the real client, in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard

from tests.conftest import Tlg
from tests.publish.hub_stand_in import StandIn, running_hub
from tracelift_groups.errors import UserError
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.publish.sources import source_of

TOKEN = "hf_standInTokenThatNobodyMaySee123"
Push = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with running_hub(TOKEN) as stand_in:
        yield stand_in


@pytest.fixture
def env(hub: StandIn, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


@pytest.fixture
def push(tlg: Tlg, env: dict[str, str]) -> Push:
    def run(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        done = tlg("push", *arguments, env={**env, **changes})
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def audited_run(sample_run: Path, tlg: Tlg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Path(shutil.copytree(sample_run, tmp_path_factory.mktemp("push") / "run"))
    assert tlg("audit", run, "--recheck", 5).returncode == 0
    return run


def python(code: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_build_push_load_and_train_from_the_pushed_copy_alone(
    hub: StandIn, push: Push, tlg: Tlg, env: dict[str, str], audited_run: Path, tmp_path: Path
) -> None:
    done = push(audited_run, "me/groups", "--private", "--tag", "v1")
    assert done.returncode == 0, done.stderr
    assert "in one commit" in done.stdout
    assert hub.commits("dataset", "me/groups") == 1
    assert hub.repositories["dataset", "me/groups"].private
    assert "v1" in hub.repositories["dataset", "me/groups"].tags
    assert set(hub.contents("dataset", "me/groups")) == {
        "README.md",
        "audits/math.json",
        "data/math/train.parquet",
        "data/math/validation.parquet",
        "manifests/math.json",
        "rejected/math.jsonl",
    }
    ours = list(groups_of(audited_run))
    loaded = json.loads(
        python(
            "import json, datasets\n"
            "d = datasets.load_dataset('me/groups', 'math')\n"
            "print(json.dumps({k: [v.num_rows, v[0]['group_id']] for k, v in d.items()}))",
            env,
        ).splitlines()[-1]
    )
    for split, (rows, first) in loaded.items():
        own = [group.group_id for group in ours if group.split == split]
        assert (rows, first) == (len(own), own[0])
    rm = tmp_path / "rm"
    small = ["backbone.scratch.layers=1", "backbone.scratch.hidden=32", "optim.epochs=1"]
    small += ["backbone.scratch.feed_forward=32", "backbone.scratch.vocabulary=400"]
    trained = tlg("train-rm", "hf://datasets/me/groups", *small, "-o", rm, env=env)
    assert trained.returncode == 0, trained.stderr
    assert (rm / "rm.json").exists()
    copied = tlg("convert", "hf://datasets/me/groups", "--to", "tracelift", "-o",
                 tmp_path / "back.jsonl", env=env)  # fmt: skip
    assert copied.returncode == 0, copied.stderr
    assert sorted(groups_of(tmp_path / "back.jsonl"), key=lambda g: g.group_id) == sorted(
        ours, key=lambda g: g.group_id
    )


def test_a_second_push_uploads_nothing(hub: StandIn, push: Push, audited_run: Path) -> None:
    assert push(audited_run, "me/groups").returncode == 0
    before = len(hub.uploaded)
    again = push(audited_run, "me/groups", "--tag", "v2")
    assert again.returncode == 0, again.stderr
    assert "has all of this already" in again.stdout
    assert hub.commits("dataset", "me/groups") == 1
    assert len(hub.uploaded) == before


def test_a_push_that_breaks_off_leaves_nothing_and_goes_on(
    hub: StandIn, push: Push, audited_run: Path
) -> None:
    hub.fault = lambda method, path: 403 if "/commit/" in path else None
    broken = push(audited_run, "me/groups")
    assert broken.returncode == 2
    assert broken.stderr.strip().count("\n") == 0
    assert hub.commits("dataset", "me/groups") == 0
    arrived = list(hub.uploaded)
    assert arrived
    hub.fault = lambda method, path: None
    assert push(audited_run, "me/groups").returncode == 0
    assert hub.commits("dataset", "me/groups") == 1
    assert hub.uploaded == arrived  # what had arrived was not sent again


def test_a_branch(hub: StandIn, push: Push, audited_run: Path) -> None:
    assert push(audited_run, "me/groups", "--revision", "next").returncode == 0
    assert hub.contents("dataset", "me/groups", "main") == {}
    assert "README.md" in hub.contents("dataset", "me/groups", "next")


def test_the_dry_run_lists_all_and_sends_nothing(
    hub: StandIn, push: Push, audited_run: Path
) -> None:
    done = push(audited_run, "me/groups", "--dry-run", HF_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert hub.requests == []
    for name in ("data/math/train.parquet", "README.md", "manifests/math.json"):
        assert name in done.stdout
    card = DatasetCard(done.stdout.partition("\n\n")[2])
    data: Any = card.data.to_dict()
    assert data["configs"][0]["config_name"] == "math"
    assert data["license"] == "apache-2.0"
    for heading in ("## math", "### Audit", "## How it was made", "## Licence and citation"):
        assert heading in card.text
    assert "tlg build --source sample" in card.text
    assert push(audited_run, "me/groups", "--dry-run").stdout == done.stdout


def test_without_a_token_one_line(push: Push, audited_run: Path, hub: StandIn) -> None:
    done = push(audited_run, "me/groups", HF_TOKEN="")
    assert done.returncode == 2
    assert "no token" in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert hub.requests == []


def test_a_wrong_token_is_one_line(push: Push, audited_run: Path) -> None:
    done = push(audited_run, "me/groups", HF_TOKEN="hf_wrongwrongwrong")
    assert done.returncode == 2
    assert "the Hub refused" in done.stderr
    assert "hf_wrongwrongwrong" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_a_run_over_a_limit_is_refused(
    hub: StandIn, push: Push, audited_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(audited_run, tmp_path / "failing"))
    report = json.loads((run / "audit.json").read_text())
    report |= {"passed": False, "failures": ["length: 1.000 (1.000 1.000) over all kinds"]}
    (run / "audit.json").write_text(json.dumps(report))
    (run / "audit.md").write_text("## Audit\n\n**Failed**.\n")
    refused = push(run, "me/groups")
    assert refused.returncode == 1
    assert "length: 1.000" in refused.stderr
    assert hub.requests == []
    assert push(run, "me/groups", "--allow-failed-audit").returncode == 0
    assert b"**Failed**" in hub.contents("dataset", "me/groups")["README.md"]


def test_an_audit_of_other_groups_does_not_count(
    push: Push, audited_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(audited_run, tmp_path / "other"))
    report = json.loads((run / "audit.json").read_text())
    (run / "audit.json").write_text(
        json.dumps({**report, "passed": False, "failures": ["old"], "manifest": "0" * 64})
    )
    done = push(run, "me/groups", "--dry-run")
    assert done.returncode == 0, done.stderr


def test_texts_of_unknown_licence_are_not_uploaded(
    hub: StandIn, push: Push, audited_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(audited_run, tmp_path / "own"))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["build"]["source"]["name"] = "jsonl"
    (run / "manifest.json").write_text(json.dumps(manifest))
    done = push(run, "me/groups")
    assert done.returncode == 2
    assert "--license" in done.stderr
    assert hub.requests == []
    bad = push(run, "me/groups", "--license", "proprietary")
    assert bad.returncode == 2
    assert hub.requests == []


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [("gsm8k", None, "mit"), ("gsm8k", "mit", "mit"), ("jsonl", "cc-by-4.0", "cc-by-4.0")],
)
def test_licences(name: str, given: str | None, expected: str) -> None:
    assert source_of(name, given, "run").license == expected


@pytest.mark.parametrize(("name", "given"), [("jsonl", None), ("jsonl", "other"), ("gsm8k", "gpl")])
def test_licences_that_are_refused(name: str, given: str | None) -> None:
    with pytest.raises(UserError):
        source_of(name, given, "run")


def test_a_model_goes_up_with_its_card(
    hub: StandIn, push: Push, env: dict[str, str], tmp_path: Path
) -> None:
    from tests.grpo.tiny import make_planner

    folder = make_planner(tmp_path / "planner")
    (folder / "checkpoint").mkdir()
    (folder / "requests.sqlite").write_text("x")
    refused = push(folder, "me/planner")
    assert refused.returncode == 2
    assert "has no card" in refused.stderr
    (folder / "README.md").write_text("---\nlibrary_name: transformers\n---\n# planner\n")
    report = tmp_path / "report.md"
    report.write_text("# Measured\n\n| a | b |\n|---|---|\n")
    done = push(folder, "me/planner", "--report", report)
    assert done.returncode == 0, done.stderr
    files = hub.contents("model", "me/planner")
    assert "model.safetensors" in files
    assert not {"requests.sqlite", "checkpoint"} & set(files)
    assert b"# me/planner" in files["README.md"]
    assert b"## Measured" in files["README.md"]
    loaded = python(
        "from transformers import AutoModelForCausalLM as M\n"
        "print(sum(p.numel() for p in M.from_pretrained('me/planner').parameters()))",
        env,
    )
    assert int(loaded.split()[-1]) > 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no/such", "me/groups"], "no such folder"),
        ([".", "groups"], "user/name"),
    ],
)
def test_mistakes_are_one_line(push: Push, arguments: list[str], said: str) -> None:
    done = push(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0
