from __future__ import annotations

import asyncio
import gc
import json
import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.grpo.fakes import UNAVAILABLE, FakeExecutor, FakeRm
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.models import Model
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.reward import Reward, Rollout, Score
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.llm.request import Answer, Failed, Reply, Request
from tracelift_groups.llm.session import Session
from tracelift_groups.rm.item import Item

PROBLEM = Problem("p1", "math", "Six boxes of 7. How many?", "42")
OTHER = Problem("p2", "math", "Two boxes of 5. How many?", "10")
GOOD, HALF, BAD = "6 * 7 = 42", "42 or so", "6 + 7 = 13"


def replies(reasoning: str | None, sample: int) -> str:
    """The baseline knows one time in three; HALF leads there every second time."""
    if reasoning is None:
        return "42" if sample == 1 else "40"
    if reasoning == HALF:
        return "42" if sample % 2 == 0 else "41"
    return reasoning.rpartition(" ")[2]


def tagged(text: str) -> str:
    return f"<reasoning>{text}</reasoning>"


def rollout(text: str, problem: Problem = PROBLEM) -> Rollout:
    return Rollout(problem, tagged(text))


@contextmanager
def rewarding(
    executor: FakeExecutor | None = None, rm: FakeRm | None = None, **settings: Any
) -> Iterator[Reward]:
    executor = executor or FakeExecutor(replies)
    rm = rm or FakeRm(lambda text: 0.8 if text == GOOD else 0.4)
    with Reward(RewardSettings(**settings), executor.model(), rm=rm) as reward:
        yield reward


def test_success_and_rm_times_uplift() -> None:
    with rewarding() as reward:
        good, half, bad = reward([rollout(GOOD), rollout(HALF), rollout(BAD)])
    assert good.parts == {
        "length": 10.0,
        "format_ok": 1.0,
        "leaked": 0.0,
        "success": 1.0,
        "baseline": pytest.approx(1 / 3),
        "uplift": pytest.approx(2 / 3),
        "rm": 0.8,
    }
    assert good.value == pytest.approx(1.0 + 0.8 * (2 / 3))
    assert half.value == pytest.approx(2 / 3 + 0.4 * (1 / 3))
    assert bad.value == pytest.approx(0.0 + 0.4 * (-1 / 3))
    assert good.valid and half.valid and bad.valid


def test_the_published_formula_has_a_run_of_its_own() -> None:
    executor = FakeExecutor(replies)
    with rewarding(executor, formula="published_math") as reward:
        (half,) = reward([rollout(HALF)])
    # Runs 0 to 3 with the reasoning: right, wrong, right, wrong. The first is the verifier's.
    assert half.parts["success"] == pytest.approx(1 / 3)
    assert half.value == pytest.approx(0.5 + 0.5 * 0.4 * (1 / 3 - 1 / 3))
    assert len(executor.asked) == 4 + 3


def test_only_what_the_mode_needs_is_asked() -> None:
    executor, rm = FakeExecutor(replies), FakeRm(lambda text: 0.5)
    with rewarding(executor, rm, mode="exec_only") as reward:
        reward([rollout(GOOD)])
    assert [request.task for request in executor.asked] == ["execute"] * 3
    assert rm.batches == []


def test_a_batch_has_one_rm_call_and_one_baseline_a_problem() -> None:
    executor, rm = FakeExecutor(replies), FakeRm(lambda text: 0.5)
    with rewarding(executor, rm) as reward:
        reward([rollout(GOOD), rollout(BAD), rollout(GOOD, OTHER), rollout(GOOD)])
    assert len(rm.batches) == 1
    tasks = [request.task for request in executor.asked]
    assert tasks.count("baseline") == 2 * 3
    assert tasks.count("execute") == 3 * 3  # GOOD for PROBLEM is asked once


def test_a_baseline_is_asked_once_for_ever_and_again_where_it_failed() -> None:
    fails = [True]
    executor = failing(lambda text, n: text is None and n == 2 and fails[0])
    with rewarding(executor) as reward:
        assert not reward([rollout(GOOD)])[0].valid
        fails[0] = False
        assert reward([rollout(GOOD)])[0].valid
        asked = sum(request.task == "baseline" for request in executor.asked)
        assert reward([rollout(BAD)])[0].parts["baseline"] == pytest.approx(1 / 3)
    assert asked == sum(request.task == "baseline" for request in executor.asked) == 6


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ("no tags", "no_tags"),
        ("<reasoning>open", "unclosed"),
        (tagged("a") + tagged("b"), "several"),
        (tagged(" "), "empty"),
        (tagged("The answer is 42."), "empty"),
    ],
)
def test_no_reasoning_is_worth_the_least_and_asks_nothing(completion: str, reason: str) -> None:
    executor = FakeExecutor(replies)
    with rewarding(executor) as reward:
        (score,) = reward([Rollout(PROBLEM, completion)])
    assert score == Score(-1.0, True, score.parts, reason)
    assert score.parts["format_ok"] == 0.0
    assert executor.asked == []


def test_a_stated_answer_is_never_seen() -> None:
    executor, rm = FakeExecutor(replies), FakeRm(lambda text: 0.5)
    with rewarding(executor, rm) as reward:
        (score,) = reward([rollout(f"{BAD}\nThe answer is 42.")])
    assert score.parts["leaked"] == 1.0
    assert score.parts["success"] == 0.0
    assert rm.batches[0][0].reasoning == BAD
    assert not any("answer is 42" in request.prompt for request in executor.asked)


def test_a_stated_answer_may_be_forbidden() -> None:
    with rewarding(leak="forbid") as reward:
        (score,) = reward([rollout(f"{GOOD}\nThe answer is 42.")])
    assert (score.value, score.reason) == (-1.0, "leaked")


def test_the_gold_answer_is_in_no_prompt() -> None:
    executor = FakeExecutor(replies)
    secret = Problem("p3", "math", "A riddle.", "777123")
    with rewarding(executor) as reward:
        reward([rollout(GOOD, secret)])
    assert not any("777123" in request.prompt for request in executor.asked)


def failing(when: Callable[[str | None, int], bool]) -> FakeExecutor:
    return FakeExecutor(lambda text, n: UNAVAILABLE if when(text, n) else replies(text, n))


@pytest.mark.parametrize(
    ("executor", "rm", "reason"),
    [
        (failing(lambda text, n: text is None and n == 2), None, "executor: unavailable cut off"),
        (failing(lambda text, n: text == GOOD and n == 0), None, "executor: unavailable cut off"),
        (None, FakeRm(lambda text: None), "the reward model gave no score"),
        (None, FakeRm(lambda text: float("nan")), "the reward model gave no score"),
    ],
    ids=["baseline", "executor", "rm", "rm is no number"],
)
def test_a_failed_call_makes_no_number(
    executor: FakeExecutor | None, rm: FakeRm | None, reason: str
) -> None:
    with rewarding(executor, rm) as reward:
        (score,) = reward([rollout(GOOD)])
    assert score.value is None
    assert not score.valid
    assert score.reason == reason


@pytest.mark.parametrize("seed", range(5))
def test_failures_change_no_valid_score(seed: int) -> None:
    """Runs, baselines and RM scores fail here and there; what is valid is the same."""
    rng = random.Random(seed)
    texts = [f"{n} * 1 = {rng.choice([42, 10, 13])}" for n in range(12)]
    batch = [rollout(text, problem) for text in texts for problem in (PROBLEM, OTHER)]
    broken = {n for n in range(4000) if rng.random() < 0.05}
    calls = [0]

    def faulty(text: str | None, sample: int) -> str | Failed:
        calls[0] += 1
        return UNAVAILABLE if calls[0] in broken else replies(text, sample)

    with rewarding() as reward:
        whole = reward(batch)
    unscored = set(rng.sample(texts, 2))
    rm = FakeRm(lambda text: None if text in unscored else 0.4)
    with rewarding(FakeExecutor(faulty), rm) as reward:
        partly = reward(batch)
    assert 0 < sum(score.valid for score in partly) < len(batch)
    for score, expected in zip(partly, whole, strict=True):
        if score.valid:
            assert score == expected
        else:
            assert score.value is None


@pytest.mark.parametrize("reason", ["truncated", "refused", "empty", "too_long"])
def test_what_the_executor_does_itself_is_no_success(reason: str) -> None:
    def reply(text: str | None, sample: int) -> str | Failed:
        return replies(text, sample) if text is None else Failed(reason)  # type: ignore[arg-type]

    with rewarding(FakeExecutor(reply)) as reward:
        (score,) = reward([rollout(BAD)])
    assert score.valid
    assert score.parts["success"] == 0.0


@pytest.mark.parametrize(("cut", "said"), [(True, 1), (False, 0)])
def test_an_executor_that_never_ends_is_told_of_once(
    cut: bool, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    def reply(text: str | None, sample: int) -> str | Failed:
        return Failed("truncated") if cut and sample else "42"

    with rewarding(FakeExecutor(reply)) as reward:
        for step in range(8):
            reward([rollout(f"{step} {n}") for n in range(4)])
    assert [record.message[:33] for record in caplog.records] == [
        "22 of the executor's first 33 rep"
    ] * said


def test_a_score_does_not_depend_on_its_batch() -> None:
    texts = [GOOD, HALF, BAD, "1", "2", "3"]
    batch = [rollout(text, problem) for text in texts for problem in (PROBLEM, OTHER)]
    with rewarding() as reward:
        together = reward(batch)
        alone = [reward([one])[0] for one in batch]
        backwards = reward(batch[::-1])[::-1]
    assert together == alone == backwards


def test_an_empty_batch() -> None:
    with rewarding() as reward:
        assert reward([]) == []


def test_from_several_threads_and_from_another_loop() -> None:
    with rewarding() as reward:
        expected = reward([rollout(GOOD)])
        found: list[list[Score]] = []
        threads = [
            threading.Thread(target=lambda: found.append(reward([rollout(GOOD)]))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 8
        assert asyncio.run(reward.ascore([rollout(GOOD)])) == expected


def test_closing_twice_and_leaving_no_thread() -> None:
    before = threading.active_count()
    rm = FakeRm(lambda text: 0.5)
    reward = Reward(RewardSettings(), FakeExecutor(replies).model(), rm=rm)
    reward([rollout(GOOD)])
    reward.close()
    reward.close()
    assert rm.closed
    assert threading.active_count() == before


@dataclass
class SlowExecutor(FakeExecutor):
    """Says when it is asked, and takes its time."""

    begun: threading.Event = field(default_factory=threading.Event)

    async def ask(self, request: Request) -> Answer:
        self.begun.set()
        await asyncio.sleep(0.3)
        return Reply("42")


class SlowRm(FakeRm):
    async def score(self, items: Sequence[Item]) -> list[float | None]:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")


def test_closing_ends_a_batch_that_another_thread_waits_for() -> None:
    executor, said = SlowExecutor(replies), []
    reward = Reward(RewardSettings(), executor.model(), rm=SlowRm(lambda text: 0.5))

    def ask() -> None:
        try:
            reward([rollout(GOOD)])
        except BaseException as error:
            said.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    executor.begun.wait()
    reward.close()
    thread.join(10)
    assert said == [CancelledError]


def test_ctrl_c_closes_everything(caplog: pytest.LogCaptureFixture) -> None:
    before = threading.active_count()
    executor, rm = SlowExecutor(replies), SlowRm(lambda text: 0.5)

    def interrupt() -> None:
        executor.begun.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with (
        pytest.raises(KeyboardInterrupt),
        Reward(RewardSettings(), executor.model(), rm=rm) as reward,
    ):
        reward([rollout(GOOD)])
    thread.join()
    assert rm.closed
    assert threading.active_count() == before
    del reward
    gc.collect()
    assert not caplog.records  # such as "Task was destroyed but it is pending"


def test_what_fails_to_close_keeps_nothing_else_open() -> None:
    class Stuck(FakeRm):
        async def close(self) -> None:
            raise RuntimeError("the reward model does not let go")

    before = threading.active_count()
    closed: list[str] = []

    class Watched(Verifier):
        def close(self) -> None:
            super().close()
            closed.append("verifier")

    executor = Model("fake", Session(FakeExecutor(replies)), on_close=lambda: closed.append("one"))
    judge = Model("fake", Session(FakeExecutor(replies)), on_close=lambda: closed.append("two"))
    rm = Stuck(lambda text: 0.5)
    reward = Reward(RewardSettings(), executor, rm=rm, judge=judge, verifier=Watched())
    reward([rollout(GOOD)])
    with pytest.raises(RuntimeError, match="does not let go"):
        reward.close()
    assert closed == ["one", "two", "verifier"]
    assert threading.active_count() == before


def test_what_is_to_be_mended_is_raised() -> None:
    def down(text: str | None, sample: int) -> str:
        raise UserError("the endpoint does not answer")

    with rewarding(FakeExecutor(down)) as reward, pytest.raises(UserError, match="does not answer"):
        reward([rollout(GOOD), rollout(BAD)])


@pytest.mark.parametrize(("mode", "said"), [("tracelift", "--rm"), ("llm_judge", "--judge")])
def test_a_mode_without_what_it_needs(mode: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Reward(RewardSettings(mode=mode), FakeExecutor(replies).model())


def test_a_judge_in_the_place_of_the_reward_model() -> None:
    def judged(_: str | None, sample: int) -> str:
        names = (
            "problem_understanding solution_strategy step_coherence calculation_correctness "
            "answer_support"
        ).split()
        return json.dumps({name: {"reason": "fine", "score": 8} for name in names})

    settings = RewardSettings(mode="llm_judge")
    judge = FakeExecutor(judged)
    with Reward(settings, FakeExecutor(replies).model(), judge=judge.model()) as reward:
        (score,) = reward([rollout(GOOD)])
    assert score.parts["judge"] == pytest.approx(0.8)
    assert score.value == pytest.approx(1.8)


def test_a_judge_that_says_nothing_readable_makes_no_number() -> None:
    judge = FakeExecutor(lambda text, sample: "very good!")
    settings = RewardSettings(mode="llm_judge")
    with Reward(settings, FakeExecutor(replies).model(), judge=judge.model()) as reward:
        (score,) = reward([rollout(GOOD)])
    assert (score.value, score.reason) == (None, "the judge gave no verdict")


CODE = Problem(
    "c1",
    "code",
    "Read n, print 2 n.",
    tests=json.dumps([{"input": f"{n}\n", "output": f"{2 * n}\n"} for n in range(4)]),
)
PROGRAMS = {
    "double it": "print(2 * int(input()))",
    "square it": "print(int(input()) ** 2)",
    "crash": "1 / 0",
    "say nothing": "",
}


def test_programs_are_run_and_the_published_code_formula(isolated: None) -> None:
    def reply(text: str | None, sample: int) -> str:
        code = PROGRAMS["square it" if text is None else text]
        return f"```python\n{code}\n```" if code else "no idea"

    settings = {"formula": "published_code"}
    with rewarding(FakeExecutor(reply), FakeRm(lambda text: 0.5), **settings) as reward:
        good, square, crash, nothing = reward([rollout(text, CODE) for text in PROGRAMS])
    assert good.value == pytest.approx(1.0)  # clamped from 1 + 0.2 x 0.5
    # 0 and 2 are right: pass rate 0.5, it ran; both sides never pass all tests.
    assert square.value == pytest.approx(0.8 * 0.5 + 0.2)
    assert crash.value == pytest.approx(0.05)
    assert nothing.value == pytest.approx(0.0)
    assert good.parts["uplift"] == 1.0


@pytest.fixture
def isolated() -> None:
    from tracelift_groups.verify.code import CodeVerifier

    try:
        CodeVerifier(1).close()
    except UserError as error:
        pytest.skip(str(error))


def test_unusable_tests_are_not_a_zero() -> None:
    broken = Problem("c2", "code", "Print 1.", tests="no json")
    executor = FakeExecutor(lambda text, sample: "print(1)")
    with rewarding(executor, mode="exec_only") as reward:
        (score,) = reward([rollout("print 1", broken)])
    assert not score.valid
    assert "unusable tests" in score.reason
