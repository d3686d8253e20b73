"""A pure function over many items with a few processes, in order, with bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_CHUNKS_AHEAD = 4


def default_workers() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[list[T]], list[R]], items: Iterable[T], workers: int, *, chunk: int = 16
) -> Iterator[list[R]]:
    """Yield ``function(items)`` for ``chunk`` of the items at a time, in the order of the items.

    One worker runs here, without another process. At most a few chunks per worker are in flight,
    so a long input is not read ahead of the work.
    """
    iterator = iter(items)
    if workers <= 1:
        while some := list(islice(iterator, chunk)):
            yield function(some)
        return
    # Spawned, not forked: this process has threads, and a worker needs only the engine's imports.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent) as pool:
        pending: deque[Future[list[R]]] = deque()
        while True:
            while len(pending) < workers * _CHUNKS_AHEAD:
                some = list(islice(iterator, chunk))
                if not some:
                    break
                pending.append(pool.submit(function, some))
            if not pending:
                return
            yield pending.popleft().result()


def _die_with_parent() -> None:
    """End this worker when its parent is gone, even if that was killed."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
