"""The reward over real connections: faults, a reward model's server, an endpoint that samples."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.grpo.fakes import FakeRm, reasoning_in
from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for
from tests.llm.fake_server import Call, FakeServer, Send, chat, running_server
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.models import Model, ModelChoice
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.reward import Reward, Rollout
from tracelift_groups.grpo.scorer import ServedRm, open_rm
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.train import train

PROBLEM = Problem("p1", "math", "Six boxes of 7. How many?", "42")
TEXTS = [f"{n} + {42 - n} = {42 if n % 3 else 41}" for n in range(8)]
BATCH = [Rollout(PROBLEM, f"<reasoning>{text}</reasoning>") for text in TEXTS]


def last_number(call: Call) -> str:
    reasoning = reasoning_in(call.body["messages"][0]["content"])
    return "40" if reasoning is None else reasoning.rpartition(" ")[2]


def reliable(call: Call) -> Send:
    return Send(chat(last_number(call)))


def faulty(share: float, seed: int) -> Callable[[Call], Send]:
    rng = random.Random(seed)

    def script(call: Call) -> Send:
        if rng.random() >= share:
            return reliable(call)
        return rng.choice(
            [
                Send({"error": {"message": "busy"}}, 500),
                Send({"error": {"message": "slow down"}}, 429, {"retry-after": "0"}),
                Send(chat("42"), cut=True),
                Send(b"<html>bad gateway</html>", 502),
            ]
        )

    return script


def executor(server: FakeServer, attempts: int = 4, cache: Path | None = None) -> Model:
    choice = ModelChoice(server.url, "fake", attempts=attempts, timeout_s=5.0)
    return choice.open(cache)


def test_calls_are_under_way_at_once_and_asked_once(tmp_path: Path) -> None:
    with running_server() as server:
        server.script = lambda call: Send(chat(last_number(call)), delay_s=0.05)
        rm = FakeRm(lambda text: 0.5)
        settings = RewardSettings()
        with Reward(settings, executor(server, cache=tmp_path / "a.sqlite"), rm=rm) as reward:
            first = reward(BATCH)
            assert len(server.calls) == 8 * 3 + 3
            assert server.most_under_way > 20
            assert reward(BATCH) == first
        with Reward(settings, executor(server, cache=tmp_path / "a.sqlite"), rm=rm) as reward:
            assert reward(BATCH) == first
        assert len(server.calls) == 8 * 3 + 3


@pytest.mark.parametrize("seed", range(3))
def test_with_a_fifth_of_the_calls_failing_what_is_valid_is_the_same(seed: int) -> None:
    rm = FakeRm(lambda text: 0.5)
    with running_server() as server:
        server.script = reliable
        with Reward(RewardSettings(), executor(server), rm=rm) as reward:
            whole = reward(BATCH)
        server.script = faulty(0.2, seed)
        with Reward(RewardSettings(), executor(server, attempts=2), rm=rm) as reward:
            partly = reward(BATCH)
    for score, expected in zip(partly, whole, strict=True):
        assert score == expected if score.valid else score.value is None


def test_an_endpoint_that_is_down_is_said() -> None:
    rm = FakeRm(lambda text: 0.5)
    with running_server() as server:
        server.script = lambda _: Send({"error": {"message": "down"}}, 503)
        with (
            Reward(RewardSettings(), executor(server, attempts=1), rm=rm) as reward,
            pytest.raises(UserError, match="does not answer"),
        ):
            reward(BATCH)


def test_a_server_that_is_greedy_is_found_out() -> None:
    rm = FakeRm(lambda text: 0.5)
    with running_server() as server:
        server.script = lambda _: Send(chat("always this"))
        with Reward(RewardSettings(), executor(server), rm=rm) as reward:
            assert reward.repeats_differ() is False
        words = iter(range(1000))
        server.script = lambda _: Send(chat(f"word {next(words)}"))
        with Reward(RewardSettings(), executor(server), rm=rm) as reward:
            assert reward.repeats_differ() is True
    assert not any("n" in call.body for call in server.calls)


def scores(call: Call) -> Send:
    items = call.body["items"]
    return Send({"scores": [len(item["reasoning"]) / 100 for item in items]})


def test_a_served_reward_model_is_asked_once_a_batch() -> None:
    with running_server() as server, running_server() as rm_server:
        server.script, rm_server.script = reliable, scores
        rm = open_rm(f"http://127.0.0.1:{rm_server.port}")
        with Reward(RewardSettings(), executor(server), rm=rm) as reward:
            found = reward(BATCH)
        assert len(rm_server.calls) == 1
        assert [score.parts["rm"] for score in found] == [len(text) / 100 for text in TEXTS]


def test_a_served_reward_model_that_fails_at_first_or_for_ever() -> None:
    with running_server() as server, running_server() as rm_server:
        server.script = reliable
        fine = Send({"scores": [0.5] * 8})
        broken = Send({"error": "x"}, 500)
        rm_server.say(broken, Send({"scores": [0.5]}), Send(b"no json"), fine)
        url = f"http://127.0.0.1:{rm_server.port}/score"
        with Reward(RewardSettings(), executor(server), rm=ServedRm(url, wait_s=0.01)) as reward:
            assert all(score.valid for score in reward(BATCH))
            rm_server.say(broken)
            assert not any(score.valid for score in reward(BATCH))
        rm_server.say(Send({"detail": "who are you"}, 401))
        with (
            Reward(RewardSettings(), executor(server), rm=ServedRm(url, wait_s=0.01)) as reward,
            pytest.raises(UserError, match="401"),
        ):
            reward(BATCH)


def test_training_goes_on_with_a_fifth_of_the_calls_failing(tmp_path: Path) -> None:
    """Each run is answered by chance but fixed; the trained parameters come from valid ones."""

    def answer(call: Call) -> str:
        digest = hashlib.sha256(call.content).digest()
        return str(2 * (1 + digest[0] % 3))

    rng = random.Random(0)

    def script(call: Call) -> Send:
        if rng.random() < 0.2:
            return Send({"error": {"message": "busy"}}, 500)
        return Send(chat(answer(call)))

    planner = make_planner(tmp_path / "start")
    recipe = recipe_for(planner, steps=6, reward={"mode": "exec_only", "repeats": 2})
    with running_server() as server:
        server.script = script
        with Reward(recipe.reward, executor(server, attempts=1)) as reward:

            def rewarded(rollouts: list[Rollout]) -> object:
                tagged = [
                    Rollout(one.problem, f"<reasoning>{one.completion[:3]!r}</reasoning>")
                    for one in rollouts
                ]
                return reward(tagged)

            info = train(PROBLEMS, [], recipe, rewarded, tmp_path / "out")  # type: ignore[arg-type]
    assert 0.1 < info["invalid"] < 0.7  # two runs each: 1 - 0.8 x 0.8
    rows = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
