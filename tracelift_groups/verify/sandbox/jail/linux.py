"""Thin wrappers over the system calls that Python does not expose."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

MACHINE = os.uname().machine
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


def prepared(name: str, number: int, *args: object) -> Callable[[], int]:
    """A call of the kernel by number, its arguments converted beforehand.

    A forked child that makes it touches few objects, and so copies few pages.

    Args:
        name: For the message of the error only.
        number: The system call's number on this architecture.
        *args: ctypes values, ints, bytes or None. Ints are passed as C longs.

    Returns:
        A function that makes the call; it raises `OSError` when the call fails.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *args)]

    def call() -> int:
        result = int(_libc.syscall(*converted))
        if result < 0:
            raise _last_error(name)
        return result

    return call


def syscall(name: str, number: int, *args: object) -> int:
    """Makes a call at once; arguments and errors as in `prepared`."""
    return prepared(name, number, *args)()


def prepared_prctl(option: int, *args: int) -> Callable[[], None]:
    """A change of a property of the process, converted beforehand like `prepared`."""
    padded = [ctypes.c_ulong(a) for a in [*args, 0, 0, 0, 0][:4]]

    def call() -> None:
        if _libc.prctl(option, *padded) < 0:
            raise _last_error(f"prctl({option})")

    return call


def prctl(option: int, *args: int) -> None:
    """Changes a property of the calling process; raises `OSError` when refused."""
    prepared_prctl(option, *args)()


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
