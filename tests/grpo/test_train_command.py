from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT, Tlg
from tests.grpo.tiny import make_planner
from tracelift_groups.cli import main
from tracelift_groups.commands.train_planner import command
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.recipe import load_planner_recipe

SAMPLE = ROOT / "data" / "groups" / "sample.jsonl"
RECIPES = sorted((ROOT / "rm" / "planner").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load_and_begin_with_their_command(path: Path) -> None:
    comment, _, text = path.read_text().partition("\n")[0].partition(" ")
    assert comment == "#"
    words = shlex.split(text)
    assert words[:2] == ["tlg", "train-planner"]
    values = dict(zip(words[2::2], words[3::2], strict=True))
    assert values["--recipe"] == path.stem
    options = {name for parameter in command.params for name in parameter.opts}
    assert set(values) <= options
    recipe = load_planner_recipe(path.stem)
    assert recipe == load_planner_recipe(str(path))
    assert recipe.planner or "--planner" in values


def test_overrides_reach_every_section() -> None:
    recipe = load_planner_recipe("tiny", ["reward.mode=exec_only", "sampling.completions=3"])
    assert recipe.reward.mode == "exec_only"
    assert recipe.sampling.completions == 3


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("reward.modus=x", "known keys: mode, formula"),
        ("sampling.temperature=0", "sampling.temperature"),
        ("reward.mode=best", "reward.mode"),
        ("steps=0", "steps"),
        ("optim.head_lr=1", "known keys: lr, schedule"),
        ("optim.epochs=2", "known keys: lr, schedule"),
        ("lora={dropout: 0.1}", "lora.dropout"),
        ("lora={bits: 4}", "not quantized"),
    ],
)
def test_a_wrong_key_or_value_is_named(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_planner_recipe("tiny", [override])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_planner(tmp_path_factory.mktemp("model") / "planner")


def test_it_trains_on_a_run_with_a_local_executor(
    tlg: Tlg, sample_run: Path, model: Path, tmp_path: Path
) -> None:
    executor = make_planner(tmp_path / "executor")
    short = tmp_path / "short.jinja"
    short.write_text("{{ problem[:20] }}")
    arguments = [
        "train-planner",
        *("--groups", sample_run, "--planner", model, "--executor", f"local:{executor}"),
        *("--mode", "exec_only", "-o", tmp_path / "out"),
        *("steps=2", "problems_per_step=2", "sampling.completions=2", "sampling.max_tokens=5"),
        *("reward.max_tokens_math=3", f"prompt={short}", f"reward.executor_prompt={short}"),
    ]
    done = tlg(*arguments)
    assert done.returncode == 0, done.stderr
    assert "2 steps over" in done.stdout
    assert "0.0 % of scores invalid" in done.stdout
    again = tlg(*arguments, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["steps"] == 2
    make_planner(executor, seed=1)  # another executor in the same place
    other = tlg(*arguments)
    assert other.returncode == 2
    assert "another recipe or other data" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs a reward model"),
        (["--mode", "llm_judge"], "needs a judge"),
        (["--rm", "no/such"], "no/such"),
        (["--recipe", "nothing"], "no such recipe"),
        (["--mode", "exec_only", "--split", "dev"], "no split 'dev'"),
        (["--mode", "exec_only", "--groups", "no/such"], "no such"),
        (["evaluate.every=1", "--groups", str(SAMPLE)], "needs the validation split"),
        (["--mode", "exec_only", "--planner", "no/such"], "no/such"),
        (["--mode", "exec_only", "--executor", "no/such"], "neither a URL nor"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    said: str,
    sample_run: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usual = ["--groups", sample_run, "--planner", model, "--executor", f"local:{model}"]
    with pytest.raises(SystemExit) as ended:
        main(["train-planner", *map(str, usual), "-o", str(tmp_path / "out"), *arguments])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert told.strip().count("\n") == 0, told
