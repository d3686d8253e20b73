"""A pool of zygotes: bounded, self-tested, and whole again after one of them dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

from tracelift_groups.verify.sandbox import canary, host
from tracelift_groups.verify.sandbox.model import (
    FunctionJob,
    FunctionResult,
    InfraError,
    Isolation,
    Layers,
    ProgramJob,
    RunResult,
    SandboxUnavailableError,
)
from tracelift_groups.verify.sandbox.worker import Worker

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_ATTEMPTS = 3
_MAX_WORKERS = 64


class SandboxPool:
    """Runs programs in isolation.

    The first zygote starts, and proves its isolation, when the pool is made; the others when they
    are first needed. Safe to use from several threads. Not usable in a forked copy of the process
    that made it.

    Args:
        workers: Runs at the same time, 1-64; None for the processors this process may use.
        packages: Packages to preload in every zygote, such as ("numpy",): importing them then
            costs a program next to nothing. Other installed packages are out of reach.
        unsafe: Accept less isolation than needed and a failing self-test.
        layers: Layers to try; for tests.

    Raises:
        SandboxUnavailableError: This machine cannot isolate programs well enough.
        UserError: A package is not installed.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        packages: tuple[str, ...] = (),
        unsafe: bool = False,
        layers: Layers = Layers(),  # noqa: B008 - frozen
    ) -> None:
        host.require_supported(host.describe())
        self.workers = min(_MAX_WORKERS, max(1, workers or len(os.sched_getaffinity(0))))
        self._packages, self._unsafe = packages, unsafe
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._started: set[Worker] = set()
        self._closed = False
        self._next_seed = self._owner * 7
        self._layers, first = self._settle(layers)
        self.isolation: Isolation = first.isolation
        _log.info("sandbox isolation: %s", self.isolation.tier)
        self._idle: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(self.workers - 1):
            self._idle.put(None)
        self._idle.put(first)
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")

    def _settle(self, wanted: Layers) -> tuple[Layers, Worker]:
        """Finds the strongest layers that start here and pass the self-test."""
        attempts = [wanted]
        if wanted.namespaces:
            attempts.append(replace(wanted, namespaces=False))
        if self._unsafe:
            attempts.append(Layers(landlock=False, seccomp=False, namespaces=False))
        problems = []
        for layers in attempts:
            try:
                worker = self._start(layers)
            except InfraError as error:
                problems.append(f"{_names(layers)}: {error}")
                continue
            if worker.isolation.sufficient or self._unsafe:
                return layers, worker
            problems.append(f"{worker.isolation.tier} alone is not enough")
            self._discard(worker)
        raise SandboxUnavailableError(
            f"programs cannot be isolated here ({'; '.join(problems)})",
            where="sandbox",
            way_out="use --sandbox-url, allow user namespaces or Landlock, or accept less with "
            "--unsafe-local-exec",
        )

    def _start(self, layers: Layers) -> Worker:
        with self._lock:
            self._next_seed += 1
            seed = self._next_seed
        worker = Worker(self._packages, layers, seed)
        try:
            succeeded = canary.attacks_that_succeed(worker)
        except BaseException:
            worker.close()
            raise
        if succeeded and not self._unsafe:
            worker.close()
            raise InfraError(f"self-test: a program could {', '.join(succeeded)}")
        if succeeded:
            _log.warning("unsafe local execution: a program could %s", ", ".join(succeeded))
        with self._lock:
            self._started.add(worker)
        return worker

    def _discard(self, worker: Worker) -> None:
        with self._lock:
            self._started.discard(worker)
        worker.close()

    def _attempt(self, action: Callable[[Worker], _Result]) -> _Result:
        """Runs on a free worker; a worker that fails is replaced and the run repeated."""
        if os.getpid() != self._owner:
            raise RuntimeError("a sandbox pool does not survive fork(): make one in this process")
        if self._closed:
            raise RuntimeError("the sandbox pool is closed")
        worker = self._idle.get()
        try:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    if worker is None:
                        worker = self._start(self._layers)
                    return action(worker)
                except InfraError as error:
                    _log.warning("sandbox, attempt %d of %d: %s", attempt, _ATTEMPTS, error)
                    if worker is not None:
                        self._discard(worker)
                        worker = None
                    if attempt == _ATTEMPTS:
                        raise
            raise AssertionError("unreachable")
        finally:
            self._idle.put(worker)

    def run(self, job: ProgramJob) -> RunResult:
        """Runs a program.

        Raises:
            InfraError: The sandbox failed three times; nothing is known about the program.
        """
        return self._attempt(lambda worker: worker.run(job))

    def check(self, job: FunctionJob) -> FunctionResult:
        """Runs a candidate against its tests; raises like `run`."""
        return self._attempt(lambda worker: worker.check(job))

    def run_many(self, jobs: Iterable[ProgramJob]) -> list[RunResult | InfraError]:
        """Runs programs side by side; results in the order of the jobs, failures as data."""

        def guarded(job: ProgramJob) -> RunResult | InfraError:
            try:
                return self.run(job)
            except InfraError as error:
                return error

        return list(self._executor.map(guarded, jobs))

    async def arun(self, job: ProgramJob) -> RunResult:
        """`run` for asyncio: at most `workers` of them are in progress, the rest wait."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.run, job)

    async def acheck(self, job: FunctionJob) -> FunctionResult:
        """`check` for asyncio."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.check, job)

    def pids(self) -> list[int]:
        """Process ids of the zygotes that are up."""
        with self._lock:
            return sorted(worker.pid for worker in self._started)

    def close(self) -> None:
        """Ends all zygotes; runs in progress end as `InfraError`."""
        if os.getpid() != self._owner or self._closed:
            return
        self._closed = True
        with self._lock:
            started, self._started = self._started, set()
        for worker in started:
            worker.close()
        with contextlib.suppress(RuntimeError):
            self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _names(layers: Layers) -> str:
    used = [name for name in ("namespaces", "landlock", "seccomp") if getattr(layers, name)]
    return "+".join(used) or "no layers"
