"""Thin wrappers over the system calls that Python does not expose."""

from __future__ import annotations

import ctypes
import os
import platform

MACHINE = platform.machine()
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _last_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def syscall(name: str, number: int, *args: object) -> int:
    """Calls the kernel by number.

    Args:
        name: For the message of the error only.
        number: The system call's number on this architecture.
        *args: ctypes values, ints, bytes or None. Ints are passed as C longs.

    Raises:
        OSError: The call failed.
    """
    result = int(
        _libc.syscall(
            ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args]
        )
    )
    if result < 0:
        raise _last_error(name)
    return result


def prctl(option: int, *args: int) -> None:
    """Changes a property of the calling process; raises `OSError` when refused."""
    padded = [*args, 0, 0, 0, 0][:4]
    if _libc.prctl(option, *[ctypes.c_ulong(a) for a in padded]) < 0:
        raise _last_error(f"prctl({option})")


def unshare(flags: int) -> None:
    """Moves the process into new namespaces; raises `OSError` when refused."""
    if _libc.unshare(flags) < 0:
        raise _last_error(f"unshare({flags:#x})")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mounts `source` at `target`; raises `OSError` naming the target when refused."""
    done = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    if done < 0:
        raise _last_error(f"mount {target}")


def umount_lazy(target: str) -> None:
    """Detaches the mount at `target`; raises `OSError` when refused."""
    if _libc.umount2(target.encode(), 2) < 0:
        raise _last_error(f"umount {target}")
