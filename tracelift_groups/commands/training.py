"""Progress of a training: a moving line on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tracelift_groups.rm.loop import Report

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.2, 30.0


def training_reporter(stream: TextIO) -> Callable[[Report], None]:
    """Give a function that takes the :class:`Report` of a step and shows it.

    In a log, every evaluation gets a line as well.
    """
    terminal = stream.isatty()
    every_s = _TERMINAL_EVERY_S if terminal else _LOG_EVERY_S
    started = time.monotonic()
    first: list[int] = []  # steps done before this process began
    told: tuple[float, object] = (started, None)  # when, and the accuracy then

    def report(now_at: Report) -> None:
        nonlocal told
        if not first:
            first.append(now_at.step - 1)
        now = time.monotonic()
        evaluated = now_at.accuracy is not None and now_at.accuracy is not told[1]
        over = now_at.step == now_at.steps
        if now - told[0] < every_s and not evaluated and not over:
            return
        told = (now, now_at.accuracy)
        rate = (now_at.step - first[0]) / max(now - started, 1e-9)
        left = clock((now_at.steps - now_at.step) / rate)
        text = (
            f"step {now_at.step}/{now_at.steps}, epoch {now_at.epoch}: loss {now_at.loss:.3f}, "
            f"{now_at.groups_per_s:.1f} groups/s, {left} left"
        )
        if now_at.accuracy is not None:
            text += f", held out {now_at.accuracy.group:.3f} of groups"
        end = "\n" if over else ""
        stream.write(f"\r\x1b[K{text}{end}" if terminal else f"{text}\n")
        stream.flush()

    return report


def clock(seconds: float) -> str:
    """Write a duration as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
