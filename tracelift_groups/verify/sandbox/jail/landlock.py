"""Landlock: which files a process may open, whatever the permissions say."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Callable, Iterable

from . import linux, syscalls

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_RULE_PATH_BENEATH = 1


def abi() -> int:
    """The kernel's Landlock version, 0 where there is none."""
    number = syscalls.NUMBERS.get(linux.MACHINE, {}).get("landlock_create_ruleset")
    if number is None:
        return 0
    try:
        return linux.syscall("landlock", number, None, ctypes.c_size_t(0), 1)
    except OSError:
        return 0


def create(readable: Iterable[str], listable: Iterable[str], devices: Iterable[str]) -> int | None:
    """Builds a rule set that refuses every access but the ones given.

    TCP and, from version 6 on, signals and abstract sockets outside the sandbox are refused too.

    Args:
        readable: Files, and folders with all they hold, that may be read.
        listable: Folders whose names may be listed.
        devices: Files that may be read and written.

    Returns:
        A descriptor for `restriction`, or None where the kernel has no Landlock.
    """
    version = abi()
    if version < 1:
        return None
    numbers = syscalls.numbers(linux.MACHINE)
    filesystem = (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1
    network = 3 if version >= 4 else 0
    scopes = 3 if version >= 6 else 0
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = struct.pack("QQQ", filesystem, network, scopes)
    ruleset = linux.syscall(
        "landlock_create_ruleset",
        numbers["landlock_create_ruleset"],
        attributes,
        ctypes.c_size_t(size),
        0,
    )
    grants = [(path, _READ_FILE | _READ_DIR) for path in readable]
    grants += [(path, _READ_DIR) for path in listable]
    grants += [(path, _READ_FILE | _WRITE_FILE) for path in devices]
    for path, access in grants:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # absent on this machine: nothing to grant
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        granted = access if is_folder else access & ~_READ_DIR
        rule = struct.pack("=QI", granted, descriptor)
        linux.syscall(
            "landlock_add_rule",
            numbers["landlock_add_rule"],
            ruleset,
            _RULE_PATH_BENEATH,
            rule,
            0,
        )
        os.close(descriptor)
    return ruleset


def restriction(ruleset: int) -> Callable[[], int]:
    """A function that applies a rule set to its process, for good; raises `OSError` if refused."""
    number = syscalls.numbers(linux.MACHINE)["landlock_restrict_self"]
    return linux.prepared("landlock_restrict_self", number, ruleset, 0)
