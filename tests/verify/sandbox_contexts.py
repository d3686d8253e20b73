"""Circumstances to run a session in: as root, as another user, in an emulated container."""

from __future__ import annotations

import atexit
import ctypes
import functools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "tracelift_groups"
_OTHER_UID = 64001
_DOCKER_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
# Calls that Docker's default profile refuses without CAP_SYS_ADMIN, by their x86_64 numbers.
_DOCKER_DENIES = (
    *(
        272,
        308,
        165,
        166,
        155,
        250,
        248,
        249,
        321,
        298,
        323,
        425,
        426,
        427,
        246,
        304,
        303,
        438,
        312,
    ),
    *(169, 167, 175, 313, 176, 429, 428, 430, 432, 431, 179, 163, 164, 135, 442),
)
_EPERM, _ENOSYS, _ALLOW = 0x50001, 0x50026, 0x7FFF0000


class Context(NamedTuple):
    """One set of circumstances.

    Attributes:
        name: In test ids.
        uid: User to become, or None to stay.
        docker: Whether to emulate a default container.
        layers: Layers to switch off.
        tier: The tier the pool must settle for.
    """

    name: str
    uid: int | None
    docker: bool
    layers: dict[str, bool]
    tier: str


_ALL, _NO_NS = "namespaces+landlock+seccomp", "landlock+seccomp"
CONTEXTS = (
    Context("as-is", None, False, {}, _ALL),
    Context("as-is-base-tier", None, False, {"namespaces": False}, _NO_NS),
    Context("as-is-no-landlock", None, False, {"landlock": False}, "namespaces+seccomp"),
    Context("user", _OTHER_UID, False, {}, _ALL),
    Context("user-base-tier", _OTHER_UID, False, {"namespaces": False}, _NO_NS),
    Context("user-no-landlock", _OTHER_UID, False, {"landlock": False}, "namespaces+seccomp"),
    Context("docker-root", 0, True, {}, _NO_NS),
    Context("docker-user", _OTHER_UID, True, {}, _NO_NS),
)


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)


def _emulate_docker_filter(libc: ctypes.CDLL) -> None:
    program = [
        _instruction(0x20, 4),
        _instruction(0x15, 0xC000003E, 1, 0),
        _instruction(6, _ALLOW),
        _instruction(0x20, 0),
        _instruction(0x15, 435, 0, 1),
        _instruction(6, _ENOSYS),
        _instruction(0x15, 56, 0, 4),
        _instruction(0x20, 16),
        _instruction(0x45, 0x7E020000, 0, 1),
        _instruction(6, _EPERM),
        _instruction(6, _ALLOW),
    ]
    for number in _DOCKER_DENIES:
        program += [_instruction(0x15, number, 0, 1), _instruction(6, _EPERM)]
    program.append(_instruction(6, _ALLOW))
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    if libc.syscall(317, 1, 0, header) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def enter(context: Context) -> None:
    """Puts this process, and what it executes next, into the context. Root only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if context.docker:
        _emulate_docker_filter(libc)
        for capability in range(41):
            if capability not in _DOCKER_CAPABILITIES:
                libc.prctl(24, capability, 0, 0, 0)
    if context.uid:
        os.setgroups([])
        os.setresgid(context.uid, context.uid, context.uid)
        os.setresuid(context.uid, context.uid, context.uid)
    elif context.docker:
        mask = sum(1 << capability for capability in _DOCKER_CAPABILITIES)
        low, high = mask & 0xFFFFFFFF, mask >> 32
        sets = struct.pack("6I", low, low, 0, high, high, 0)
        if libc.capset(struct.pack("Ii", 0x20080522, 0), sets) != 0:
            raise OSError(ctypes.get_errno(), "capset")


@functools.cache
def _readable_copy() -> Path:
    """Package and session scripts where every user can read them."""
    folder = Path(tempfile.mkdtemp(prefix="session"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(
        PACKAGE, folder / "tracelift_groups", ignore=shutil.ignore_patterns("__pycache__")
    )
    for path in HERE.glob("sandbox_*.py"):
        shutil.copy(path, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def _interpreter_for(enter_context: Callable[[], None]) -> str | None:
    """This interpreter, or the system's where another user cannot reach this one."""
    probe = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [python, "-c", probe], preexec_fn=enter_context, cwd="/", check=False
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if done.returncode == 0:
            return python
    return None


class Session(NamedTuple):
    """What a session found, or why it could not be run."""

    skipped: str
    answer: dict[str, Any]


@functools.cache
def run_session(corpus: str, name: str) -> Session:
    """Runs a corpus in a context, once a test run."""
    context = next(c for c in CONTEXTS if c.name == name)
    if context.uid is not None and os.getuid() != 0:
        return Session("only root can become another user", {})
    enter_context = functools.partial(enter, context)
    python = _interpreter_for(enter_context)
    if python is None:
        return Session("no Python that this user can execute", {})
    folder = _readable_copy()
    done = subprocess.run(
        [python, str(folder / "sandbox_session.py"), corpus, json.dumps(context.layers)],
        preexec_fn=enter_context,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PYTHONPATH": str(folder)},
        cwd="/tmp",
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"the session failed: {done.stderr[-2000:]}")
    return Session("", json.loads(done.stdout))
