"""The system call filters, run through an interpreter of their own language, on both machines."""

from __future__ import annotations

import errno
import re
import signal
import struct
from pathlib import Path

import pytest

from tracelift_groups.verify.sandbox.jail import bpf, seccomp, syscalls

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
_HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
_MACHINES = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
_PID = 4242


def _evaluate(program, machine, number, *arguments, architecture=None):
    """What the kernel would answer: a classic BPF interpreter over struct seccomp_data."""
    filled = [a & (1 << 64) - 1 for a in [*arguments, 0, 0, 0, 0, 0, 0][:6]]
    data = struct.pack("<IIQ6Q", number, architecture or syscalls.AUDIT_ARCH[machine], 0, *filled)
    accumulator, here = 0, 0
    while True:
        code, then, otherwise, value = struct.unpack_from("<HBBI", program, here * 8)
        here += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x15:
            here += then if accumulator == value else otherwise
        elif code == 0x25:
            here += then if accumulator > value else otherwise
        elif code == 0x54:
            accumulator &= value
        elif code == 0x05:
            here += value
        else:
            assert code == 0x06
            return value


def _both(machine, name, *arguments):
    """The stricter answer of the two filters, as the kernel combines them."""
    number = syscalls.numbers(machine)[name]
    static = _evaluate(seccomp.zygote_filter(machine), machine, number, *arguments)
    own = _evaluate(seccomp.ChildFilter(machine).program(_PID), machine, number, *arguments)
    return static if static != _ALLOW else own


@_MACHINES
def test_numbers_are_those_of_the_kernel_headers(machine):
    header = _HEADERS[machine]
    if not header.is_file():
        pytest.skip("the kernel headers are not installed")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    found.setdefault("newfstatat", found.get("fstatat", ""))
    expected = {name: int(found[name]) for name in syscalls.numbers(machine)}
    assert syscalls.numbers(machine) == expected


@_MACHINES
def test_ordinary_calls_are_allowed(machine):
    for name in ("read", "write", "mmap", "futex", "getrandom", "openat", "exit_group", "madvise"):
        assert _both(machine, name, 1, 2, 3) == _ALLOW


@_MACHINES
def test_every_number_outside_the_list_is_refused(machine):
    names = (*syscalls.allowed(machine), *syscalls.ZYGOTE_ONLY)
    listed = {syscalls.numbers(machine)[name] for name in names}
    program = seccomp.zygote_filter(machine)
    for number in range(syscalls.HIGHEST_KNOWN + 1):
        if number not in listed:
            assert _evaluate(program, machine, number, 1, 1, 1) == _EPERM, number


@_MACHINES
def test_newer_calls_look_unimplemented(machine):
    program = seccomp.zygote_filter(machine)
    for number in (syscalls.HIGHEST_KNOWN + 1, 500, 1000):
        assert _evaluate(program, machine, number) == _ENOSYS


@_MACHINES
def test_other_architectures_are_killed(machine):
    program = seccomp.zygote_filter(machine)
    assert _evaluate(program, machine, 1, architecture=0x40000003) == _KILL


def test_x32_calls_are_killed():
    program = seccomp.zygote_filter("x86_64")
    assert _evaluate(program, "x86_64", 0x40000000) == _KILL
    assert _evaluate(program, "x86_64", 0x40000000 + 41, 2, 1) == _KILL


@_MACHINES
def test_what_the_zygote_needs_is_taken_from_its_children(machine):
    for name in syscalls.ZYGOTE_ONLY:
        number = syscalls.numbers(machine)[name]
        assert _evaluate(seccomp.zygote_filter(machine), machine, number) == _ALLOW
        assert _both(machine, name) == _EPERM


@_MACHINES
@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (0x3D0F00, _ALLOW),  # what pthread_create passes
        (0x01200011, _EPERM),  # what fork passes
        (0x4111, _EPERM),  # what vfork passes
        (0x3D0F00 | 0x10000000, _EPERM),  # a thread in a new user namespace
        (0x3D0F00 | 0x40000000, _EPERM),
        (0x3D0F00 | 0x02000000, _EPERM),
        (0, _EPERM),
    ],
)
def test_clone_makes_threads_only(machine, flags, answer):
    assert _both(machine, "clone", flags) == answer


@_MACHINES
def test_clone3_looks_unimplemented_so_that_libc_uses_clone(machine):
    assert _both(machine, "clone3", 1, 88) == _ENOSYS


@_MACHINES
@pytest.mark.parametrize(("name", "position"), [("kill", 1), ("tgkill", 2)])
def test_signals_go_to_the_process_itself_and_do_not_look_like_the_machines(
    machine, name, position
):
    def call(pid, number):
        arguments = [pid, pid, pid]
        arguments[position] = number
        return _both(machine, name, *arguments)

    assert call(_PID, signal.SIGUSR1) == _ALLOW
    assert call(_PID, signal.SIGABRT) == _ALLOW
    for number in (signal.SIGKILL, signal.SIGSTOP):
        assert call(_PID, number) == _EPERM
    for pid in (_PID + 1, 1, 0, -1, -_PID):
        assert call(pid, signal.SIGUSR1) == _EPERM


@_MACHINES
def test_limits_of_the_process_itself_except_cpu_time(machine):
    read, written = 0, 0x7FFF00001000
    for pid in (0, _PID):
        assert _both(machine, "prlimit64", pid, 3, written) == _ALLOW
        assert _both(machine, "prlimit64", pid, 0, read) == _ALLOW
        assert _both(machine, "prlimit64", pid, 0, written) == _EPERM
        assert _both(machine, "prlimit64", pid, 0, 1 << 32) == _EPERM
    assert _both(machine, "prlimit64", 1, 3, read) == _EPERM


@_MACHINES
@pytest.mark.parametrize(
    ("name", "position", "good", "bad"),
    [
        ("fcntl", 1, [0, 1, 2, 3, 4, 1030], [8, 10, 15, 1024, 1026, 1031, 1033]),
        ("ioctl", 1, [0x5401, 0x5413, 0x541B], [0x5412, 0x5452, 0x8901, 0x4B4D, 0x5414]),
        ("prctl", 0, [15, 16, 0x53564D41], [1, 4, 8, 22, 23, 24, 35, 38, 47, 0x59616D61]),
    ],
)
def test_commands_come_from_short_lists(machine, name, position, good, bad):
    for command in good:
        assert _both(machine, name, *[0] * position, command) == _ALLOW
    for command in bad:
        assert _both(machine, name, *[0] * position, command) == _EPERM


@_MACHINES
def test_socketpair_is_a_unix_stream_and_sendto_has_no_address(machine):
    cloexec, nonblock = 0o2000000, 0o4000
    assert _both(machine, "socketpair", 1, 1 | cloexec | nonblock, 0) == _ALLOW
    for family, kind in ((1, 2), (1, 5), (2, 1), (16, 3), (1, 2 | cloexec)):
        assert _both(machine, "socketpair", family, kind, 0) == _EPERM
    assert _both(machine, "sendto", 3, 1, 1, 0, 0, 0) == _ALLOW
    assert _both(machine, "sendto", 3, 1, 1, 0, 0x1000, 16) == _EPERM
    assert _both(machine, "sendto", 3, 1, 1, 0, 1 << 40, 16) == _EPERM


def test_a_jump_too_far_or_backwards_is_an_error():
    asm = bpf.Assembler()
    asm.if_equal(1, then="far")
    for _ in range(300):
        asm.give(0)
    asm.label("far")
    asm.give(1)
    with pytest.raises(ValueError, match="too far"):
        asm.assemble()
    backwards = bpf.Assembler()
    backwards.label("start")
    backwards.give(0)
    backwards.jump("start")
    with pytest.raises(ValueError, match="backwards"):
        backwards.assemble()
    with pytest.raises(ValueError, match="twice"):
        backwards.label("start")
