from __future__ import annotations

import io

import pytest

from tracelift_groups.commands import counting


def test_a_log_gets_a_line_now_and_then_and_rounds_are_timed_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    report = counting.counting_reporter(stream, "scored")
    for at, done in ((10, 100), (40, 400), (50, 600), (60, 600), (80, 50), (120, 90)):
        clock[0] = at
        report(done, 600)
    assert stream.getvalue().splitlines() == [
        "scored: 400/600, 10/s, 20 s left",
        "scored: 50/600",
        "scored: 90/600, 1/s, 510 s left",
    ]
