"""Which model is asked for what, and what a run remembers of it."""

from __future__ import annotations

from typing import Any

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.plan import Plan

USES = [{"engine": "llm"}, {"engine": "auto"}, {"reference": "generate"}, {"rubric": "judge"}]


def plan(**fields: Any) -> Plan:
    return Plan(**{"engine": "llm", "model": "m", **fields})


@pytest.mark.parametrize("use", USES)
def test_what_asks_a_model_needs_one(use: dict[str, Any]) -> None:
    ((name, value),) = use.items()
    with pytest.raises(UserError, match=f"^--{name} {value} asks a model - name one with --model$"):
        Plan(**use)
    made = Plan(**use, model="m")
    assert made.asks
    assert made.author == "m"


def test_a_model_that_nothing_asks_is_a_mistake() -> None:
    assert not Plan().asks
    with pytest.raises(UserError, match="no model is asked by this build"):
        Plan(model="m")


def test_the_first_judge_judges_pairs_and_the_writer_where_none_is_named() -> None:
    assert plan().judge == "m"
    assert plan(judges=("j", "k")).judge == "j"
    assert plan().models == ("m",)
    assert plan(judges=("j", "m", "j")).models == ("m", "j")
    assert Plan().models == ()


def test_requests_are_what_the_plan_says() -> None:
    made = plan(temperature=0.3, max_tokens=99, api="completions", judges=("j",))
    asked = made.request("twin", "p", sample=2)
    assert (asked.task, asked.model, asked.prompt, asked.sample) == ("twin", "m", "p", 2)
    assert (asked.temperature, asked.max_tokens, asked.api) == (0.3, 99, "completions")
    pair = made.judge_request("pair", "p")
    assert (pair.model, pair.temperature, pair.max_tokens, pair.api) == ("j", 0, 99, "completions")
    assert made.judge_request("judge", "p", "k", 3).model == "k"


@pytest.mark.parametrize(("samples", "task", "temperature"), [
    (1, "judge", 0), (1, "pair", 0), (2, "judge", 0.7), (2, "pair", 0),
])  # fmt: skip
def test_several_judgements_of_one_judge_are_drawn(
    samples: int, task: str, temperature: float
) -> None:
    made = plan(judge_samples=samples, temperature=0.2)
    assert made.judge_request(task, "p").temperature == temperature


RULE = {"engine": "rule", "reference": "gold", "rubric": "template"}
MODEL = {"name": "m", "api": "chat", "temperature": 0.7, "max_tokens": 4096}


@pytest.mark.parametrize(
    ("fields", "remembered"),
    [
        ({}, RULE),
        ({"samples": 9, "judge_samples": 5, "temperature": 0.1}, RULE),
        ({"engine": "auto", "model": "m"},
         {**RULE, "engine": "auto", "model": MODEL, "judges": ["m"]}),
        ({"engine": "llm", "model": "m", "judges": ("j",)},
         {**RULE, "engine": "llm", "model": MODEL, "judges": ["j"]}),
        ({"reference": "generate", "model": "m", "samples": 2},
         {**RULE, "reference": "generate", "model": {**MODEL, "samples": 2}}),
        ({"rubric": "judge", "model": "m", "judge_samples": 3},
         {**RULE, "rubric": "judge", "model": MODEL, "judges": ["m"], "judge_samples": 3}),
    ],
)  # fmt: skip
def test_what_a_run_remembers(fields: dict[str, Any], remembered: dict[str, Any]) -> None:
    assert Plan(**fields).fingerprint == remembered


CHANGES = [
    {"engine": "auto"}, {"reference": "gold"}, {"rubric": "template"}, {"model": "n"},
    {"api": "completions"}, {"temperature": 0.1}, {"max_tokens": 50}, {"samples": 1},
    {"judges": ("j",)}, {"judge_samples": 2},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_that_changes_the_groups_is_forgotten(change: dict[str, Any]) -> None:
    whole = {"reference": "generate", "rubric": "judge"}
    assert plan(**whole).fingerprint != plan(**{**whole, **change}).fingerprint
