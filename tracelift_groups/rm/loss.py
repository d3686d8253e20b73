"""The loss: rubric labels, rubric total, and the order of traces. Pure functions of tensors.

Each part is a sum over what it is about (traces, or pairs), divided once by that count over the
whole optimizer step. A step's loss thus does not depend on how its groups were laid into batches
or onto processes; a mean per batch would give pairs of small batches more weight.

Parts, per trace with rubric logits ``z``, raw logit ``l``, score ``s`` and gold total ``t``:

* rubric: the sum over dimensions of the cross entropy of the label, or *ordinal*: of the mean
  over thresholds ``k = 1..4`` of the binary cross entropy of ``P(label >= k)``, so that a label
  missed by one costs less than one missed by four;
* total: ``Huber(sigmoid(l) - t)`` with delta 1;
* ranking: over all pairs of a sound trace ``i`` and a flawed one ``j`` of a group
  ``-log sigmoid(x_i - x_j - margin)`` with ``x`` the logit or the score; or *listwise*: per sound
  trace ``-log(exp x_i / (exp x_i + sum_j exp x_j))``;
* flawed: the same pair loss over two flawed traces whose totals differ enough.

The published loss is cross entropy with weight 1, total 0.5, ranking 0.7 on scores, flawed 0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, logsigmoid
from torch.nn.functional import huber_loss as huber

from tracelift_groups.rm.batch import Targets
from tracelift_groups.rm.model import LABELS, Output
from tracelift_groups.rm.recipe import Loss, Ranking


class Parts(NamedTuple):
    """One value for each part of the loss: sums, counts or means."""

    rubric: Tensor
    total: Tensor
    ranking: Tensor
    flawed: Tensor

    def __add__(self, other: object) -> Parts:
        """Part by part."""
        assert isinstance(other, Parts)
        return Parts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def over(self, counts: Parts) -> Parts:
        """Means; a part with nothing to count is zero."""
        return Parts(*(mine / of.clamp(min=1) for mine, of in zip(self, counts, strict=True)))


def loss_counts(targets: Targets, loss: Loss) -> Parts:
    """How many terms each part sums over."""
    sound_above_flawed = _pairs(targets)
    if loss.ranking.form == "listwise":
        ranked = sound_above_flawed.any(1).sum()
    else:
        ranked = sound_above_flawed.sum()
    traces = torch.tensor(len(targets.total_S), device=targets.total_S.device)
    return Parts(traces, traces, ranked, _flawed_pairs(targets, loss.ranking).sum())


def loss_sums(output: Output, targets: Targets, loss: Loss) -> Parts:
    """Sum each part over a batch, without weights."""
    values_S = output.logit_S if loss.ranking.of == "logit" else output.score_S
    if loss.rubric_form == "ordinal":
        rubric = _ordinal(output.labels_SDL, targets.labels_SD)
    else:
        rubric = cross_entropy(
            output.labels_SDL.flatten(0, 1), targets.labels_SD.flatten(), reduction="sum"
        )
    return Parts(
        rubric=rubric,
        total=huber(output.logit_S.sigmoid(), targets.total_S, reduction="sum", delta=1.0),
        ranking=_ranking(values_S, _pairs(targets), loss.ranking),
        flawed=_pair_loss(values_S, _flawed_pairs(targets, loss.ranking), loss.ranking.margin),
    )


def weighted(means: Parts, loss: Loss) -> Tensor:
    """The loss of a step, from the means of its parts."""
    return (
        loss.rubric * means.rubric
        + loss.total * means.total
        + loss.ranking.weight * means.ranking
        + loss.ranking.flawed_weight * means.flawed
    )


def _ordinal(labels_SDL: Tensor, gold_SD: Tensor) -> Tensor:
    losses = []
    for threshold in range(1, LABELS):
        above = labels_SDL[..., threshold:].logsumexp(-1)
        below = labels_SDL[..., :threshold].logsumexp(-1)
        # log P(above) - log P(below) is the logit of P(label >= threshold).
        reached = (gold_SD >= threshold).to(labels_SDL.dtype)
        losses.append(binary_cross_entropy_with_logits(above - below, reached, reduction="sum"))
    return torch.stack(losses).mean()


def _ranking(values_S: Tensor, pairs_SS: Tensor, ranking: Ranking) -> Tensor:
    if ranking.form == "pairs":
        return _pair_loss(values_S, pairs_SS, ranking.margin)
    rivals_SS = values_S.expand(len(values_S), -1).masked_fill(~pairs_SS, -torch.inf)
    rows = pairs_SS.any(1)
    own_S = values_S[rows] - ranking.margin
    all_S = torch.logaddexp(own_S, rivals_SS[rows].logsumexp(-1))
    return (all_S - own_S).sum()


def _pair_loss(values_S: Tensor, pairs_SS: Tensor, margin: float) -> Tensor:
    above, below = pairs_SS.nonzero(as_tuple=True)
    return -logsigmoid(values_S[above] - values_S[below] - margin).sum()


def _pairs(targets: Targets) -> Tensor:
    """[S, S] of bool: row sound, column flawed, same group."""
    same_SS = targets.group_S[:, None] == targets.group_S
    return same_SS & targets.sound_S[:, None] & ~targets.sound_S


def _flawed_pairs(targets: Targets, ranking: Ranking) -> Tensor:
    """[S, S] of bool: both flawed, same group, the row's total higher by the gap or more."""
    same_SS = targets.group_S[:, None] == targets.group_S
    gap_SS = targets.total_S[:, None] - targets.total_S
    flawed_SS = ~targets.sound_S[:, None] & ~targets.sound_S
    # Totals are rounded to 1e-6: a gap of exactly 0.15 must not depend on its last bit.
    return same_SS & flawed_SS & (gap_SS >= ranking.flawed_gap - 1e-5)
