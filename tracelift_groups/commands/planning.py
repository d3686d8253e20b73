"""Progress of a planner's training: a moving line on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from tracelift_groups.commands.training import clock

if TYPE_CHECKING:
    from tracelift_groups.grpo.train import Report

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.2, 15.0
_SHOWN = ("reward", "success", "uplift", "rm", "held_out_success")


def planning_reporter(stream: TextIO) -> Callable[[Report], None]:
    """Give a function that takes the :class:`Report` of a step and shows it; signs are always."""
    terminal = stream.isatty()
    every_s = _TERMINAL_EVERY_S if terminal else _LOG_EVERY_S
    started = time.monotonic()
    first: list[int] = []  # steps done before this process began
    told = [float("-inf")]

    def report(now_at: Report) -> None:
        if not first:
            first.append(now_at.step - 1)
        now = time.monotonic()
        for sign in now_at.signs:
            stream.write(f"{chr(13)}\x1b[K" if terminal else "")
            stream.write(f"step {now_at.step}: look into this: {sign}\n")
        over = now_at.step == now_at.steps
        if now - told[0] < every_s and not over and "held_out_success" not in now_at.figures:
            return
        told[0] = now
        rate = (now_at.step - first[0]) / max(now - started, 1e-9)
        figures = now_at.figures
        parts = [f"{name} {figures[name]:.3f}" for name in _SHOWN if name in figures]
        parts += [f"invalid {figures['invalid']:.0%}"] if figures.get("invalid") else []
        left = clock((now_at.steps - now_at.step) / rate)
        text = f"step {now_at.step}/{now_at.steps}: {', '.join(parts)}, {left} left"
        stream.write(f"\r\x1b[K{text}{'' if not over else chr(10)}" if terminal else f"{text}\n")
        stream.flush()

    return report
