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
            text = f"{progress.groups} groups, {progress.rejected} rejected, {rate:.0f}/s"
            bar.update(task, total=progress.total, completed=progress.done, description=text)

        yield report


def _lines(stream: TextIO) -> Callable[[Progress], None]:
    last = [time.monotonic()]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if now - last[0] >= _LOG_EVERY_S:
            last[0] = now
            stream.write(
                f"{progress.done}/{progress.total} seeds: {progress.groups} groups, "
                f"{progress.rejected} rejected\n"
            )
            stream.flush()

    return report
