from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, Qwen2Model

from tests.rm.small import ITEMS, small_model, small_recipe
from tracelift_groups.errors import UserError
from tracelift_groups.rm.loading import load_any
from tracelift_groups.rm.published import is_published, save_published
from tracelift_groups.rm.score import Scorer
from tracelift_groups.rm.text import Subject, input_text

NAMES = ("understanding", "strategy", "coherence", "correctness", "support")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model, tokenizer = small_model(small_recipe(text={"max_length": 400}))
    folder = tmp_path / "published"
    folder.mkdir()
    save_published(folder, model, tokenizer, NAMES)
    return folder


def independent_score(folder: Path, ids: list[int]) -> float:
    """PEER's formula from the file's tensors alone; nothing of ours computes here."""
    state = load_file(folder / "model.safetensors")
    config = AutoConfig.from_pretrained(folder)
    backbone = Qwen2Model(config).eval()
    prefix = "model."
    inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    backbone.load_state_dict(inner)
    with torch.inference_mode():
        pooled = backbone(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
    derived = 0.0
    for number, weight in enumerate(config.rm_dimension_weights):
        head = f"dimension_heads.{number}"
        logits = state[f"{head}.weight"] @ pooled + state[f"{head}.bias"]
        chances = logits.softmax(-1).tolist()
        derived += weight * sum(label * chance for label, chance in enumerate(chances))
    total = state["total_head.weight"][0] @ pooled + state["total_head.bias"][0]
    return 0.5 * derived / 4 + 0.5 / (1 + float(torch.exp(-total)))


def test_the_files_are_those_of_the_published_system(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForReasonRewardModel"]
    assert config["rm_dimension_names"] == list(NAMES)
    assert config["rm_dimension_weights"] == [0.2] * 5
    assert (config["rm_num_labels"], config["rm_use_total_head"]) == (5, True)
    state = load_file(folder / "model.safetensors")
    heads = {name: tuple(state[name].shape) for name in state if not name.startswith("model.")}
    expected = {f"dimension_heads.{n}.weight": (5, 32) for n in range(5)}
    expected |= {f"dimension_heads.{n}.bias": (5,) for n in range(5)}
    assert heads == {**expected, "total_head.weight": (1, 32), "total_head.bias": (1,)}


def test_our_loader_gives_the_published_formulas_score(folder: Path) -> None:
    assert is_published(folder)
    native = load_any(folder)
    scorer = Scorer.load(folder, device="cpu")
    found = [one.score for one in scorer.score(ITEMS)]
    for item, score in zip(ITEMS, found, strict=True):
        text = input_text(Subject(item.problem, item.domain, item.tests), item.reasoning)
        ids = native.tokenizer(text)["input_ids"]
        assert score == pytest.approx(independent_score(folder, ids), abs=1e-5)
    assert len({round(score, 4) for score in found}) == len(ITEMS)
    assert native.info["dimensions"] == {"math": list(NAMES)}
    assert native.recipe.text.eos == "none"


def test_sharded_weights_are_read(folder: Path) -> None:
    before = [one.score for one in Scorer(load_any(folder), torch.device("cpu")).score(ITEMS)]
    state = load_file(folder / "model.safetensors")
    names = sorted(state)
    parts = {"model-00001-of-00002.safetensors": names[::2]}
    parts["model-00002-of-00002.safetensors"] = names[1::2]
    for part, some in parts.items():
        save_file({name: state[name] for name in some}, folder / part, {"format": "pt"})
    where = {name: part for part, some in parts.items() for name in some}
    (folder / "model.safetensors").unlink()
    index: dict[str, Any] = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    after = [one.score for one in Scorer(load_any(folder), torch.device("cpu")).score(ITEMS)]
    assert after == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rm_num_labels": 11}, "rubric heads other than 5 of 5"),
        ({"rm_dimension_names": ["one"]}, "rubric heads other than 5 of 5"),
        ({"rm_dimension_weights": [0.4, 0.3, 0.1, 0.1, 0.1]}, "not equal"),
        ({"rm_use_total_head": False}, "no total head"),
        ({"model_type": "llama"}, "of type llama, not qwen2"),
    ],
)
def test_what_we_could_not_score_alike_is_refused(
    folder: Path, changes: dict[str, Any], words: str
) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=words):
        load_any(folder)


@pytest.mark.parametrize("lost", ["total_head.bias", "model.norm.weight"])
def test_missing_weights_are_told(folder: Path, lost: str) -> None:
    path = folder / "model.safetensors"
    state = load_file(path)
    del state[lost]
    save_file(state, path, {"format": "pt"})
    with pytest.raises(UserError, match="weights are missing"):
        load_any(folder)


def test_other_pooling_has_no_published_layout(tmp_path: Path) -> None:
    model, tokenizer = small_model(small_recipe())
    model.pooling = "mean"
    with pytest.raises(UserError, match="pooling mean"):
        save_published(tmp_path, model, tokenizer, NAMES)
