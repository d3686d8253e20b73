"""A local folder behind the same interface as an endpoint; what a choice of model refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.grpo.tiny import make_planner
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.generate import generate
from tracelift_groups.grpo.local import LocalModel
from tracelift_groups.grpo.models import Model, ModelChoice
from tracelift_groups.grpo.prompting import model_input
from tracelift_groups.llm.request import Answer, Reply, Request, Usage

TEMPLATE = "{% for turn in messages %}[{{ turn['content'] }}]{% endfor %}"
TEMPLATE += "{% if add_generation_prompt %}reply:{% endif %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that ends its replies: any of many tokens does."""
    made = make_planner(tmp_path_factory.mktemp("local") / "tiny")
    (made / "generation_config.json").write_text(
        json.dumps({"eos_token_id": list(range(0, 280, 4)), "repetition_penalty": 5.0})
    )
    return made


def requests_of(model: Model, prompts: Sequence[str], **options: object) -> list[Request]:
    usual: dict[str, object] = {"temperature": 1.0, "max_tokens": 30, **options}
    return [
        Request("execute", model.name, prompt, sample=sample, **usual)  # type: ignore[arg-type]
        for prompt in prompts
        for sample in range(3)
    ]


def asked(folder: Path, cache: Path | None, prompts: Sequence[str], **options: object) -> list[str]:
    """The outcome of each request as text."""

    async def ask() -> list[Answer]:
        async with ModelChoice(f"local:{folder}", device="cpu").open(cache) as model:
            return await model.ask(requests_of(model, prompts, **options))

    return [
        one.text if isinstance(one, Reply) else f"{one.reason}: {one.detail}"
        for one in asyncio.run(ask())
    ]


def never_ends(folder: Path, out: Path) -> Path:
    """A folder of other weights, whose likeliest token is never one that ends a reply."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight[0::4] = 0.0
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)
    return out


def test_a_reply_is_the_same_alone_and_in_any_company(folder: Path) -> None:
    prompts = ["1 + 1?", "A somewhat longer question about 2 + 2?", "3?"]
    together = asked(folder, None, prompts)
    backwards = asked(folder, None, prompts[::-1])
    alone = [text for prompt in prompts for text in asked(folder, None, [prompt])]
    assert together == alone
    assert together == [*backwards[6:], *backwards[3:6], *backwards[:3]]
    assert len(set(together)) > 3  # repeats differ


def test_different_settings_are_not_mixed_up(folder: Path) -> None:
    async def ask() -> list[Answer]:
        async with ModelChoice(f"local:{folder}", device="cpu").open() as model:
            short = requests_of(model, ["1?"], max_tokens=2)
            cold = requests_of(model, ["1?"], temperature=0.0)
            return await model.ask([*short, *cold])

    answers = asyncio.run(ask())
    assert all((one.usage.output_tokens or 0) <= 2 for one in answers[:3])
    assert answers[3] == answers[4] == answers[5]


def test_replies_are_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "replies.sqlite"
    first = asked(folder, cache, ["1?", "2?"])
    monkeypatch.setattr(LocalModel, "_generate", None)
    assert asked(folder, cache, ["1?", "2?"]) == first


def test_a_chat_template_is_used_where_there_is_one(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = tokenizer.decode(model_input(tokenizer, "1?", "<r>"), skip_special_tokens=True)
    assert plain.replace(" ", "") == "1?\n<r>"
    tokenizer.chat_template = TEMPLATE
    turn = tokenizer.decode(model_input(tokenizer, "1?", "<r>"))
    assert turn.replace(" ", "") == "[1?]reply:<r>"


def test_a_reply_is_what_generate_draws_for_the_key(folder: Path) -> None:
    local = LocalModel.load(folder, "cpu")
    request = Request("execute", "m", "1?", temperature=1.0, max_tokens=30)
    ids = model_input(local.tokenizer, "1?")
    (drawn,) = generate(
        local.model,
        [ids],
        [int(request.key[:16], 16)],
        temperature=1.0,
        max_new_tokens=30,
        eos_ids=local._eos,
        pad_id=local._pad,
    )
    answer = asyncio.run(local.ask(request))
    local.close()
    assert drawn.finished
    text = local.tokenizer.decode(drawn.ids, skip_special_tokens=True).strip()
    assert answer == Reply(text, Usage(len(ids), len(drawn.ids)))


def test_what_does_not_fit_is_too_long(folder: Path) -> None:
    (said, *_) = asked(folder, None, ["word " * 300])
    assert said.startswith("too_long: ")
    assert said.endswith("room for 256")


def test_a_reply_without_an_end_is_truncated(folder: Path, tmp_path: Path) -> None:
    said = asked(never_ends(folder, tmp_path / "on"), None, ["1?"], temperature=0.0)
    assert said[0] == "truncated: 30 tokens without an end"


def test_a_reply_of_nothing_but_the_end_is_empty(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "silent"
    shutil.copytree(folder, out)
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"].zero_()  # the likeliest token is then the first, which is special
    save_file(weights, out / "model.safetensors", {"format": "pt"})
    assert asked(out, None, ["1?"], temperature=0.0) == ["empty: "] * 3


def test_closing_leaves_no_thread_and_turns_away_what_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, batches = threading.Event(), threading.Event(), []
    plain = LocalModel._generate

    def held(self: LocalModel, batch: list[object]) -> list[Answer]:
        batches.append(len(batch))
        begun.set()
        go_on.wait(10)
        return plain(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalModel, "_generate", held)
    monkeypatch.setattr("tracelift_groups.grpo.local._BATCH_ROWS", 2)

    async def ask() -> list[object]:
        model = ModelChoice(f"local:{folder}", device="cpu").open()
        asking = asyncio.create_task(model.ask(requests_of(model, ["1?", "2?"])))
        await asyncio.to_thread(begun.wait)
        closing = asyncio.create_task(model.close())
        await asyncio.sleep(0)
        go_on.set()
        await closing
        return list(await asyncio.gather(asking, return_exceptions=True))

    (said,) = asyncio.run(asyncio.wait_for(ask(), 30))
    assert type(said).__name__ == "Stopped"
    assert batches == [2]
    for thread in threading.enumerate():
        if thread.name.startswith("generate"):
            thread.join(10)
            assert not thread.is_alive()


def test_a_mistake_in_generation_reaches_who_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: LocalModel, batch: object) -> list[Answer]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(LocalModel, "_generate", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        asked(folder, None, ["1?"])


def test_other_weights_have_another_name(folder: Path, tmp_path: Path) -> None:
    other = never_ends(folder, tmp_path / folder.name)
    names = []
    for place in (folder, other, folder):
        model = ModelChoice(f"local:{place}", device="cpu").open()
        names.append(model.name)
        asyncio.run(model.close())
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("local:tiny@") for name in names)


@pytest.mark.parametrize(
    ("spec", "name", "said"),
    [
        ("models/mine", None, "neither a URL nor local:DIR"),
        ("http://localhost:1/v1", None, "needs its name"),
        ("local:/nowhere/at/all", None, "no such folder"),
        ("http:///v1", "m", "not an HTTP address"),
    ],
)
def test_a_choice_that_is_none(spec: str, name: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        ModelChoice(spec, name).open()


@pytest.mark.parametrize("damage", ["empty", "weights", "missing", "config", "tokenizer"])
def test_a_folder_that_is_no_model_is_one_line(folder: Path, tmp_path: Path, damage: str) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in folder.iterdir() if damage != "empty" else ():
        (broken / path.name).write_bytes(path.read_bytes())
    if damage == "weights":
        whole = (folder / "model.safetensors").read_bytes()
        (broken / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    elif damage == "missing":
        rows = load_file(folder / "model.safetensors")
        del rows["model.layers.1.mlp.up_proj.weight"]
        save_file(rows, broken / "model.safetensors", {"format": "pt"})
    elif damage == "config":
        (broken / "config.json").write_text("{")
    elif damage == "tokenizer":
        (broken / "tokenizer.json").write_text('{"version"')
    with pytest.raises(UserError) as caught:
        ModelChoice(f"local:{broken}", device="cpu").open()
    assert "\n" not in str(caught.value)
    assert str(broken) in str(caught.value)
