"""Progress of scoring: a moving line on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.2, 30.0


def counting_reporter(stream: TextIO, what: str) -> Callable[[int, int], None]:
    """Give a function that takes how many items are done, and of how many, and shows it.

    A count of fewer than before belongs to another round, which is timed from there on.
    """
    terminal = stream.isatty()
    every_s = _TERMINAL_EVERY_S if terminal else _LOG_EVERY_S
    began = time.monotonic()
    last = [0, began, began, 0]  # items; the round's start; last told; items before the start

    def report(done: int, total: int) -> None:
        now = time.monotonic()
        if done < last[0]:
            last[1], last[3] = now, done
        last[0] = done
        if terminal and done == total:
            stream.write("\r\x1b[K")
        elif now - last[2] >= every_s:
            last[2] = now
            text = f"{what}: {done}/{total}"
            if done > last[3]:
                rate = (done - last[3]) / max(now - last[1], 1e-9)
                text += f", {rate:.0f}/s, {(total - done) / rate:.0f} s left"
            stream.write(f"\r\x1b[K{text}" if terminal else f"{text}\n")
        stream.flush()

    return report
