"""Progress of a long command: a moving line on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time

from tracelift_groups.verify.rows import BadRow, Row
from tracelift_groups.verify.verdict import Result

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.2, 30.0


class Progress:
    """Counts rows on standard error, and names each bad one as it comes.

    Args:
        name: What the command does.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._terminal = sys.stderr.isatty()
        self._started = self._told = time.monotonic()
        self._done = 0

    def row(self, row: Row | BadRow, result: Result) -> None:
        """Notes one finished row."""
        self._done += 1
        if isinstance(row, BadRow):
            self._line(result.detail)
        now = time.monotonic()
        if now - self._told >= (_TERMINAL_EVERY_S if self._terminal else _LOG_EVERY_S):
            self._told = now
            rate = self._done / max(now - self._started, 1e-9)
            text = f"{self._name}: {self._done} rows, {rate:.1f} rows/s"
            if self._terminal:
                sys.stderr.write(f"\r\x1b[K{text}")
                sys.stderr.flush()
            else:
                self._line(text)

    def _line(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")

    def close(self) -> None:
        """Clears the moving line."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
