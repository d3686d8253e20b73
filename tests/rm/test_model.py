from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.rm.tiny_models import all_ids, reward_model, token_groups
from tracelift_groups.rm.batch import collate
from tracelift_groups.rm.model import Output

NAMES = ["qwen2", "llama", "gpt2", "bert"]


def rows() -> list[list[int]]:
    return [list(trace) for group in all_ids(token_groups(seed=1)) for trace in group]


def padded(traces: list[list[int]], side: str, extra: int = 0) -> dict[str, Tensor]:
    width = max(map(len, traces)) + extra
    ids, mask = [], []
    for trace in traces:
        # Padding holds another token than 0, so that a model that reads it is found out.
        filler, empty = [96] * (width - len(trace)), [0] * (width - len(trace))
        present = [1] * len(trace)
        ids.append(filler + trace if side == "left" else trace + filler)
        mask.append(empty + present if side == "left" else present + empty)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


@pytest.mark.parametrize("name", NAMES)
def test_padding_and_batch_size_do_not_change_a_score(name: str) -> None:
    model, traces = reward_model(name), rows()
    with torch.no_grad():
        one_by_one = torch.cat([model(input_ids=torch.tensor([t])).logit_S for t in traces])
        assert one_by_one.std() > 0.1
        for side in ("left", "right"):
            for extra in (0, 11):
                found = model(**padded(traces, side, extra)).logit_S
                assert torch.allclose(found, one_by_one, atol=1e-5, rtol=0), (side, extra)


def test_mixed_padding_within_one_batch_is_right_too() -> None:
    model, traces = reward_model("qwen2"), rows()[:2]
    left, right = padded(traces, "left"), padded(traces, "right")
    mixed = {name: torch.stack([left[name][0], right[name][1]]) for name in left}
    with torch.no_grad():
        assert torch.allclose(model(**mixed).logit_S, model(**left).logit_S, atol=1e-5, rtol=0)


def test_the_collator_pads_as_the_model_expects() -> None:
    model, groups = reward_model("bert"), all_ids(token_groups(seed=1))
    with torch.no_grad():
        found = model(**collate(groups, "padded", pad_id=0)).logit_S
        assert torch.allclose(found, model(**padded(rows(), "right")).logit_S, atol=1e-5)


def test_the_score_is_the_published_formula() -> None:
    labels = torch.tensor([[[0.0, 0, 0, 0, 0]] * 4 + [[0.0, 0, 0, 0, math.log(4)]]])
    output = Output(labels, torch.tensor([math.log(3)]))
    # Four heads expect 2; the fifth gives label 4 half of the mass: (0 + 1 + 2 + 3) / 8 + 4 / 2.
    assert output.expected_SD.tolist() == [pytest.approx([2, 2, 2, 2, 2.75])]
    derived = (4 * 2 + 2.75) / 5 / 4
    assert output.score_S.tolist() == [pytest.approx(0.5 * derived + 0.5 * 0.75)]


def test_the_heads_are_named_as_published() -> None:
    names: dict[str, Any] = {
        name: value.shape
        for name, value in reward_model("qwen2").state_dict().items()
        if not name.startswith("backbone.")
    }
    expected: dict[str, Any] = {"total_head.weight": (1, 32), "total_head.bias": (1,)}
    for number in range(5):
        expected |= {f"dimension_heads.{number}.weight": (5, 32)}
        expected |= {f"dimension_heads.{number}.bias": (5,)}
    assert names == expected


def test_the_heads_work_in_fp32_under_autocast() -> None:
    model = reward_model("qwen2")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = model(**collate(all_ids(token_groups()), "trie", pad_id=0))
    assert output.logit_S.dtype == output.labels_SDL.dtype == torch.float32
    assert not torch.equal(output.logit_S.bfloat16().float(), output.logit_S)
