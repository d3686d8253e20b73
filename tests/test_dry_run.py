"""What a build is expected to ask is what a build with good replies does ask."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import write_jsonl
from tests.replies import drive
from tests.test_build import rows
from tracelift_groups.build import BuildOptions
from tracelift_groups.dry_run import dry_run
from tracelift_groups.errors import UserError
from tracelift_groups.llm.opening import Script
from tracelift_groups.llm.request import Answer, Request
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.perturb.code.runs import Sandbox
from tracelift_groups.plan import Plan
from tracelift_groups.records import Seed
from tracelift_groups.seeds import SeedSource
from tracelift_groups.shards import Shard
from tracelift_groups.work import Job

SOME = 6
PLANS = {
    "auto": Plan(engine="auto", model="m"),
    "llm": Plan(engine="llm", model="m", judges=("j",)),
    "reference": Plan(reference="generate", model="m"),
    "judges": Plan(rubric="judge", model="m", judges=("j", "k"), judge_samples=2),
    "all": Plan(engine="llm", reference="generate", rubric="judge", model="m"),
}


def options(plan: Plan, limit: int = SOME, **fields: Any) -> BuildOptions:
    source = SeedSource("sample", limit=limit)
    return BuildOptions(**{"source": source, "plan": plan, "model": Script(), **fields})


class Noted:
    """A model with good replies; keeps what it was asked and what it answered."""

    def __init__(self) -> None:
        self.model = ScriptedModel(bad_share=0)
        self.calls: list[tuple[Request, Answer]] = []

    def __call__(self, request: Request) -> Answer:
        answer = self.model.answer(request)
        self.calls.append((request, answer))
        return answer


def asked(plan: Plan, seeds: list[Seed]) -> Noted:
    """All that a build of these seeds asks where every reply is good."""
    model = Noted()
    tasks = dict.fromkeys(("reference", "twin", "perturb", "pair", "judge"), model)
    for seed in seeds:
        drive(Job(plan, 0, Sandbox()).stage(seed), **tasks)
    return model


def sample(limit: int = SOME) -> list[Seed]:
    return [seed for seed in SeedSource("sample", limit=limit) if isinstance(seed, Seed)]


@pytest.mark.parametrize("name", PLANS)
def test_of_few_seeds_every_call_of_a_good_model_is_counted(name: str) -> None:
    plan = PLANS[name]
    calls = asked(plan, sample()).calls
    expected = dry_run(options(plan))
    assert (expected.seeds, expected.looked_at) == (SOME, SOME)
    assert len(calls) in expected.calls
    for task, count in Counter(request.task for request, _ in calls).items():
        assert count in expected.by_task[task]
    assert sum(answer.usage.input_tokens or 0 for _, answer in calls) in expected.input_tokens
    assert sum(answer.usage.output_tokens or 0 for _, answer in calls) in expected.output_tokens
    assert (expected.calls[0] < expected.calls[1]) is (name not in ("auto", "judges"))
    assert expected.usd is None


def test_of_many_seeds_some_are_looked_at_and_scaled_up() -> None:
    plan = PLANS["judges"]
    few, many = dry_run(options(plan, limit=12)), dry_run(options(plan, limit=48))
    assert (few.looked_at, many.looked_at, many.seeds) == (12, 12, 48)
    assert 3 <= many.calls[0] / few.calls[0] <= 5
    assert many == dry_run(options(plan, limit=48))
    other = dry_run(options(plan, limit=48, seed=1))
    assert other.input_tokens != many.input_tokens
    whole = len(asked(plan, sample(48)).calls)
    assert 0.7 * whole <= many.calls[0] <= many.calls[1] <= 1.5 * whole


def test_of_a_part_only_its_seeds() -> None:
    plan = PLANS["auto"]
    shards = [dry_run(options(plan, limit=12, shard=Shard(n, 2))) for n in (1, 2)]
    whole = dry_run(options(plan, limit=12))
    assert sum(one.seeds for one in shards) == whole.seeds == 12
    assert sum(one.calls[0] for one in shards) == pytest.approx(whole.calls[0], abs=1)


def test_the_cost_is_of_the_tokens_by_model(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "models:\n  m: {input: 1, output: 2}\n  j: {input: 10, output: 20}\n"
        "  k: {input: 100, output: 200}\n"
    )
    model = ModelSettings(model="m", base_url="http://127.0.0.1:9", prices=prices)
    plan = Plan(engine="llm", rubric="judge", model="m", judges=("j", "k"))
    expected = dry_run(options(plan, model=model))
    dollars = 0.0
    for request, answer in asked(plan, sample()).calls:
        price = {"m": 1, "j": 10, "k": 100}[request.model]
        usage = answer.usage
        dollars += price * ((usage.input_tokens or 0) + 2 * (usage.output_tokens or 0)) / 1e6
    assert expected.usd is not None
    assert round(dollars, 4) in expected.usd
    assert f"{expected.usd[0]:.2f} to {expected.usd[1]:.2f} USD" in str(expected)
    prices.write_text("models:\n  m: {input: 1, output: 2}\n")
    assert dry_run(options(plan, model=model)).usd is None


def test_a_model_is_expected_to_solve_problems_that_are_not_bundled(tmp_path: Path) -> None:
    """Where it were not, the build would seem to end with the references."""
    row: Any = rows()[0]
    own = {"question": f"{row['question']} Think well.", "answer": row["answer"]}
    source = SeedSource("gsm8k", file=write_jsonl(tmp_path / "seeds.jsonl", [own]))
    expected = dry_run(options(PLANS["all"], source=source))
    assert expected.by_task["reference"][0] == 1
    assert {"twin", "perturb", "judge"} <= set(expected.by_task)
    gold = own["answer"].rpartition("#### ")[2]
    bare = write_jsonl(tmp_path / "bare.jsonl", [{"problem": own["question"], "answer": gold}])
    source = SeedSource("jsonl", file=bare, bare=True)
    plan = Plan(reference="generate", model="scripted")
    known = Script(seeds=write_jsonl(tmp_path / "known.jsonl", [own]))
    assert dry_run(options(plan, source=source, model=known)).calls[0] == 1
    assert dry_run(options(plan, source=source)).calls[0] == plan.samples


def test_where_no_model_is_asked_there_is_nothing_to_tell() -> None:
    with pytest.raises(UserError, match="--dry-run: this build asks no model"):
        dry_run(options(Plan(), model=None))


def test_how_it_is_told() -> None:
    expected = dry_run(options(PLANS["llm"]))
    first, tokens, money, how = str(expected).split("\n")
    low, high = expected.calls
    assert first.startswith(f"{SOME} seeds: {low} to {high} calls (twin ")
    assert "tokens in" in tokens
    assert money == "  cost not known: no price for the model (--prices)"
    assert f"from {SOME} seeds with scripted replies" in how
    assert expected.as_json()["by_task"] == expected.by_task
