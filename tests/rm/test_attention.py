"""Packed tries against what they replace: separate forward passes, and a dense mask as oracle."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig

from tests.rm.tiny_models import DECODERS, all_ids, config_of, reward_model, token_groups
from tracelift_groups.errors import UserError
from tracelift_groups.rm import attention
from tracelift_groups.rm.assemble import checkpoint_activations
from tracelift_groups.rm.attention import refuse_unless_trie_safe
from tracelift_groups.rm.batch import collate, targets, to_device
from tracelift_groups.rm.loss import loss_counts, loss_sums, weighted
from tracelift_groups.rm.model import Output, RewardModel
from tracelift_groups.rm.recipe import Loss
from tracelift_groups.rm.selfcheck import SelfCheck
from tracelift_groups.rm.trie import build_trie, join_tries

CPU = torch.device("cpu")


def separate(model: RewardModel, groups: list[Any]) -> Output:
    """Each trace in a forward pass of its own, unpadded and unmasked."""
    outputs = [
        model(**collate([[trace]], "padded", pad_id=0)) for group in groups for trace in group
    ]
    return Output(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))


def close(one: Output, two: Output, atol: float = 1e-5) -> bool:
    return all(torch.allclose(a, b, atol=atol, rtol=0) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_packing_does_not_change_a_score(name: str) -> None:
    model, groups = reward_model(name), all_ids(token_groups())
    with torch.no_grad():
        packed = model(**collate(groups, "trie", pad_id=0))
        assert packed.logit_S.std() > 0.1  # there is something to get wrong
        assert close(packed, separate(model, groups))
        # One group alone, and the same in another company.
        alone = model(**collate(groups[1:2], "trie", pad_id=0))
        start = len(groups[0])
        assert torch.allclose(
            alone.logit_S, packed.logit_S[start : start + len(groups[1])], atol=1e-5
        )


@pytest.mark.parametrize("name", ["qwen2", "llama", "gpt2"])
def test_a_dense_mask_gives_the_same(name: str) -> None:
    """The oracle: plain sdpa with ``k <= q < end[k]`` written out as a 4-D mask."""
    groups = all_ids(token_groups(seed=5))
    packed, plain = reward_model(name), reward_model(name, "sdpa")
    trie = join_tries([build_trie(group) for group in groups])
    row = torch.arange(trie.tokens)
    mask = (row <= row[:, None]) & (row[:, None] < torch.from_numpy(trie.end_N))
    with torch.no_grad():
        states = plain.backbone(
            input_ids=torch.from_numpy(trie.ids_N)[None],
            position_ids=torch.from_numpy(trie.depth_N)[None],
            attention_mask=mask[None, None],
            use_cache=False,
        ).last_hidden_state[0]
        dense = plain._heads(states[torch.from_numpy(trie.last_S)])
        assert close(packed(**collate(groups, "trie", pad_id=0)), dense)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_the_kernel_is_asked_for_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CUDA branch with a stand-in that does what the kernel's documentation says."""

    def kernel(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        query_ends: Tensor,
        key_ends: Tensor,
        most_queries: int,
        most_keys: int,
        *,
        scale: float | None = None,
        window_size: tuple[int, int] = (-1, -1),
        enable_gqa: bool = False,
    ) -> Tensor:
        assert query_ends.dtype == key_ends.dtype == torch.int32
        assert window_size[1] == 0
        outputs = []
        for start, stop, first, last in zip(
            query_ends, query_ends[1:], key_ends, key_ends[1:], strict=False
        ):
            queries, keys = query[start:stop], key[first:last]
            assert len(queries) <= most_queries
            assert len(keys) <= most_keys
            at = torch.arange(len(keys) - len(queries), len(keys))[:, None]
            back = at - torch.arange(len(keys))
            mask = (back >= 0) & ((back <= window_size[0]) | (window_size[0] < 0))
            states = (x.transpose(0, 1)[None] for x in (queries, keys, value[first:last]))
            attended = torch.nn.functional.scaled_dot_product_attention(
                *states, attn_mask=mask, scale=scale, enable_gqa=enable_gqa
            )
            outputs.append(attended[0].transpose(0, 1))
        return torch.cat(outputs)

    model, groups = reward_model(name), all_ids(token_groups())
    with torch.no_grad():
        expected = separate(model, groups)
        monkeypatch.setattr(attention, "_kernel_takes", lambda query: True)
        monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", kernel)
        assert close(model(**collate(groups, "trie", pad_id=0)), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_real_kernel_is_as_near_as_half_precision_allows() -> None:
    device, groups = torch.device("cuda"), all_ids(token_groups())
    exact = separate(reward_model("qwen2"), groups).logit_S
    model = reward_model("qwen2").to(device)
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        packed = model(**to_device(collate(groups, "trie", pad_id=0), device)).logit_S.cpu()
        padded = model(**to_device(collate(groups, "padded", pad_id=0), device)).logit_S.cpu()
    assert torch.dist(packed, exact) < 2 * torch.dist(padded, exact)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("name", ["qwen2", "mistral_window", "gpt2"])
def test_packing_does_not_change_the_gradient(name: str, checkpointed: bool) -> None:
    groups = token_groups(seed=2)
    gold, loss = targets(groups), Loss()

    def gradient(batching: str) -> Tensor:
        model = reward_model(name)
        model.train()
        if checkpointed:
            checkpoint_activations(model.backbone)
        output = model(**collate(all_ids(groups), batching, pad_id=0))  # type: ignore[arg-type]
        means = loss_sums(output, gold, loss).over(loss_counts(gold, loss))
        weighted(means, loss).backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    packed, padded = gradient("trie"), gradient("padded")
    assert padded.norm() > 0.1
    assert torch.dist(packed, padded) < 1e-5 * padded.norm()


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("bert", {}, "not among"),
        ("mamba", {}, "linear_attention"),
        ("falcon_h1", {}, "hybrid"),
        ("rwkv", {}, "not among"),
        ("gemma2", {}, "not among"),
        ("qwen3_next", {"num_hidden_layers": 4}, "linear_attention"),
        (
            "qwen2",
            {"num_hidden_layers": 1, "layer_types": ["chunked_attention"]},
            "chunked_attention",
        ),
    ],
)
def test_architectures_that_would_be_wrong_are_refused(
    kind: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UserError, match=f"{reason}.* - set batching=padded"):
        refuse_unless_trie_safe(AutoConfig.for_model(kind, **options))


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_measured_architectures_are_not_refused(name: str) -> None:
    refuse_unless_trie_safe(config_of(name))


def test_the_self_check_passes_where_packing_is_right() -> None:
    check = SelfCheck(reward_model("qwen2"), CPU, autocast=False)
    assert check.require(token_groups()[0].ids_G) < 1e-5


def test_the_self_check_passes_in_half_precision() -> None:
    check = SelfCheck(reward_model("qwen2"), CPU, autocast=True)
    assert check.require(token_groups()[0].ids_G) < 0.05


def test_the_self_check_stops_a_wrong_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows see all rows before them: what a model with its own idea of attention would do."""

    def blind(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **kw: Any) -> Any:
        return attention.sdpa_attention_forward(module, query, key, value, None, is_causal=True)

    monkeypatch.setitem(attention.AttentionInterface._global_mapping, "tlg_trie", blind)
    check = SelfCheck(reward_model("qwen2"), CPU, autocast=False)
    with pytest.raises(UserError, match=r"differ by 0\.\d+ .* - set batching=padded"):
        check.require(token_groups()[0].ids_G)
