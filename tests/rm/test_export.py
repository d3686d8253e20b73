from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.conftest import Tlg
from tests.rm.small import ITEMS, save_small, small_recipe
from tracelift_groups.cli import main
from tracelift_groups.errors import GateError, UserError
from tracelift_groups.rm import export as exporting
from tracelift_groups.rm.classifier import with_padding_of_its_own
from tracelift_groups.rm.export import export
from tracelift_groups.rm.loading import load_any
from tracelift_groups.rm.score import Scorer
from tracelift_groups.rm.text import Subject, input_text

FLAVOURS = ("native", "sequence-classification", "published")
ROOM = {"max_length": 400}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rm") / "small"
    return save_small(folder, small_recipe(text=ROOM))


def scores(folder: Path) -> list[float]:
    return [one.score for one in Scorer(load_any(folder), torch.device("cpu")).score(ITEMS)]


@pytest.mark.parametrize("flavour", ["native", "published"])
def test_what_is_written_scores_alike(source: Path, tmp_path: Path, flavour: Any) -> None:
    done = export(source, tmp_path / "out", flavour)
    assert scores(tmp_path / "out") == pytest.approx(scores(source), abs=1e-5)
    ways = [one.way for one in done.differences]
    assert ways == ["one by one", "together", "batch 8, padded right", "batch 8, padded left"]
    assert not list(tmp_path.glob("*.part"))


def test_the_classifier_ranks_as_the_total_head_does(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "out", "sequence-classification")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    texts = [input_text(Subject(i.problem, i.domain, i.tests), i.reasoning) for i in ITEMS]
    expected = [one.logit for one in Scorer.load(source, device="cpu").score(ITEMS)]
    for side in ("left", "right"):
        inputs = tokenizer(texts, padding=True, padding_side=side, return_tensors="pt")
        with torch.inference_mode():
            logits = model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
            ).logits
        assert logits.shape == (len(ITEMS), 1)
        found = logits[:, 0] + model.config.tlg_logit_bias
        assert found.tolist() == pytest.approx(expected, rel=1e-5, abs=3e-5)
    ids = tokenizer("any text")["input_ids"]
    assert ids[-1] == tokenizer.eos_token_id  # as in training, whoever tokenizes
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_folder_is_whole_and_holds_no_pickle(source: Path, tmp_path: Path, flavour: Any) -> None:
    export(source, tmp_path / "out", flavour)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "# out\n" in card
    assert str(tmp_path) not in card
    if flavour == "sequence-classification":
        bias = json.loads((tmp_path / "out" / "config.json").read_text())["tlg_logit_bias"]
        assert f"{bias:+.6f}" in card


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_difference_fails_and_leaves_nothing(
    source: Path, tmp_path: Path, flavour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exporting._write

    def damaged(folder: Path, native: Any, flavour: Any) -> None:
        with torch.no_grad():
            native.model.total_head.weight[0, 0] += 0.01
        write(folder, native, flavour)

    monkeypatch.setattr(exporting, "_write", damaged)
    with pytest.raises(GateError, match="scores differ by"):
        export(source, tmp_path / "out", flavour)
    assert not list(tmp_path.iterdir())


def test_padding_that_ends_texts_would_be_noticed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(tokenizer: Any) -> Any:
        tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    monkeypatch.setattr(exporting, "with_padding_of_its_own", same)
    with pytest.raises(GateError, match="scores differ by"):
        export(source, tmp_path / "out", "sequence-classification")


def test_another_padding_token_is_found(source: Path) -> None:
    tokenizer = load_any(source).tokenizer
    pad = tokenizer.pad_token
    tokenizer.pad_token = tokenizer.eos_token
    assert with_padding_of_its_own(tokenizer).pad_token == pad


def test_a_published_model_comes_back_as_a_native_one(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "published", "published")
    export(tmp_path / "published", tmp_path / "native", "native")
    assert (tmp_path / "native" / "rm.json").is_file()
    written = [path for path in (tmp_path / "native").iterdir() if path.suffix != ".safetensors"]
    assert not [path for path in written if str(tmp_path) in path.read_text()]
    assert scores(tmp_path / "native") == pytest.approx(scores(source), abs=1e-5)


def test_a_classifier_is_read_back_as_the_total_head(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "one", "sequence-classification")
    native = load_any(tmp_path / "one")
    found = Scorer(native, torch.device("cpu")).score(ITEMS)
    expected = Scorer.load(source, device="cpu").score(ITEMS)
    assert [one.logit for one in found] == pytest.approx([one.logit for one in expected], abs=3e-5)
    for one in found:
        assert one.score == pytest.approx(torch.tensor(one.logit).sigmoid().item(), abs=1e-6)
        assert one.dimensions == ()
    assert native.recipe.batching == "trie"
    export(tmp_path / "one", tmp_path / "two", "sequence-classification")
    again = Scorer(load_any(tmp_path / "two"), torch.device("cpu")).score(ITEMS)
    assert [one.logit for one in again] == pytest.approx([one.logit for one in found], abs=1e-5)
    for flavour in ("native", "published"):
        with pytest.raises(UserError, match="no rubric heads"):
            export(tmp_path / "one", tmp_path / "three", flavour)  # type: ignore[arg-type]


@pytest.mark.parametrize("lost", ["score.weight", "model.norm.weight"])
def test_a_classifier_without_all_weights_is_told(source: Path, tmp_path: Path, lost: str) -> None:
    export(source, tmp_path / "one", "sequence-classification")
    path = tmp_path / "one" / "model.safetensors"
    state = load_file(path)
    del state[lost]
    save_file(state, path, {"format": "pt"})
    with pytest.raises(UserError, match=f"weights are missing: .*{lost.partition('.')[2]}"):
        load_any(tmp_path / "one")


def test_what_a_flavour_cannot_hold_is_refused(tmp_path: Path) -> None:
    mean = save_small(tmp_path / "mean", small_recipe(text=ROOM, pooling="mean", batching="padded"))
    for flavour in ("sequence-classification", "published"):
        with pytest.raises(UserError, match="mean"):
            export(mean, tmp_path / "out", flavour)  # type: ignore[arg-type]
    export(mean, tmp_path / "out", "native")
    assert scores(tmp_path / "out") == pytest.approx(scores(mean), abs=1e-5)


def test_the_command_line(
    tlg: Tlg, capsys: pytest.CaptureFixture[str], source: Path, tmp_path: Path
) -> None:
    done = tlg("export-rm", source, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["as"] == "native"
    for arguments, words in (
        ([source, "-o", tmp_path / "out"], "exists already"),
        ([tmp_path / "gone", "-o", tmp_path / "new"], "no such folder"),
        ([tmp_path, "-o", tmp_path / "new"], "not a complete reward model"),
        ([source, "-o", tmp_path / "new", "--device", "cuda:99"], "no such device here"),
        ([source, "-o", tmp_path / "no" / "where"], "no such folder"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["export-rm", *map(str, arguments)])
        assert ended.value.code == 2
        (told,) = capsys.readouterr().err.strip().splitlines()
        assert words in told
