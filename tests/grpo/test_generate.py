from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.rm.tiny_models import VOCABULARY, config_of
from tracelift_groups.grpo.generate import Sampled, generate

EOS, PAD = 3, 0


def model_of(name: str, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config_of(name)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)  # random weights give nearly even distributions
    return model


def drawn(model: Any, prompts: list[list[int]], seeds: list[int], **options: Any) -> list[Sampled]:
    usual = {"temperature": 1.0, "max_new_tokens": 6, "eos_ids": {EOS}, "pad_id": PAD}
    return generate(model, prompts, seeds, **{**usual, **options})


def prompts_of(count: int) -> list[list[int]]:
    rng = random.Random(count)
    return [[rng.randrange(4, VOCABULARY) for _ in range(rng.randint(1, 12))] for _ in range(count)]


@pytest.mark.parametrize("name", ["qwen2", "llama", "gpt2", "gemma3", "qwen3"])
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    model, prompts = model_of(name), prompts_of(7)
    seeds = list(range(7))
    together = drawn(model, prompts, seeds)
    alone = [drawn(model, [ids], [seed])[0] for ids, seed in zip(prompts, seeds, strict=True)]
    backwards = drawn(model, prompts[::-1], seeds[::-1])[::-1]
    assert [one.ids for one in together] == [one.ids for one in alone]
    assert [one.ids for one in together] == [one.ids for one in backwards]


def test_a_seed_decides() -> None:
    model, (ids,) = model_of("qwen2"), prompts_of(1)
    first = drawn(model, [ids] * 20, list(range(20)))
    assert first == drawn(model, [ids] * 20, list(range(20)))
    assert len({tuple(one.ids) for one in first}) > 5


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_tokens_come_as_often_as_they_should(temperature: float) -> None:
    """4,000 first tokens against the exact probabilities: within four standard errors each."""
    model, (ids,) = model_of("llama"), prompts_of(1)
    count = 4000
    rows = drawn(
        model, [ids] * count, list(range(count)), temperature=temperature, max_new_tokens=1
    )
    counts = Counter(one.ids[0] for one in rows)
    logits = model(input_ids=torch.tensor([ids])).logits[0, -1].double() / temperature
    for token, probability in enumerate(logits.softmax(-1).tolist()):
        error = (probability * (1 - probability) / count) ** 0.5
        assert abs(counts[token] / count - probability) < 4 * error + 1e-3


def test_a_nucleus_holds_the_likeliest_tokens_only() -> None:
    model, (ids,) = model_of("llama"), prompts_of(1)
    probabilities = model(input_ids=torch.tensor([ids])).logits[0, -1].double().softmax(-1)
    ordered = probabilities.sort(descending=True)
    kept, total = set(), 0.0
    for probability, token in zip(ordered.values.tolist(), ordered.indices.tolist(), strict=True):
        if total < 0.5:
            kept.add(token)
        total += probability
    rows = drawn(model, [ids] * 600, list(range(600)), top_p=0.5, max_new_tokens=1)
    assert {one.ids[0] for one in rows} == kept


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_logprobs_are_those_of_a_plain_forward_pass(temperature: float) -> None:
    model, prompts = model_of("qwen2"), prompts_of(4)
    for ids, row in zip(
        prompts, drawn(model, prompts, [1, 2, 3, 4], temperature=temperature), strict=True
    ):
        logits = model(input_ids=torch.tensor([[*ids, *row.ids]])).logits[0] / temperature
        expected = logits[len(ids) - 1 : -1].log_softmax(-1)
        picked = expected[range(len(row.ids)), row.ids]
        torch.testing.assert_close(torch.tensor(row.logprobs), picked, atol=1e-4, rtol=1e-4)


def test_temperature_zero_is_greedy() -> None:
    model, prompts = model_of("qwen2"), prompts_of(5)
    for ids, row in zip(prompts, drawn(model, prompts, [0] * 5, temperature=0.0), strict=True):
        asked = torch.tensor([ids])
        expected = model.generate(
            asked, max_new_tokens=6, do_sample=False, eos_token_id=EOS, pad_token_id=PAD
        )[0, len(ids) :].tolist()
        assert row.ids == expected[: len(row.ids)]


def test_the_end_token_ends_and_is_kept() -> None:
    model, (ids,) = model_of("qwen2"), prompts_of(1)
    greedy = drawn(model, [ids], [0], temperature=0.0)[0]
    stop = greedy.ids[2]
    (row,) = drawn(model, [ids], [0], temperature=0.0, eos_ids={stop})
    assert row.ids == greedy.ids[: greedy.ids.index(stop) + 1]
    assert row.finished
    assert len(row.logprobs) == len(row.ids)
    assert not greedy.finished


OWN_SETTINGS: dict[str, Any] = {
    "repetition_penalty": 5.0,
    "temperature": 0.1,
    "top_k": 1,
    "top_p": 0.1,
    "do_sample": True,
    "num_beams": 3,
    "num_return_sequences": 2,
    "no_repeat_ngram_size": 1,
    "encoder_repetition_penalty": 3.0,
    "min_new_tokens": 5,
    "min_length": 30,
    "suppress_tokens": list(range(5, 40)),
    "begin_suppress_tokens": list(range(5, 40)),
    "bad_words_ids": [[token] for token in range(5, 40)],
    "sequence_bias": [[[6], 9.0]],
    "forced_eos_token_id": EOS,
    "exponential_decay_length_penalty": (1, 3.0),
    "guidance_scale": 3.0,
    "max_time": 1e-4,
    "stop_strings": ["a"],
    "return_dict_in_generate": True,
}


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_a_models_own_settings_do_not_change_the_distribution(name: str) -> None:
    model, prompts = model_of("qwen2"), prompts_of(3)
    before = drawn(model, prompts, [5, 6, 7])
    own = model.generation_config
    setattr(own, name, OWN_SETTINGS[name])
    assert drawn(model, prompts, [5, 6, 7]) == before
    assert model.generation_config is own


def test_an_adapters_model_keeps_its_settings_too() -> None:
    from peft import LoraConfig, get_peft_model

    model, prompts = model_of("qwen2"), prompts_of(3)
    before = drawn(model, prompts, [5, 6, 7])
    own = model.generation_config
    own.suppress_tokens = list(range(5, 40))
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).eval()
    assert [one.ids for one in drawn(adapted, prompts, [5, 6, 7])] == [one.ids for one in before]
    assert model.generation_config is own
