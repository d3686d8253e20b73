"""The two system call filters: one a zygote installs once, a short one for each child."""

from __future__ import annotations

import ctypes
import errno
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterable

from . import bpf, linux, syscalls

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
_X32_BIT = 0x40000000
_PID_SLOT = 0x7E57C0DE
_CLONE_THREAD = 0x10000
_CLONE_ANY_NAMESPACE = 0x7E020080
_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA = 15, 16, 0x53564D41
# Terminal size and attributes (isatty), bytes waiting, blocking mode, close-on-exec.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Duplicate, flags, record locks, pipe size and seals (reading). Not F_SETOWN, F_SETSIG (signals
# to other processes), F_SETPIPE_SZ (memory outside the limit) or F_ADD_SEALS.
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032, 1034)
# A program that kills or stops itself could pass for one that the machine killed.
_SELF_SIGNALS_REFUSED = (signal.SIGKILL, signal.SIGSTOP)


class _Block:
    """The rule of one call: labels to jump to, and the two answers, which `end` emits."""

    def __init__(self, asm: bpf.Assembler) -> None:
        self.asm, self.allow, self.refuse = asm, asm.fresh(), asm.fresh()

    def end(self) -> None:
        self.asm.label(self.refuse)
        self.asm.give(_EPERM)
        self.asm.label(self.allow)
        self.asm.give(_ALLOW)


def _argument_in(asm: bpf.Assembler, index: int, values: tuple[int, ...]) -> None:
    block = _Block(asm)
    asm.load(bpf.arg_low(index))
    for value in values:
        asm.if_equal(value, then=block.allow)
    block.end()


def _stream_socketpair(asm: bpf.Assembler) -> None:
    block = _Block(asm)
    asm.load(bpf.arg_low(0))
    asm.if_equal(socket.AF_UNIX, otherwise=block.refuse)
    asm.load(bpf.arg_low(1))
    asm.mask(0xF)
    asm.if_equal(socket.SOCK_STREAM, then=block.allow)
    block.end()


def _sendto_without_address(asm: bpf.Assembler) -> None:
    block = _Block(asm)
    asm.load(bpf.arg_low(4))
    asm.if_equal(0, otherwise=block.refuse)
    asm.load(bpf.arg_high(4))
    asm.if_equal(0, then=block.allow)
    block.end()


Rules = dict[str, Callable[[], None]]


def _call_blocks(asm: bpf.Assembler, names: Iterable[str], machine: str, rules: Rules) -> None:
    """For each call its rule; a call without one is allowed with any arguments."""
    numbers = syscalls.numbers(machine)
    for name in names:
        following = asm.fresh()
        asm.if_equal(numbers[name], otherwise=following)
        rules.get(name, lambda: asm.give(_ALLOW))()
        asm.label(following)


def zygote_filter(machine: str) -> bytes:
    """The allow-list: what zygote and child together need.

    Args:
        machine: "x86_64" or "aarch64".

    Returns:
        The BPF program.
    """
    asm = bpf.Assembler()
    asm.load(bpf.ARCH_OFFSET)
    asm.if_equal(syscalls.AUDIT_ARCH[machine], then="native")
    asm.give(_KILL_PROCESS)
    asm.label("native")
    asm.load(bpf.NR_OFFSET)
    if machine == "x86_64":
        asm.if_greater(_X32_BIT - 1, otherwise="not_x32")
        asm.give(_KILL_PROCESS)
        asm.label("not_x32")
    rules: Rules = {
        "clone3": lambda: asm.give(_ENOSYS),  # its flags lie in memory, out of a filter's sight
        "ioctl": lambda: _argument_in(asm, 1, _IOCTLS),
        "fcntl": lambda: _argument_in(asm, 1, _FCNTLS),
        "socketpair": lambda: _stream_socketpair(asm),
        "sendto": lambda: _sendto_without_address(asm),
    }
    names = (*syscalls.allowed(machine), *syscalls.ZYGOTE_ONLY)
    _call_blocks(asm, names, machine, rules)
    asm.if_greater(syscalls.HIGHEST_KNOWN, otherwise="refuse")
    asm.give(_ENOSYS)
    asm.label("refuse")
    asm.give(_EPERM)
    return asm.assemble()


def _signal_to_self(asm: bpf.Assembler, signal_argument: int) -> None:
    block = _Block(asm)
    asm.load(bpf.arg_low(0))
    asm.if_equal(_PID_SLOT, otherwise=block.refuse)
    asm.load(bpf.arg_low(signal_argument))
    for number in _SELF_SIGNALS_REFUSED:
        asm.if_equal(number, then=block.refuse)
    asm.jump(block.allow)
    block.end()


def _own_limits(asm: bpf.Assembler) -> None:
    """Own limits only, and not the CPU limit: reaching it looks like a kill from outside."""
    block, own, setting = _Block(asm), asm.fresh(), asm.fresh()
    asm.load(bpf.arg_low(0))
    asm.if_equal(0, then=own)
    asm.if_equal(_PID_SLOT, otherwise=block.refuse)
    asm.label(own)
    for half in (bpf.arg_low(2), bpf.arg_high(2)):
        asm.load(half)
        asm.if_equal(0, otherwise=setting)
    asm.jump(block.allow)
    asm.label(setting)
    asm.load(bpf.arg_low(1))
    asm.if_equal(resource.RLIMIT_CPU, otherwise=block.allow)
    block.end()


def _thread_only(asm: bpf.Assembler) -> None:
    block = _Block(asm)
    asm.load(bpf.arg_low(0))
    asm.mask(_CLONE_THREAD | _CLONE_ANY_NAMESPACE)
    asm.if_equal(_CLONE_THREAD, then=block.allow)
    block.end()


def child_filter_template(machine: str) -> bytes:
    """What a child loses on top: new processes, signals and limits of others, the zygote's calls.

    Returns:
        A program with placeholders for the child's process id, see `ChildFilter`.
    """
    asm = bpf.Assembler()
    asm.load(bpf.NR_OFFSET)
    rules: Rules = {
        "clone": lambda: _thread_only(asm),
        "kill": lambda: _signal_to_self(asm, 1),
        "tgkill": lambda: _signal_to_self(asm, 2),
        "prlimit64": lambda: _own_limits(asm),
        "prctl": lambda: _argument_in(asm, 0, (_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA)),
        **{name: lambda: asm.give(_EPERM) for name in syscalls.ZYGOTE_ONLY},
    }
    _call_blocks(asm, rules, machine, rules)
    asm.give(_ALLOW)
    return asm.assemble()


class ChildFilter:
    """The child filter in memory, complete but for the process id.

    Args:
        machine: "x86_64" or "aarch64".
    """

    def __init__(self, machine: str) -> None:
        template = child_filter_template(machine)
        slot = struct.pack("<I", _PID_SLOT)
        self._slots = [i for i in range(0, len(template), 4) if template[i : i + 4] == slot]
        self._buffer = ctypes.create_string_buffer(template, len(template))
        self._install = _installation(self._buffer)

    def program(self, pid: int) -> bytes:
        """The filter of the process `pid`, as the process itself sees its id."""
        for slot in self._slots:
            struct.pack_into("<I", self._buffer, slot, pid)
        return self._buffer.raw

    def install(self, pid: int) -> None:
        """Applies it to this process, for good; raises `OSError` when refused."""
        self.program(pid)
        self._install()


def _installation(buffer: ctypes.Array[ctypes.c_char]) -> Callable[[], int]:
    """The call that applies the filter in `buffer`, which must still be there by then."""
    header = struct.pack("HxxxxxxP", len(buffer) // 8, ctypes.addressof(buffer))
    return linux.prepared("seccomp", syscalls.numbers(linux.MACHINE)["seccomp"], 1, 0, header)


def install(program: bytes) -> None:
    """Applies a filter to this process, for good; raises `OSError` when refused."""
    buffer = ctypes.create_string_buffer(program, len(program))
    _installation(buffer)()
