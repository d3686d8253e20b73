"""Progress of scoring: a moving line on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.2, 30.0


def counting_reporter(stream: TextIO, what: str) -> Callable[[int, int], None]:
    """Give a function that takes how many items are done, and of how many, and shows it.

    A new count of zero or fewer than before starts another round.
    """
    terminal = stream.isatty()
    every_s = _TERMINAL_EVERY_S if terminal else _LOG_EVERY_S
    last = [0, time.monotonic(), time.monotonic()]  # items, start of the round, last told

    def report(done: int, total: int) -> None:
        now = time.monotonic()
        if done < last[0]:
            last[1] = now
        last[0] = done
        if terminal and done == total:
            stream.write("\r\x1b[K")
        elif now - last[2] >= every_s:
            last[2] = now
            rate = done / max(now - last[1], 1e-9)
            left = f", {(total - done) / rate:.0f} s left" if rate else ""
            text = f"{what}: {done}/{total}, {rate:.0f}/s{left}"
            stream.write(f"\r\x1b[K{text}" if terminal else f"{text}\n")
        stream.flush()

    return report
