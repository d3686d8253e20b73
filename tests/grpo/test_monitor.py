from __future__ import annotations

import json

import pytest

from tracelift_groups.grpo.monitor import Monitor

CALM = {"success": 0.5, "uplift": 0.1, "rm": 0.6, "length": 200.0, "leaked": 0.0, "tag_games": 0.0}


def signs_of(steps: list[dict[str, float]], window: int = 4) -> list[str]:
    monitor = Monitor(window)
    return [sign.name for step in steps for sign in monitor.update(step)]


def test_nothing_is_said_of_a_calm_training() -> None:
    assert signs_of([CALM] * 20) == []


def test_nothing_is_said_before_the_window_is_full() -> None:
    assert signs_of([{**CALM, "leaked": 1.0}] * 3) == []
    assert signs_of([{**CALM, "leaked": 1.0}] * 4) == ["leaks"]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({"rm": 0.7}, ["rm_up_alone"]),
        ({"rm": 0.7, "success": 0.45}, ["rm_up_alone"]),
        ({"rm": 0.7, "success": 0.6}, []),
        ({"rm": 0.7, "uplift": 0.2}, []),
        ({"rm": 0.64}, []),
        ({"rm": 0.5}, []),
        ({"length": 320.0}, ["length_drift"]),
        ({"length": 120.0}, ["length_drift"]),
        ({"length": 280.0}, []),
        ({"tag_games": 0.2}, ["tag_games"]),
        ({"leaked": 0.2}, ["leaks"]),
        ({"rm": 0.96, "success": 0.9}, ["rm_saturated"]),
    ],
)
def test_what_is_said_when_the_later_steps_differ(
    later: dict[str, float], expected: list[str]
) -> None:
    assert signs_of([CALM] * 4 + [{**CALM, **later}] * 4) == expected


def test_a_sign_is_told_once_and_again_after_it_was_gone() -> None:
    leaky = {**CALM, "leaked": 1.0}
    assert signs_of([CALM] * 4 + [leaky] * 10) == ["leaks"]
    assert signs_of([CALM] * 4 + [leaky] * 4 + [CALM] * 8 + [leaky] * 4) == ["leaks", "leaks"]


def test_what_is_not_measured_raises_no_sign() -> None:
    bare = {"length": 200.0, "leaked": 0.0, "tag_games": 0.0, "rm": 0.5}
    assert signs_of([bare] * 4 + [{**bare, "rm": 0.9}] * 4) == []


def test_the_steps_of_each_sign_are_counted() -> None:
    monitor = Monitor(2)
    for leaked in (0.0, 0.0, 1.0, 1.0, 1.0):
        monitor.update({**CALM, "leaked": leaked})
    assert monitor.seen == {"leaks": 3}


def test_it_goes_on_from_a_checkpoint() -> None:
    steps = [CALM] * 5 + [{**CALM, "rm": 0.9, "length": 400.0}] * 7
    whole, first = Monitor(4), Monitor(4)
    told = [[sign.text for sign in whole.update(step)] for step in steps]
    for step in steps[:7]:
        first.update(step)
    second = Monitor(4)
    second.load_state(json.loads(json.dumps(first.state())))
    assert [[sign.text for sign in second.update(step)] for step in steps[7:]] == told[7:]
    assert second.seen == whole.seen
