"""A warm interpreter that forks one locked-down child per run.

It never reads a byte of a program or of its output: it passes descriptors on, waits, and reports
how the run ended. What a child could forge is therefore limited to its own output.
"""

from __future__ import annotations

import array
import builtins
import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from . import (
    candidate,
    child,
    landlock,
    linux,
    namespaces,
    privileges,
    protocol,
    seccomp,
    tester,
    warmup,
)

_CPU_CLOCK_OF_PROCESS = 2
_MAX_CONFIG_BYTES = 1 << 20
_MAX_JOB_BYTES = 1 << 12
_CANDIDATE_EXIT_GRACE_S = 0.2
_LEAST_TESTER_OUTPUT_BYTES = 1 << 16  # its report must fit, whatever the program may write
_SHORTEST_WAIT_MS = 2.0
_PROCESSORS = os.cpu_count() or 1


def _exit(code: object = None) -> NoReturn:
    """The `exit` and `quit` that an interpreter without `site` lacks."""
    raise SystemExit(code)


def _prepare_streams() -> None:
    """Standard streams over descriptors 0-2; a child moves its own files under them."""
    for number in (0, 1, 2):
        descriptor = os.memfd_create("stream")
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = open(  # type: ignore[misc]  # noqa: SIM115 - for good
        0, encoding="utf-8", errors="surrogateescape", closefd=False
    )
    sys.stdout = sys.__stdout__ = open(  # type: ignore[misc]  # noqa: SIM115
        1, "w", encoding="utf-8", errors="surrogateescape", closefd=False
    )
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc]  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _standard_devices(open_file: Callable[..., object]) -> Callable[..., object]:
    """Makes /dev/stdin and its like work where there is no /proc for them to point into."""
    numbers = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}

    def open(file: object, *args: object, **kwargs: object) -> object:
        path = os.fspath(file) if isinstance(file, str | os.PathLike) else None
        if isinstance(path, str) and path in numbers:
            file = os.dup(numbers[path])
        return open_file(file, *args, **kwargs)

    return open


def _address_space_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - pathlib is not loaded in a zygote
        return int(statm.read().split()[0]) * resource.getpagesize()


def _cpu_seconds(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has just ended
            total += time.clock_gettime((~pid << 3) | _CPU_CLOCK_OF_PROCESS)
    return total


class _Ended(NamedTuple):
    status: int
    cpu_s: float
    peak_kib: int
    killed: bool


class Zygote:
    """Serves runs over the control socket until the toolkit hangs up."""

    def __init__(self, control: socket.socket, layers: child.Lockdown) -> None:
        self._control, self._layers = control, layers
        self._main = child.fresh_main()
        self._stage_read, self._stage_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)

    def serve(self) -> NoReturn:
        """Takes jobs one at a time; exits when the toolkit is gone."""
        while True:
            message, ancillary, _, _ = self._control.recvmsg(
                _MAX_JOB_BYTES, socket.CMSG_SPACE(16 * 4), socket.MSG_CMSG_CLOEXEC
            )
            if not message:
                os._exit(0)
            received = array.array("i")
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    received.frombytes(data[: len(data) - len(data) % 4])
            job: protocol.Job = json.loads(message)
            done = self._run(job, list(received))
            self._control.send(json.dumps(done).encode())

    def _begin(
        self, job: protocol.Job, descriptors: dict[int, int], main: child.Main, stage: int
    ) -> child.Start:
        wanted = {**descriptors, child.STAGE_FD: stage}
        if self._layers.ruleset is not None:
            wanted[child.RULESET_FD] = self._layers.ruleset
        return child.Start(child.descriptors(wanted), child.limits_of(self._layers, job), main)

    def _fork(self, start: child.Start) -> int:
        pid = os.fork()
        if pid == 0:
            self._control.detach()  # closed with all else that the child does not take along
            child.run_locked(self._layers, start, self._main)
        return pid

    def _plan(self, job: protocol.Job, received: list[int]) -> list[child.Start]:
        """The processes that the job needs; the one whose end decides comes last.

        All is worked out before the first fork: afterwards what a zygote touches it copies.
        """
        if job["kind"] == "program":
            fds = dict(zip(protocol.PROGRAM_FDS, received, strict=True))
            files = {
                child.CODE_FD: fds["code"],
                0: fds["stdin"],
                1: fds["stdout"],
                2: fds["stderr"],
            }
            return [self._begin(job, files, child.run_program, self._stage_write)]
        fds = dict(zip(protocol.FUNCTION_FDS, received, strict=True))
        judged_files = {
            child.CODE_FD: fds["code"],
            child.CALLS_FD: fds["calls"],
            0: self._null,
            1: self._null,
            2: fds["stderr"],
        }
        tester_files = {
            child.CODE_FD: fds["tests"],
            child.CALLS_FD: fds["tester_calls"],
            child.VERDICT_FD: fds["verdict"],
            0: self._null,
            1: self._null,
            2: fds["tester_stderr"],
        }
        tester_job = job.copy()
        tester_job["output_bytes"] = max(job["output_bytes"], _LEAST_TESTER_OUTPUT_BYTES)
        return [
            self._begin(job, judged_files, candidate.serve, self._stage_write),
            self._begin(tester_job, tester_files, tester.run_tests, self._null),
        ]

    def _watch(self, pids: list[int], job: protocol.Job, started: float) -> protocol.Limit:
        """Waits for the last process; says which limit stopped it, if one did."""
        descriptor = os.pidfd_open(pids[-1])
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._control.fileno(), select.POLLHUP)
        try:
            while True:
                cpu_left = job["cpu_s"] - _cpu_seconds(pids)
                wall_left = job["wall_s"] - (time.monotonic() - started)
                if wall_left <= 0:
                    return "wall"
                if cpu_left <= 0:
                    return "cpu"
                # Threads may use several processors' time at once.
                soonest = min(cpu_left / _PROCESSORS, wall_left)
                events = dict(poll.poll(max(_SHORTEST_WAIT_MS, soonest * 1000)))
                if descriptor in events:
                    return ""
                if events:  # the toolkit is gone, and so is the need for an answer
                    for pid in pids:
                        os.kill(pid, signal.SIGKILL)
                    os._exit(0)
        finally:
            os.close(descriptor)

    def _reap(self, pid: int, wait_s: float) -> _Ended:
        deadline = time.monotonic() + wait_s
        while wait_s and time.monotonic() < deadline:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                return _Ended(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, False)
            time.sleep(0.001)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
        cpu_s = usage.ru_utime + usage.ru_stime
        return _Ended(status, cpu_s, usage.ru_maxrss, killed=not ended)

    def _sweep(self) -> None:
        """Ends what a run left behind. The filter forbids new processes; without it this counts."""
        while True:
            try:
                reaped, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not reaped:
                for pid in _children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)

    def _run(self, job: protocol.Job, received: list[int]) -> protocol.Done:
        started = time.monotonic()
        pids = [self._fork(start) for start in self._plan(job, received)]
        for descriptor in received:
            os.close(descriptor)
        stopped = self._watch(pids, job, started)
        last = self._reap(pids[-1], 0)
        judged = last
        if len(pids) == 2:
            gone = (
                os.WIFEXITED(last.status)
                and os.WEXITSTATUS(last.status) == protocol.EXIT_CANDIDATE_GONE
            )
            judged = self._reap(pids[0], _CANDIDATE_EXIT_GRACE_S if gone else 0)
        self._sweep()
        stages = b""
        with contextlib.suppress(BlockingIOError):
            stages = os.read(self._stage_read, 64)
        cpu_s = judged.cpu_s + (last.cpu_s if last is not judged else 0.0)
        if cpu_s >= job["cpu_s"]:
            # Also where the kernel's own limit came first: a kill that the program brought about.
            stopped = "cpu"
        return protocol.Done(
            judged_status=judged.status,
            judged_killed=judged.killed,
            tester_status=last.status if last is not judged else None,
            stage="run" if child.STAGE_COMPILED in stages else "compile" if stages else "setup",
            stopped=stopped,
            cpu_s=cpu_s,
            wall_s=time.monotonic() - started,
            peak_kib=judged.peak_kib,
        )


def _children() -> list[int]:
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children", encoding="ascii") as children:  # noqa: PTH123 - pathlib is not loaded in a zygote
            return [int(pid) for pid in children.read().split()]
    except OSError:
        return [-1] if own == 1 else []  # process 1 of its namespace may signal all the others


def _prepare(control: socket.socket, config: protocol.Config) -> tuple[child.Lockdown, int]:
    sys.path[:0] = config["preload_path"]
    for name in config["preload"]:
        __import__(name)
    del sys.path[: len(config["preload_path"])]
    for name, value in (("exit", _exit), ("quit", _exit)):
        setattr(builtins, name, value)
    warmup.warm_up()
    base_memory_bytes = _address_space_bytes()
    identity, drop = None, os.getuid() == 0
    if config["namespaces"]:
        namespaces.enter(config["readable"], config["devices"], control.fileno(), config["seed"])
        drop = False
        builtins.open = _standard_devices(builtins.open)  # type: ignore[assignment]
        sys.modules["io"].open = builtins.open  # type: ignore[attr-defined]
    elif os.getuid() == 0:
        identity = privileges.choose_identity(os.__file__, config["seed"])
    ruleset = None
    if config["landlock"]:
        ruleset = landlock.create(config["readable"], config["listable"], config["devices"])
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    privileges.empty_bounding_set()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # no reading of this process by others of its user
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    privileges.limit_zygote()
    layers = child.Lockdown(
        ruleset=ruleset,
        restrict=landlock.restriction(child.RULESET_FD) if ruleset is not None else None,
        filter=seccomp.ChildFilter(linux.MACHINE) if config["seccomp"] else None,
        identity=identity,
        drop_capabilities=drop,
        base_memory_bytes=base_memory_bytes,
    )
    return layers, landlock.abi() if ruleset is not None else 0


def main() -> None:
    """Entry point: the control socket's descriptor is the only argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    config: protocol.Config = json.loads(control.recv(_MAX_CONFIG_BYTES))
    hello = protocol.Hello(landlock=0, seccomp=False, namespaces=False, uid=0, error="")
    try:
        layers, hello["landlock"] = _prepare(control, config)
        zygote = Zygote(control, layers)
        _prepare_streams()
        gc.collect()
        gc.freeze()
        if config["seccomp"]:
            seccomp.install(seccomp.zygote_filter(linux.MACHINE))
        hello["seccomp"], hello["namespaces"] = config["seccomp"], config["namespaces"]
        hello["uid"] = os.getuid() if layers.identity is None else layers.identity[0]
    except Exception as error:
        hello["error"] = f"{type(error).__name__}: {error}"
        control.send(json.dumps(hello).encode())
        os._exit(1)
    control.send(json.dumps(hello).encode())
    zygote.serve()
