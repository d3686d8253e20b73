from __future__ import annotations

import math

import pytest
import torch

from tests.rm.tiny_models import token_groups
from tracelift_groups.rm.batch import cost, into_batches, targets
from tracelift_groups.rm.loss import loss_counts
from tracelift_groups.rm.optim import make_optimizer, rate_share, set_rate
from tracelift_groups.rm.plan import Plan
from tracelift_groups.rm.recipe import Optim, Recipe, load_recipe

GROUPS = [
    group.__class__(f"n{number}", *list(vars(group).values())[1:])
    for number, group in enumerate(token_groups(seed=4, groups=23))
]


def recipe(*overrides: str) -> Recipe:
    return load_recipe("tiny", ["optim.groups_per_step=5", "tokens_per_batch=90", *overrides])


@pytest.mark.parametrize("batching", ["trie", "padded"])
def test_an_epoch_sees_every_group_once(batching: str) -> None:
    plan = Plan(GROUPS, recipe(f"batching={batching}"))
    assert plan.steps_per_epoch == 5
    for epoch in (0, 1):
        steps = [plan.step(epoch * 5 + n) for n in range(5)]
        seen = [g.group_id for step in steps for batch in step.batches for g in batch]
        assert sorted(seen) == sorted(g.group_id for g in GROUPS)
        assert [step.groups for step in steps] == [5, 5, 5, 5, 3]


def test_epochs_differ_and_seeds_repeat() -> None:
    def order(seed: int, first: int) -> list[str]:
        plan = Plan(GROUPS, recipe(f"seed={seed}"))
        return [
            g.group_id for n in range(first, first + 5) for b in plan.step(n).batches for g in b
        ]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 5)
    assert order(0, 0) != order(1, 0)


@pytest.mark.parametrize("batching", ["trie", "padded"])
def test_processes_share_a_step_and_agree_on_it(batching: str) -> None:
    used = recipe(f"batching={batching}")
    alone = Plan(GROUPS, used)
    for number in range(6):
        steps = [Plan(GROUPS, used, process, 3).step(number) for process in range(3)]
        assert len({len(step.batches) for step in steps}) == 1
        counted = [g.group_id for s in steps for batch in s.batches[: s.counted] for g in batch]
        whole = [g.group_id for batch in alone.step(number).batches for g in batch]
        assert sorted(counted) == sorted(whole)
        for step in steps:
            assert list(map(int, step.counts)) == list(map(int, alone.step(number).counts))
            assert all(step.batches)  # a process without a group of its own still has a batch


def test_counts_are_those_of_the_whole_step() -> None:
    plan = Plan(GROUPS, recipe())
    step = plan.step(1)
    assert len(step.batches) > 1
    groups = [g for batch in step.batches for g in batch]
    expected = loss_counts(targets(groups), recipe().loss)
    assert list(map(int, step.counts)) == list(map(int, expected))


def test_a_sample_draws_anew_each_epoch() -> None:
    plan = Plan(
        [g for g in GROUPS if g.sound_G.count(True) >= 1 and g.sound_G.count(False) >= 2],
        recipe("sample={sound: 1, flawed: 2}", "optim.groups_per_step=100"),
    )
    drawn = [
        {g.group_id: g.ids_G for batch in plan.step(epoch).batches for g in batch}
        for epoch in (0, 1)
    ]
    for groups in drawn:
        assert all(len(ids) == 3 for ids in groups.values())
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("batching", ["trie", "padded"])
@pytest.mark.parametrize("budget", [1, 60, 150, 10_000])
def test_batches_keep_to_the_budget(batching: str, budget: int) -> None:
    ids = [group.ids_G for group in GROUPS]
    batches = into_batches(ids, batching, budget)  # type: ignore[arg-type]
    assert sorted(index for batch in batches for index in batch) == list(range(len(ids)))
    for batch in batches:
        if batching == "trie":
            taken = sum(cost(ids[index], "trie") for index in batch)
        else:
            rows = [trace for index in batch for trace in ids[index]]
            taken = len(rows) * max(map(len, rows))
        assert taken <= budget or len(batch) == 1
    if budget == 10_000:
        assert len(batches) == 1


def test_the_rate_rises_then_falls() -> None:
    optim = Optim(lr=1.0, warmup=0.1, schedule="cosine")
    shares = [rate_share(step, 100, optim) for step in range(100)]
    assert shares[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert shares[10] == 1.0
    assert shares[55] == pytest.approx(0.5)
    assert shares[99] == pytest.approx(0.5 * (1 - math.cos(math.pi / 90)))
    linear = Optim(lr=1.0, warmup=0.0, schedule="linear")
    assert rate_share(75, 100, linear) == pytest.approx(0.25)
    assert rate_share(75, 100, Optim(lr=1.0, schedule="constant")) == 1.0


def test_heads_have_their_own_rate_and_vectors_no_decay() -> None:
    model = torch.nn.ModuleDict({"backbone": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 1)})
    optimizer = make_optimizer(model, Optim(lr=1.0, head_lr=5.0, weight_decay=0.1, warmup=0.0))
    set_rate(optimizer, 50, 100, Optim(lr=1.0, warmup=0.0, schedule="linear"))
    found = {
        tuple(p.shape for p in group["params"]): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
    }
    assert found == {
        ((2, 2),): (0.5, 0.1),
        ((2,),): (0.5, 0.0),
        ((1, 2),): (2.5, 0.1),
        ((1,),): (2.5, 0.0),
    }
