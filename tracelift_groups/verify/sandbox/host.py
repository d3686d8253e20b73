"""What this machine allows, found out without running anything untrusted."""

from __future__ import annotations

import platform
import re
import sys
from typing import NamedTuple

from tracelift_groups.verify.sandbox.jail import landlock, syscalls
from tracelift_groups.verify.sandbox.model import SandboxUnavailableError

_OLDEST_KERNEL = (5, 13)
_ELSEWHERE = "use a remote sandbox with --sandbox-url"


class Host(NamedTuple):
    """Facts about the machine.

    Attributes:
        system: "Linux", "Darwin", ...
        machine: "x86_64", "aarch64", ...
        kernel: Kernel version as the system writes it.
        landlock: Landlock version, 0 for none.
    """

    system: str
    machine: str
    kernel: str
    landlock: int


def describe() -> Host:
    """The facts about this machine."""
    version = landlock.abi() if platform.system() == "Linux" else 0
    return Host(platform.system(), platform.machine(), platform.release(), version)


def _kernel_version(release: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def require_supported(host: Host) -> None:
    """Refuses systems on which no layer of the sandbox works.

    Raises:
        SandboxUnavailableError: Not Linux, an unknown architecture, or a kernel before 5.13.
    """
    where = "sandbox"
    if host.system != "Linux":
        raise SandboxUnavailableError(
            f"programs run in isolation on Linux only, this is {host.system}",
            where=where,
            way_out=f"{_ELSEWHERE}, or a Linux container",
        )
    if host.machine not in syscalls.NUMBERS or sys.maxsize < 1 << 32:
        raise SandboxUnavailableError(
            f"no system call table for {host.machine} (known: {', '.join(syscalls.NUMBERS)})",
            where=where,
            way_out=_ELSEWHERE,
        )
    if _kernel_version(host.kernel) < _OLDEST_KERNEL:
        raise SandboxUnavailableError(
            f"kernel {host.kernel} is older than {'.'.join(map(str, _OLDEST_KERNEL))}",
            where=where,
            way_out=_ELSEWHERE,
        )
