"""Symbolic comparison of two answers, in a process that can be killed."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from typing import IO

from tracelift_groups.verify.sandbox.model import InfraError

_GRACE_S = 30.0
_ATTEMPTS = 2


class SymbolicError(Exception):
    """The comparison did not come to an end; the message says how: "timeout" or "crashed"."""


class _Worker:
    """One process of `symbolic_worker`."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tracelift_groups.verify.symbolic_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            start_new_session=True,
        )
        if self._line(_GRACE_S * 2) != "ready":
            self.close()
            raise InfraError("the process for symbolic comparison did not start (math-verify?)")

    def _line(self, seconds: float) -> str:
        """One line of output; "" when the process is gone or silent for too long."""
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            return _file(self._process.stdout).readline().strip()
        finally:
            timer.cancel()

    def ask(self, gold: str, answer: str, seconds: float) -> bool | str:
        try:
            stdin = _file(self._process.stdin)
            stdin.write(json.dumps([gold, answer, seconds]) + "\n")
            stdin.flush()
        except OSError as error:
            raise InfraError("the process for symbolic comparison is gone") from error
        line = self._line(seconds + _GRACE_S)
        if not line:
            raise InfraError("the process for symbolic comparison is gone")
        outcome: bool | str = json.loads(line)
        return outcome

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _file(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


class SymbolicComparer:
    """Compares LaTeX answers with `math-verify`. Safe to use from several threads.

    Processes start when first needed: importing the library takes a second or two.

    Args:
        workers: Comparisons at the same time.
        wall_s: Seconds for one comparison; what takes longer is killed.
    """

    def __init__(self, workers: int = 1, wall_s: float = 5.0) -> None:
        self.wall_s = wall_s
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        self._workers = workers
        for _ in range(workers):
            self._idle.put(None)

    def agree(self, gold: str, answer: str) -> bool:
        """Whether two LaTeX expressions are equal.

        Raises:
            SymbolicError: The comparison took too long, or crashed twice.
            InfraError: The process could not be started, or was killed from outside.
        """
        worker = self._idle.get()
        try:
            outcome: bool | str = "crashed"
            for attempt in range(_ATTEMPTS):
                try:
                    worker = worker or _Worker()
                    outcome = worker.ask(gold, answer, self.wall_s)
                except InfraError:
                    if worker is not None:
                        worker.close()
                        worker = None
                    if attempt + 1 == _ATTEMPTS:
                        raise
                    continue
                if outcome != "crashed":
                    break
        finally:
            self._idle.put(worker)
        if isinstance(outcome, str):
            raise SymbolicError(outcome)
        return outcome

    def close(self) -> None:
        """Ends the processes."""
        for _ in range(self._workers):
            worker = self._idle.get()
            if worker is not None:
                worker.close()
            self._idle.put(None)
