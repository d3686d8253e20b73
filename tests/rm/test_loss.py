from __future__ import annotations

import math
import random

import pytest
import torch

from tracelift_groups.rm.batch import Targets
from tracelift_groups.rm.loss import Parts, loss_counts, loss_sums, weighted
from tracelift_groups.rm.model import Output
from tracelift_groups.rm.recipe import Loss, Ranking, load_recipe

# Two groups, one after the other: sound, flawed, flawed | flawed, sound, sound.
LOGITS = [1.0, 0.5, -0.5, 2.0, 0.0, 3.0]
SOUND = [True, False, False, False, True, True]
GROUP = [0, 0, 0, 1, 1, 1]
TOTAL = [1.0, 0.75, 0.6, 0.5, 1.0, 1.0]
LABELS = [[4] * 5, [4, 4, 3, 0, 4], [2, 4, 1, 3, 0], [0] * 5, [4] * 5, [4, 3, 4, 4, 4]]
PAIRS = [(0, 1), (0, 2), (4, 3), (5, 3)]


def gold() -> Targets:
    return Targets(
        torch.tensor(LABELS),
        torch.tensor(TOTAL, dtype=torch.float64),
        torch.tensor(SOUND),
        torch.tensor(GROUP),
    )


def said(dtype: torch.dtype = torch.float64) -> Output:
    draw = random.Random(3)
    labels = [[[draw.gauss(0, 2) for _ in range(5)] for _ in range(5)] for _ in LOGITS]
    return Output(torch.tensor(labels, dtype=dtype), torch.tensor(LOGITS, dtype=dtype))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def score(index: int) -> float:
    rows = said().labels_SDL[index].tolist()
    expected = []
    for row in rows:
        mass = [math.exp(x) for x in row]
        expected.append(sum(k * m for k, m in enumerate(mass)) / sum(mass))
    return 0.5 * sum(expected) / 5 / 4 + 0.5 * sigmoid(LOGITS[index])


def test_pairs_on_logits_by_hand() -> None:
    sums = loss_sums(said(), gold(), Loss())
    expected = sum(-math.log(sigmoid(LOGITS[i] - LOGITS[j])) for i, j in PAIRS)
    assert float(sums.ranking) == pytest.approx(expected)
    assert int(loss_counts(gold(), Loss()).ranking) == 4


def test_a_margin_moves_every_pair() -> None:
    loss = Loss(ranking=Ranking(margin=0.7))
    expected = sum(-math.log(sigmoid(LOGITS[i] - LOGITS[j] - 0.7)) for i, j in PAIRS)
    assert float(loss_sums(said(), gold(), loss).ranking) == pytest.approx(expected)


def test_listwise_by_hand() -> None:
    loss = Loss(ranking=Ranking(form="listwise"))
    rivals = {0: [0.5, -0.5], 4: [2.0], 5: [2.0]}
    expected = sum(
        -math.log(math.exp(LOGITS[i]) / (math.exp(LOGITS[i]) + sum(map(math.exp, others))))
        for i, others in rivals.items()
    )
    assert float(loss_sums(said(), gold(), loss).ranking) == pytest.approx(expected)
    assert int(loss_counts(gold(), loss).ranking) == 3


def test_pairs_on_scores_by_hand() -> None:
    loss = Loss(ranking=Ranking(of="score"))
    expected = sum(-math.log(sigmoid(score(i) - score(j))) for i, j in PAIRS)
    assert float(loss_sums(said(), gold(), loss).ranking) == pytest.approx(expected, rel=1e-6)


def test_flawed_pairs_are_ordered_by_their_totals() -> None:
    loss = Loss(ranking=Ranking(flawed_gap=0.15))
    single = gold()._replace(total_S=gold().total_S.float())  # 0.75 - 0.6 is 0.14999998 there
    assert int(loss_counts(single, loss).flawed) == int(loss_counts(gold(), loss).flawed) == 1
    assert float(loss_sums(said(), gold(), loss).flawed) == pytest.approx(
        -math.log(sigmoid(0.5 - -0.5))
    )
    assert int(loss_counts(gold(), Loss(ranking=Ranking(flawed_gap=0.16))).flawed) == 0


def test_total_is_huber_of_the_sigmoid() -> None:
    expected = sum(0.5 * (sigmoid(x) - t) ** 2 for x, t in zip(LOGITS, TOTAL, strict=True))
    sums = loss_sums(said(), gold(), Loss())
    assert float(sums.total) == pytest.approx(expected, rel=1e-6)


def test_rubric_cross_entropy_sums_over_the_heads() -> None:
    expected = 0.0
    for rows, labels in zip(said().labels_SDL.tolist(), LABELS, strict=True):
        for row, label in zip(rows, labels, strict=True):
            expected += math.log(sum(map(math.exp, row))) - row[label]
    sums = loss_sums(said(), gold(), Loss(rubric_form="cross_entropy"))
    assert float(sums.rubric) == pytest.approx(expected)


def test_rubric_ordinal_is_the_mean_over_thresholds() -> None:
    expected = 0.0
    for rows, labels in zip(said().labels_SDL.tolist(), LABELS, strict=True):
        for row, label in zip(rows, labels, strict=True):
            mass = [math.exp(x) for x in row]
            for threshold in (1, 2, 3, 4):
                reached = sum(mass[threshold:]) / sum(mass)
                expected -= math.log(reached if label >= threshold else 1 - reached) / 4
    sums = loss_sums(said(), gold(), Loss(rubric_form="ordinal"))
    assert float(sums.rubric) == pytest.approx(expected)


def test_the_published_recipe_is_the_published_loss() -> None:
    """PEER's formula computed apart: one sound and four flawed traces, means over each."""
    loss = load_recipe("published-7b").loss
    draw = random.Random(8)
    labels = [[[draw.gauss(0, 1) for _ in range(5)] for _ in range(5)] for _ in range(5)]
    logits = [draw.gauss(0, 1) for _ in range(5)]
    gold_labels = [[draw.randrange(5) for _ in range(5)] for _ in range(5)]
    totals = [draw.random() for _ in range(5)]
    scores, entropy = [], 0.0
    for rows, logit, wanted in zip(labels, logits, gold_labels, strict=True):
        shares = [[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in rows]
        derived = sum(0.2 * sum(k * p for k, p in enumerate(row)) for row in shares) / 4
        scores.append(0.5 * derived + 0.5 * sigmoid(logit))
        entropy -= sum(math.log(row[k]) for row, k in zip(shares, wanted, strict=True)) / 5
    huber = sum(0.5 * (sigmoid(x) - t) ** 2 for x, t in zip(logits, totals, strict=True)) / 5
    rank = sum(-math.log(sigmoid(scores[0] - other)) for other in scores[1:]) / 4
    targets = Targets(
        torch.tensor(gold_labels),
        torch.tensor(totals, dtype=torch.float64),
        torch.tensor([True, False, False, False, False]),
        torch.zeros(5, dtype=torch.int64),
    )
    output = Output(
        torch.tensor(labels, dtype=torch.float64), torch.tensor(logits, dtype=torch.float64)
    )
    means = loss_sums(output, targets, loss).over(loss_counts(targets, loss))
    expected = 1.0 * entropy + 0.5 * huber + 0.7 * rank
    assert float(weighted(means, loss)) == pytest.approx(expected, rel=1e-6)


def test_a_step_does_not_depend_on_its_batches() -> None:
    loss = Loss(ranking=Ranking(flawed_weight=0.3))
    whole = loss_sums(said(), gold(), loss)
    halves = Parts(*torch.zeros(4, dtype=torch.float64))
    for part in (slice(0, 3), slice(3, 6)):
        one = Output(*(tensor[part] for tensor in said()))
        halves += loss_sums(one, Targets(*(tensor[part] for tensor in gold())), loss)
    assert [float(x) for x in halves] == pytest.approx([float(x) for x in whole])


def test_a_group_of_sound_traces_only_adds_nothing() -> None:
    only = gold()._replace(sound_S=torch.ones(6, dtype=torch.bool))
    for form in ("pairs", "listwise"):
        loss = Loss(ranking=Ranking(form=form))  # type: ignore[arg-type]
        output = Output(*(tensor.requires_grad_() for tensor in said()))
        means = loss_sums(output, only, loss).over(loss_counts(only, loss))
        assert float(means.ranking.detach()) == 0.0
        weighted(means, loss).backward()
        assert torch.isfinite(output.logit_S.grad).all()  # type: ignore[arg-type]
