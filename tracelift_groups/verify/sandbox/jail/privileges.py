"""User ids, capabilities and resource limits of a sandbox process."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import resource
import struct

from . import linux, syscalls

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_STACK_BYTES = 64 << 20
_FIRST_WORKER_UID, _WORKER_UIDS = 61184, 4336  # the range set aside for dynamic service users
_NOBODY = 65534


def effective_capabilities() -> set[int]:
    """The capabilities in force, read from the kernel's status file; empty when unreadable."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - pathlib is not loaded in a zygote
            for line in status:
                if line.startswith("CapEff:"):
                    mask = int(line.split()[1], 16)
                    return {bit for bit in range(64) if mask >> bit & 1}
    except OSError:
        pass
    return set()


def empty_bounding_set() -> None:
    """Makes sure that no program started later gains capabilities; current ones stay."""
    for capability in range(64):
        with contextlib.suppress(OSError):  # unknown to this kernel, or not ours to drop
            linux.prctl(linux.PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):
        linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)


def keep_only_capabilities(kept: frozenset[int]) -> None:
    """Gives up every capability but `kept`, for good."""
    mask = sum(1 << capability for capability in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), 8)
    sets = ctypes.create_string_buffer(struct.pack("6I", low, low, 0, high, high, 0), 24)
    number = syscalls.numbers(linux.MACHINE)["capset"]
    linux.syscall("capset", number, header, sets)


def become(uid: int, kept: frozenset[int] = frozenset()) -> None:
    """Switches user and group to `uid` and keeps only the capabilities `kept`.

    Raises:
        OSError: The id is not mapped here, or the process may not switch.
    """
    if kept:
        linux.prctl(linux.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    keep_only_capabilities(kept)


def worker_uids(seed: int) -> tuple[int, ...]:
    """User ids to try, best first: one of its own per worker, so that limits are not shared."""
    return (_FIRST_WORKER_UID + seed % _WORKER_UIDS, _NOBODY)


def _works_as(uid: int, kept: frozenset[int], needed: str) -> bool:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            become(uid, kept)
            os.close(os.open(needed, os.O_RDONLY))
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def choose_identity(needed: str, seed: int) -> tuple[int, frozenset[int]] | None:
    """Finds a user id other than root's under which the interpreter stays readable.

    An interpreter below /root is unreachable for other users. There the capability to read past
    permissions is kept: Landlock still decides which files may be opened. An id other than 0
    matters because the kernel counts no threads for user 0.

    Args:
        needed: A file of the standard library.
        seed: Tells workers apart.

    Returns:
        The id and the capabilities to keep, or None to stay user 0 without capabilities.
    """
    held = effective_capabilities()
    choices = [frozenset[int]()]
    choices += [frozenset({c}) for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if c in held]
    for uid in worker_uids(seed):
        for kept in choices:
            if _works_as(uid, kept, needed):
                return uid, kept
    return None


def _limit(kind: int, value: int) -> None:
    try:
        resource.setrlimit(kind, (value, value))
    except ValueError:  # the machine's own limit is lower, and stays
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (hard, hard))


def limit_zygote() -> None:
    """Limits that hold for a zygote and all its children: no core files, few descriptors."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_MEMLOCK, 0)
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    _limit(resource.RLIMIT_NOFILE, 64)


Limits = list[tuple[int, tuple[int, int]]]
"""Kinds of limit, each with its soft and hard value."""


@functools.lru_cache(maxsize=16)
def child_limits(*, memory_bytes: int, output_bytes: int, cpu_seconds: int, tasks: int) -> Limits:
    """Limits of one run. The zygote watches CPU time more finely; this is what it falls back on.

    Worked out in the zygote: what a child need not do costs it no pages.
    """
    limits = []
    for kind, wanted in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, output_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_NPROC, tasks),
    ):
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        limits.append((kind, (value, value)))
    # Soft limit only: programs that recurse deeply raise it themselves.
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    soft = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(_STACK_BYTES, hard)
    return [*limits, (resource.RLIMIT_STACK, (soft, hard))]
