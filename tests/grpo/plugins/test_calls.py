"""Each trainer's documented call, on a reward whose executor is a small server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.grpo.fakes import reasoning_in
from tests.llm.fake_server import Call, FakeServer, Send, chat, running_server
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.plugins import setup
from tracelift_groups.grpo.plugins.openrlhf import reward_func
from tracelift_groups.grpo.plugins.rows import COLUMN, openrlhf_rows, problem_json, verl_rows
from tracelift_groups.grpo.plugins.trl import reward_function
from tracelift_groups.grpo.plugins.verifiers import InvalidScore, executor_grounded
from tracelift_groups.grpo.plugins.verl import acompute_score, compute_score
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.reward import Rollout

PROBLEM = Problem("p1", "math", "Six boxes of 7. How many?", "42")
GOOD, BAD = "<reasoning>6 * 7 = 42</reasoning>", "<reasoning>6 + 7 = 13</reasoning>"
VERL = ("gsm8k", verl_rows([PROBLEM])[0]["reward_model"]["ground_truth"])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An executor that follows the reasoning, and TLG_REWARD that names it."""
    with running_server() as fake:

        def script(call: Call) -> Send:
            reasoning = reasoning_in(call.body["messages"][0]["content"])
            return Send(chat("40" if reasoning is None else reasoning.rpartition(" ")[2]))

        fake.script = script
        file = tmp_path / "reward.yaml"
        file.write_text(
            f"executor: {fake.url}\nexecutor_model: fake\nreward: {{mode: exec_only}}\n"
        )
        monkeypatch.setenv(setup.VARIABLE, str(file))
        yield fake
        for reward in setup._opened.values():
            reward.close()
        setup._opened.clear()


def break_down(server: FakeServer) -> None:
    """Every call but the check-ups fails."""
    server.script = lambda call: (
        Send(chat("OK"))
        if "Say OK" in str(call.body["messages"])
        else Send({"error": {"message": "bad"}}, 400)
    )


def test_verl(server: FakeServer) -> None:
    good = compute_score(VERL[0], GOOD, VERL[1], {"problem_id": "p1"}, sandbox_fusion_url=None)
    bad = compute_score(VERL[0], BAD, VERL[1])
    none = compute_score(VERL[0], "no tags", VERL[1])
    assert (good["score"], bad["score"], none["score"]) == (1.0, 0.0, 0.0)
    assert good["tlg_valid"] == bad["tlg_valid"] == 1.0
    assert good.keys() == bad.keys() == none.keys()
    break_down(server)
    failed = compute_score(VERL[0], "<reasoning>1 + 1 = 2</reasoning>", VERL[1])
    assert failed["tlg_valid"] == 0.0
    assert failed.keys() == good.keys()
    assert all(isinstance(value, float) for value in failed.values())


def test_verl_with_many_under_way(server: FakeServer) -> None:
    async def all_at_once() -> list[dict[str, float]]:
        texts = [f"<reasoning>{n} + 0 = 42</reasoning>" for n in range(20)]
        return list(await asyncio.gather(*(acompute_score(VERL[0], t, VERL[1]) for t in texts)))

    assert [one["score"] for one in asyncio.run(all_at_once())] == [1.0] * 20
    assert server.most_under_way > 10


def test_openrlhf(server: FakeServer) -> None:
    label = openrlhf_rows([PROBLEM])[0]["label"]
    prompts = ["<user>Six boxes?"] * 3
    queries = [prompts[0] + text for text in (GOOD, BAD, "no tags")]
    found = reward_func(queries, prompts, [label] * 3, anything="else")
    assert found["rewards"].tolist() == [1.0, 0.0, 0.0]
    assert found["scores"].tolist() == [1.0, 0.0, 0.0]
    assert found["extra_logs"]["tlg_valid"].tolist() == [1.0, 1.0, 1.0]


def test_verifiers(server: FakeServer) -> None:
    messages = [{"role": "assistant", "content": GOOD}]
    info = {COLUMN: problem_json(PROBLEM)}
    assert asyncio.run(executor_grounded(completion=messages, info=info, state={})) == 1.0
    assert asyncio.run(executor_grounded(completion=BAD, answer=problem_json(PROBLEM))) == 0.0
    trace = SimpleNamespace(completion=messages, task=SimpleNamespace(answer="", info=info))
    assert asyncio.run(executor_grounded(trace=trace)) == 1.0
    break_down(server)
    other = "<reasoning>1 + 1 = 2</reasoning>"
    with pytest.raises(InvalidScore, match="executor"):
        asyncio.run(executor_grounded(completion=other, info=info))


def test_trl_leaves_invalid_ones_out_and_logs(server: FakeServer) -> None:
    logged: dict[str, float] = {}

    def reward(rollouts: Any) -> Any:
        scores = setup.shared_reward()(rollouts)
        return [scores[0], scores[1]._replace(value=None, valid=False)]

    function = reward_function(reward)
    found = function(
        prompts=["x"] * 2,
        completions=[[{"role": "assistant", "content": GOOD}], BAD],
        completion_ids=[[1], [2]],
        trainer_state=None,
        log_extra=None,
        log_metric=lambda name, value: logged.update({name: value}),
        **{COLUMN: [problem_json(PROBLEM)] * 2},
    )
    assert found == [1.0, None]
    assert logged["tlg/invalid"] == 0.5
    assert logged["tlg/success"] == 1.0


def test_the_file_is_read_once_and_its_mistakes_are_named(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert setup.shared_reward() is setup.shared_reward()
    assert setup.shared_reward()([Rollout(PROBLEM, GOOD)])[0].value == 1.0
    monkeypatch.delenv(setup.VARIABLE)
    with pytest.raises(UserError, match="not set"):
        setup.shared_reward()
    for text, said in (
        ("executor: [", "not YAML"),
        ("rm: x", "executor: Field required"),
        ("executor: x\nmodus: y", "known keys: executor"),
        ("executor: x\nreward: {mode: best}", "reward.mode"),
    ):
        file = tmp_path / "wrong.yaml"
        file.write_text(text)
        with pytest.raises(UserError, match=said):
            setup.read_reward_file(file)
