"""The forked child: takes its descriptors, locks itself down for good, then runs a program."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import math
import os
import resource
import signal
import sys
import types
from collections.abc import Callable
from typing import NamedTuple

from . import linux, privileges, protocol, seccomp

STAGE_READY, STAGE_COMPILED = b"S", b"C"
PROGRAM_NAME = "solution.py"
# Fixed numbers above anything a zygote holds, so that moving one never overwrites another.
CODE_FD, CALLS_FD, VERDICT_FD, RULESET_FD, STAGE_FD = 48, 49, 50, 51, 52


class Lockdown(NamedTuple):
    """What every child of a zygote applies to itself, prepared as far as possible."""

    ruleset: int | None
    restrict: Callable[[], int] | None
    filter: seccomp.ChildFilter | None
    identity: tuple[int, frozenset[int]] | None
    drop_capabilities: bool
    base_memory_bytes: int


class Descriptors(NamedTuple):
    """Which descriptors a child keeps, and where.

    Attributes:
        moves: Pairs of a descriptor and the number that it gets.
        gaps: Half-open ranges of numbers to close afterwards.
    """

    moves: list[tuple[int, int]]
    gaps: list[tuple[int, int]]


Main = Callable[[bytes, types.ModuleType], int]


def descriptors(wanted: dict[int, int]) -> Descriptors:
    """A plan that keeps `wanted`, number to descriptor, and closes everything else."""
    held = sorted(wanted)
    gaps = [
        (low + 1, high)
        for low, high in zip([2, *held], [*held, 1 << 16], strict=True)
        if low + 1 < high
    ]
    return Descriptors([(source, target) for target, source in wanted.items()], gaps)


def take_descriptors(plan: Descriptors) -> None:
    """Moves descriptors to their numbers and closes everything else."""
    for source, target in plan.moves:
        os.dup2(source, target)
    for low, high in plan.gaps:
        os.closerange(low, high)


def read_all(descriptor: int) -> bytes:
    """The whole content of a file that came as a descriptor."""
    size, parts = os.lseek(descriptor, 0, os.SEEK_END), []
    offset = 0
    while offset < size:
        part = os.pread(descriptor, size - offset, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def limits_of(layers: Lockdown, job: protocol.Job) -> privileges.Limits:
    """The resource limits of a run's processes."""
    return privileges.child_limits(
        memory_bytes=layers.base_memory_bytes + job["memory_bytes"],
        output_bytes=job["output_bytes"],
        cpu_seconds=math.ceil(job["cpu_s"]) + 1,
        tasks=job["tasks"],
    )


def lock_down(layers: Lockdown, limits: privileges.Limits) -> None:
    """Gives up every right that the program must not have; there is no way back."""
    os.setsid()
    for kind, values in limits:
        resource.setrlimit(kind, values)
    if layers.identity is not None:
        privileges.become(*layers.identity)
    elif layers.drop_capabilities:
        privileges.keep_only_capabilities(frozenset())
    _die_with_parent()
    if layers.restrict is not None:
        layers.restrict()
        os.close(RULESET_FD)
    if layers.filter is not None:
        layers.filter.install(os.getpid())


_die_with_parent = linux.prepared_prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)


def compiled(source: bytes) -> Callable[[dict[str, object]], None]:
    """Compiles a program and reports that it compiled.

    The report goes through a pipe that is closed before the program's first instruction, so a
    program can neither fake a compile error nor hide one.
    """
    code = compile(source, PROGRAM_NAME, "exec", dont_inherit=True)
    os.write(STAGE_FD, STAGE_COMPILED)
    os.close(STAGE_FD)

    def run(namespace: dict[str, object]) -> None:
        exec(code, namespace)

    return run


def run_program(source: bytes, module: types.ModuleType) -> int:
    """Runs a whole program, as `python solution.py` would."""
    compiled(source)(module.__dict__)
    return 0


def fresh_main() -> types.ModuleType:
    """An empty `__main__` for the children of a zygote."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    module.__file__ = PROGRAM_NAME
    sys.modules["__main__"] = module
    sys.argv = [PROGRAM_NAME]
    return module


def _exit_status(error: BaseException) -> int:
    """What the interpreter would do with an exception that nothing caught."""
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return error.code & 0xFF
        sys.stderr.write(f"{error.code}\n")
        return 1
    with contextlib.suppress(BaseException):
        traceback = error.__traceback__
        while traceback and traceback.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
            traceback = traceback.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
    return protocol.EXIT_OUT_OF_MEMORY if isinstance(error, MemoryError) else 1


_OWN_FOLDER = os.path.dirname(__file__)  # noqa: PTH120 - pathlib is not loaded in a zygote


def _finish(module: types.ModuleType) -> None:
    """What an interpreter does at its end and `os._exit` leaves out, in the same order."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    module.__dict__.clear()  # closes, and so flushes, files that the program left open
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()


class Start(NamedTuple):
    """What one child is to do."""

    descriptors: Descriptors
    limits: privileges.Limits
    main: Main


def run_locked(layers: Lockdown, start: Start, module: types.ModuleType) -> None:
    """Never returns: locks the process down, runs the code in `module` and exits."""
    status = protocol.EXIT_SETUP_FAILED
    try:
        take_descriptors(start.descriptors)
        source = read_all(CODE_FD)
        os.close(CODE_FD)
        lock_down(layers, start.limits)
        os.write(STAGE_FD, STAGE_READY)
        status = 1
        try:
            status = start.main(source, module)
        except BaseException as error:
            status = _exit_status(error)
        try:
            _finish(module)
        except BaseException as error:
            status = status or _exit_status(error) or 1
    except BaseException as error:
        if status == protocol.EXIT_SETUP_FAILED:
            with contextlib.suppress(OSError):
                os.write(2, f"sandbox setup failed: {error!r}\n".encode(errors="replace"))
    finally:
        os._exit(status)
