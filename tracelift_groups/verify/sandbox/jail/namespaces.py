# ruff: noqa: PTH103, PTH110, PTH112, PTH113, PTH114, PTH115, PTH120, PTH123, PTH211 - no pathlib in
# a zygote: every fork would pay for its pages
"""A private view of the machine: own users, processes, network and a bare read-only root."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterable
from os import path as paths

from . import linux, privileges, syscalls

_NEWUSER, _NEWNS, _NEWPID, _NEWNET = 0x10000000, 0x20000, 0x20000000, 0x40000000
_NEWIPC, _NEWUTS, _NEWCGROUP = 0x8000000, 0x4000000, 0x2000000
_ALL_BUT_USER = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8
_AT_RECURSIVE = 0x8000
_MOUNT_POINTS = ("/mnt", "/srv", "/media", "/opt", "/var/tmp", "/tmp", "/run")
_INSIDE_ID = 65534


def _set_attributes(path: str, attributes: int) -> None:
    number = syscalls.numbers(linux.MACHINE)["mount_setattr"]
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    linux.syscall(
        "mount_setattr",
        number,
        -100,
        path.encode(),
        _AT_RECURSIVE,
        wanted,
        ctypes.c_size_t(len(wanted)),
    )


def _bind(source: str, target: str, attributes: int) -> None:
    if paths.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(paths.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    linux.mount(source, target, None, _MS_BIND | _MS_REC)
    _set_attributes(target, attributes)


def _mount_point(sources: Iterable[str]) -> str:
    """A folder to build the new root on: one that hides none of the sources."""
    used = [paths.realpath(source) for source in sources]
    for point in _MOUNT_POINTS:
        if paths.isdir(point) and not any(f"{path}/".startswith(f"{point}/") for path in used):
            return point
    raise OSError("no folder is free to build the sandbox's root on")


def _enter_as_user() -> None:
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(_NEWUSER | _ALL_BUT_USER)
    maps = (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} {uid} 1"),
        ("gid_map", f"{_INSIDE_ID} {gid} 1"),
    )
    for name, text in maps:
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _enter(real_root: bool) -> None:
    if real_root:
        try:
            linux.unshare(_ALL_BUT_USER)
            return
        except OSError:
            pass  # a container's root without CAP_SYS_ADMIN may still own a user namespace
    _enter_as_user()


def _build_root(readable: list[str], devices: list[str]) -> None:
    linux.mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    root = _mount_point([*readable, *devices])
    linux.mount("none", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=4m,mode=755")
    for path in readable:
        if paths.islink(path):
            os.makedirs(paths.dirname(root + path), exist_ok=True)
            os.symlink(os.readlink(path), root + path)
            path = paths.realpath(path)  # noqa: PLW2901 - the link and what it names
        if paths.exists(path) and not paths.isfile(root + path):
            _bind(path, root + path, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)
    for path in devices:
        if paths.exists(path):
            _bind(path, root + path, _ATTR_NOSUID | _ATTR_NOEXEC)
    # After the binds and not recursively: they have attributes of their own.
    number = syscalls.numbers(linux.MACHINE)["mount_setattr"]
    wanted = struct.pack("QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    linux.syscall(
        "mount_setattr", number, -100, root.encode(), 0, wanted, ctypes.c_size_t(len(wanted))
    )
    os.chdir(root)
    linux.syscall("pivot_root", syscalls.numbers(linux.MACHINE)["pivot_root"], b".", b".")
    linux.umount_lazy(".")
    os.chdir("/")


def enter(readable: list[str], devices: list[str], control: int, seed: int) -> None:
    """Moves the zygote into namespaces of its own, once, with no capability left in them.

    The caller goes on as process 1 of a new process namespace; the original process stays outside
    and only waits. There is no /proc inside: it would show what the namespaces hide.

    Args:
        readable: Files and folders that exist inside, read-only.
        devices: Device files that exist inside.
        control: The control socket, which the outer process must not keep open.
        seed: Chooses the user id when the real root enters.

    Raises:
        OSError: The kernel or the container refuses; nothing can be undone, start again without.
    """
    real_root = os.getuid() == 0
    _enter(real_root)
    child = os.fork()
    if child:
        os.close(control)
        os.waitpid(child, 0)
        os._exit(0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    _build_root(readable, devices)
    identity = next((u for u in privileges.worker_uids(seed) if _switch(u)), None)
    if identity is None:
        privileges.keep_only_capabilities(frozenset())
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user clears it


def _switch(uid: int) -> bool:
    if os.getuid() != 0:
        return False
    try:
        privileges.become(uid)
    except OSError:
        return False
    return True
