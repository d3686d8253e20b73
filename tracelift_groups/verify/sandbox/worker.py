"""The toolkit's end of one zygote: starts it, hands it jobs, reads the files that come back."""

from __future__ import annotations

import array
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, cast

from tracelift_groups.verify.sandbox import layout, testcode
from tracelift_groups.verify.sandbox.jail import protocol
from tracelift_groups.verify.sandbox.jail.tester import Verdict
from tracelift_groups.verify.sandbox.model import (
    Ending,
    FunctionJob,
    FunctionResult,
    InfraError,
    Isolation,
    Layers,
    Limits,
    Outcome,
    ProgramJob,
    RunResult,
)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


HOT_MODULES = _split(
    """array atexit bisect collections contextlib copy datetime decimal fractions functools heapq
    io itertools json math operator re string time traceback types typing"""
)
"""Preloaded in every zygote: what programs import most. Each costs every fork page faults;
threading 105 of them (0.5 ms) and random 38 for what they do after a fork, so neither is here."""

# Without numpy.random: what it does after a fork costs every numpy program 1.2-2.4 ms of its 4-6.
_NUMPY_PARTS = ("linalg", "fft")
_START_TIMEOUT_S = 60.0
_ANSWER_GRACE_S = 10.0
_STDERR_TAIL_BYTES = 4096
_TASKS = 256
_COUNT_TASKS_EVERY_S = 10.0
# Not -I: it would ignore PYTHONHASHSEED, and sets would print in another order in every zygote.
_INTERPRETER_OPTIONS = ("-s", "-P", "-S", "-B")
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_START_CODE = (
    "import sys; sys.path.insert(0, {folder!r}); from jail import zygote; sys.path.pop(0); "
    "zygote.main()"
)
_alive: weakref.WeakSet[Worker] = weakref.WeakSet()


def _memory_file(content: bytes = b"") -> int:
    descriptor = os.memfd_create("sandbox", os.MFD_CLOEXEC)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    if content:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _STDERR_TAIL_BYTES)
    return os.pread(descriptor, _STDERR_TAIL_BYTES, start).decode(errors="replace")


@functools.lru_cache(maxsize=1)
def _own_tasks(_period: int) -> int:
    """Processes and threads of this user, which the kernel's limit counts together."""
    uid, count = os.getuid(), 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except (OSError, ValueError):
            continue
        if int(fields["Uid"].split()[0]) == uid:
            count += int(fields["Threads"])
    return count


def _submodules(packages: tuple[str, ...]) -> list[str]:
    """Parts of packages that importing the package leaves for later."""
    return [f"numpy.{part}" for part in _NUMPY_PARTS] if "numpy" in packages else []


class Worker:
    """One zygote and its control socket. Not safe for use by two threads at once.

    Args:
        packages: Packages to preload, such as ("numpy",).
        layers: Layers of isolation to ask for.
        seed: Tells workers apart; with it the user id of programs, where root may choose one.

    Raises:
        InfraError: The zygote did not start; the message is its own.
    """

    def __init__(self, packages: tuple[str, ...], layers: Layers, seed: int) -> None:
        self._process, self._control = self._spawn()
        try:
            self.isolation = self._introduce(packages, layers, seed)
        except BaseException:
            self.close()
            raise
        _alive.add(self)

    @staticmethod
    def _spawn() -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = str(Path(__file__).parent)
        with theirs:
            process = subprocess.Popen(
                [
                    *(sys.executable, *_INTERPRETER_OPTIONS, "-c"),
                    _START_CODE.format(folder=folder),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        ours.settimeout(_START_TIMEOUT_S)
        return process, ours

    def _introduce(self, packages: tuple[str, ...], layers: Layers, seed: int) -> Isolation:
        found = layout.find(packages)
        config = protocol.Config(
            readable=found.readable,
            listable=found.listable,
            devices=list(layout.DEVICES),
            preload=[*HOT_MODULES, *packages, *_submodules(packages)],
            preload_path=found.preload_path,
            landlock=layers.landlock,
            seccomp=layers.seccomp,
            namespaces=layers.namespaces,
            seed=seed,
        )
        try:
            self._control.send(json.dumps(config).encode())
            answer = self._control.recv(1 << 16)
        except OSError as error:
            raise InfraError(f"the sandbox process did not start: {error}") from error
        if not answer:
            raise InfraError("the sandbox process ended while starting")
        hello = cast(protocol.Hello, json.loads(answer))
        if hello["error"]:
            raise InfraError(hello["error"])
        return Isolation(
            landlock=hello["landlock"],
            seccomp=hello["seccomp"],
            namespaces=hello["namespaces"],
            uid=hello["uid"],
        )

    def _job(self, kind: Literal["program", "function"], limits: Limits) -> protocol.Job:
        tasks = _TASKS
        if os.getuid() != 0 and not self.isolation.namespaces:
            # Programs run as this user, whose other processes come and go.
            tasks += _own_tasks(int(time.monotonic() / _COUNT_TASKS_EVERY_S))
        return protocol.Job(
            kind=kind,
            cpu_s=limits.cpu_s,
            wall_s=limits.wall,
            memory_bytes=limits.memory_mib << 20,
            output_bytes=limits.output_bytes,
            tasks=tasks,
        )

    @property
    def pid(self) -> int:
        """Process id of the zygote, or of the process it lives in."""
        return self._process.pid

    def close(self) -> None:
        """Ends the zygote and whatever it runs."""
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Drops the socket in a forked copy of the toolkit, where the zygote is not ours."""
        self._control.close()

    def _ask(
        self, job: protocol.Job, descriptors: list[int], sent: Callable[[], None] = lambda: None
    ) -> protocol.Done:
        rights = array.array("i", descriptors)
        try:
            self._control.settimeout(job["wall_s"] + _ANSWER_GRACE_S)
            self._control.sendmsg(
                [json.dumps(job).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            )
            sent()
            answer = self._control.recv(1 << 16)
        except OSError as error:
            raise InfraError(f"the sandbox process does not answer: {error}") from error
        if not answer:
            raise InfraError("the sandbox process ended in the middle of a run")
        return cast(protocol.Done, json.loads(answer))

    def run(self, job: ProgramJob) -> RunResult:
        """Runs a program; raises `InfraError` when the sandbox failed rather than the program."""
        with _files(job.code.encode(errors="replace"), job.stdin.encode(errors="replace")) as (
            code,
            stdin,
            stdout,
            stderr,
        ):
            done = self._ask(self._job("program", job.limits), [code, stdin, stdout, stderr])
            written = os.fstat(stdout).st_size
            ending = _ending(done, _tail(stderr))
            return RunResult(
                ending=ending,
                exit_code=os.waitstatus_to_exitcode(done["judged_status"]),
                stdout=os.pread(stdout, job.limits.output_bytes, 0) if written else b"",
                stderr=_tail(stderr),
                output_overflow=written >= job.limits.output_bytes,
                cpu_s=done["cpu_s"],
                wall_s=done["wall_s"],
                peak_mib=done["peak_kib"] / 1024,
            )

    def check(self, job: FunctionJob) -> FunctionResult:
        """Runs a candidate against its tests; raises `InfraError` as `run` does."""
        try:
            prepared = testcode.dumped(job.setup, job.tests, job.entry_point)
        except testcode.UNREADABLE as error:
            return unusable_tests(error)
        ours, theirs = socket.socketpair()
        with (
            ours,
            theirs,
            _files(job.code.encode(errors="replace"), prepared) as (
                code,
                tests,
                stderr,
                tester_stderr,
            ),
            _files() as (verdict, _),
        ):
            calls, tester_calls = ours.fileno(), theirs.fileno()
            descriptors = [code, stderr, calls, tests, tester_stderr, tester_calls, verdict]

            def hang_up() -> None:  # or neither process would notice the other's end
                ours.close()
                theirs.close()

            done = self._ask(self._job("function", job.limits), descriptors, hang_up)
            size = os.fstat(verdict).st_size
            report = os.pread(verdict, size, 0) if size and not done["stopped"] else b""
            return _function_result(done, report, _tail(stderr), _tail(tester_stderr))


@contextlib.contextmanager
def _files(*contents: bytes) -> Iterator[list[int]]:
    """Memory files with the given contents, and two empty ones for what comes back."""
    descriptors: list[int] = []
    try:
        descriptors += [_memory_file(content) for content in contents]
        descriptors += [_memory_file(), _memory_file()]
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def unusable_tests(error: Exception) -> FunctionResult:
    """The result when the tests cannot even be read: nothing was run."""
    return FunctionResult(
        outcome=Outcome.BAD_TESTS,
        ending=Ending.EXITED,
        detail=f"{type(error).__name__}: {error}",
        passed=0,
        total=0,
        cpu_s=0.0,
        wall_s=0.0,
        peak_mib=0.0,
    )


def _ending(done: protocol.Done, stderr: str) -> Ending:
    """Reads how a process ended.

    Raises:
        InfraError: It never started, or something outside the sandbox killed it. A program cannot
            bring this about: it cannot send itself SIGKILL, nor set its own CPU limit.
    """
    if done["stopped"]:
        return Ending.TIMEOUT
    if done["stage"] == "setup":
        raise InfraError(f"a sandboxed process could not be prepared: {stderr.strip()}")
    status = os.waitstatus_to_exitcode(done["judged_status"])
    if status == -signal.SIGKILL and not done["judged_killed"]:
        raise InfraError("something outside the sandbox killed the program")
    if status == protocol.EXIT_OUT_OF_MEMORY:
        return Ending.OUT_OF_MEMORY
    if done["stage"] == "compile":
        return Ending.NOT_COMPILED
    return Ending.SIGNALLED if status < 0 else Ending.EXITED


def _function_result(
    done: protocol.Done, report: bytes, stderr: str, tester_stderr: str
) -> FunctionResult:
    verdict = cast(Verdict, json.loads(report)) if report else None
    tester_status = os.waitstatus_to_exitcode(done["tester_status"] or 0)
    if done["stopped"]:
        ending = Ending.TIMEOUT
    elif verdict is None and tester_status == protocol.EXIT_SETUP_FAILED:
        raise InfraError(f"the tester could not be prepared: {tester_stderr.strip()}")
    elif verdict is None and tester_status == -signal.SIGKILL:
        raise InfraError("something outside the sandbox killed the tester")
    elif verdict is not None and verdict["outcome"] == Outcome.GONE:
        ending = _ending(done, stderr)
    elif done["stage"] == "compile":
        ending = Ending.NOT_COMPILED
    else:
        ending = Ending.EXITED
    detail = verdict["detail"] if verdict else ""
    if ending is Ending.NOT_COMPILED or (verdict and verdict["outcome"] == Outcome.GONE):
        detail = stderr.strip().rpartition("\n")[2] or detail
    elif verdict is None and not done["stopped"]:
        detail = tester_stderr.strip().rpartition("\n")[2]
    return FunctionResult(
        outcome=Outcome(verdict["outcome"]) if verdict else None,
        ending=ending,
        detail=detail,
        passed=verdict["passed"] if verdict else 0,
        total=verdict["total"] if verdict else 1,
        cpu_s=done["cpu_s"],
        wall_s=done["wall_s"],
        peak_mib=done["peak_kib"] / 1024,
    )


def _forget_all() -> None:
    for worker in list(_alive):
        worker.forget()


os.register_at_fork(after_in_child=_forget_all)
