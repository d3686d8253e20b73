from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
import yaml

from tests.conftest import ROOT
from tracelift_groups.commands.train_rm import command
from tracelift_groups.errors import UserError
from tracelift_groups.recipes import dump_recipe
from tracelift_groups.rm.recipe import load_recipe, parse_recipe

RECIPES = sorted((ROOT / "rm").glob("*.yaml"))
LAUNCHERS = sorted((ROOT / "rm" / "accelerate").glob("*.yaml"))


def first_command(path: Path) -> list[str]:
    comment, _, text = path.read_text(encoding="utf-8").partition("\n")[0].partition(" ")
    assert comment == "#", path
    return shlex.split(text)


def parsed(arguments: list[str]) -> click.Context:
    return command.make_context("train-rm", arguments)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load_and_begin_with_their_command(path: Path) -> None:
    words = first_command(path)
    assert words[:2] == ["tlg", "train-rm"]
    context = parsed(words[2:])
    assert context.params["recipe"] == path.stem
    recipe = load_recipe(path.stem, context.params["overrides"])
    assert recipe == load_recipe(str(path)) == load_recipe(f"rm/{path.name}")


@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.stem)
def test_accelerate_configs_begin_with_their_command(path: Path) -> None:
    words = first_command(path)
    assert words[:4] == ["accelerate", "launch", "--config_file", f"rm/accelerate/{path.name}"]
    context = parsed(words[words.index("train-rm") + 1 :])
    load_recipe(context.params["recipe"], context.params["overrides"])
    commands = pytest.importorskip("accelerate.commands.config.config_args")
    assert commands.load_config_from_file(str(path)).num_processes == 8


def test_all_expected_recipes_are_shipped() -> None:
    names = {path.stem for path in RECIPES}
    assert names >= {"tiny", "minilm", "qwen2.5-0.5b", "qwen2.5-7b-lora", "published-7b"}


def test_a_dumped_recipe_is_the_same_recipe() -> None:
    for path in RECIPES:
        recipe = load_recipe(str(path))
        assert parse_recipe(yaml.safe_load(dump_recipe(recipe)), "dump") == recipe


def test_overrides_reach_nested_keys() -> None:
    recipe = load_recipe(
        "tiny", ["optim.lr=3e-4", "loss.ranking.form=listwise", "seed=7", "trackers=[wandb]"]
    )
    assert recipe.optim.lr == 3e-4
    assert recipe.loss.ranking.form == "listwise"
    assert recipe.loss.ranking.weight == load_recipe("tiny").loss.ranking.weight
    assert recipe.seed == 7
    assert recipe.trackers == ("wandb",)
    assert load_recipe("qwen2.5-7b-lora", ["lora=null"]).lora is None
    assert load_recipe("qwen2.5-7b-lora", ["lora.bits=4"]).lora.bits == 4  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optim.learning_rate=1"], r"tiny\.yaml: optim\.learning_rate: .* - known keys: lr,"),
        (["loss.ranking.weight=-1"], r"tiny\.yaml: loss\.ranking\.weight: .*greater"),
        (["optim.lr=fast"], r"tiny\.yaml: optim\.lr: .*number"),
        (["batching=tree"], r"tiny\.yaml: batching: .*'trie' or 'padded'"),
        (["backbone.dropout=0.1"], "set dropout to 0"),
        (["pooling=mean"], "set pooling to last"),
        (["backbone.pretrained=x"], r"tiny\.yaml: backbone: .*exactly one"),
        (["lora={}"], "random weights"),
        (["seed"], "seed: an override is key=value"),
        (["seed=[1"], "the value is not YAML"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_field(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_recipe("tiny", overrides)


def test_an_unknown_recipe_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"small: no such recipe - a path, or one of .*tiny"):
        load_recipe("small")
    broken = tmp_path / "broken.yaml"
    broken.write_text("optim: [1", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.yaml: not YAML"):
        load_recipe(str(broken))
