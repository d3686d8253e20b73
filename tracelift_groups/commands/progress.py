"""Progress of a long command: a live line on a terminal, quiet lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tracelift_groups.build import Progress

_LOG_EVERY_S = 15.0


@contextmanager
def progress_reporter(stream: TextIO) -> Iterator[Callable[[Progress], None]]:
    """Give a function that takes :class:`Progress` and shows it."""
    if stream.isatty():
        with _live(stream) as report:
            yield report
    else:
        yield _lines(stream)


@contextmanager
def _live(stream: TextIO) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("seeds", total=None)
        started, first = time.monotonic(), [-1]

        def report(progress: Progress) -> None:
            if first[0] < 0:
                first[0] = progress.done
            rate = (progress.done - first[0]) / max(time.monotonic() - started, 1e-9)
            text = f"{_counts(progress)}, {rate:.1f}/s"
            bar.update(task, total=progress.total, completed=progress.done, description=text)

        yield report


def _lines(stream: TextIO) -> Callable[[Progress], None]:
    last = [time.monotonic()]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if now - last[0] >= _LOG_EVERY_S:
            last[0] = now
            stream.write(f"{progress.done}/{progress.total} seeds: {_counts(progress)}\n")
            stream.flush()

    return report


def _counts(progress: Progress) -> str:
    """Groups and rejections, and what this command has asked and spent so far."""
    text = f"{progress.groups} groups, {progress.rejected} rejected"
    if progress.calls:
        money = "" if progress.usd is None else f", {progress.usd:.2f} USD"
        text += f"; {progress.calls} calls{money}"
    return text
