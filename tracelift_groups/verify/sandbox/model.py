"""What goes into a sandbox and what comes out."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tracelift_groups.errors import UserError

WALL_PER_CPU = 3.0
"""Default wall limit as a multiple of the CPU limit: machine load must not flip a verdict."""


class SandboxUnavailableError(UserError):
    """This machine cannot isolate programs; the message says what is missing."""


class InfraError(Exception):
    """The sandbox failed, not the program: the result is unknown, never a zero."""


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
        cpu_s: CPU seconds of all threads and processes of the run together, > 0. The slowest
            reference among HumanEval, MBPP and MBPP+ needs 4.5-6, every other one less than 1.
        wall_s: Wall-clock seconds, or None for `WALL_PER_CPU` times `cpu_s`.
        memory_mib: Address space in MiB beyond the bare interpreter's.
        output_bytes: Bytes kept of each of stdout and stderr; a program that writes more fails.
    """

    cpu_s: float = 10.0
    wall_s: float | None = None
    memory_mib: int = 1024
    output_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        if self.cpu_s <= 0 or self.memory_mib <= 0 or self.output_bytes <= 0 or self.wall <= 0:
            raise ValueError("limits must be positive")

    @property
    def wall(self) -> float:
        """The wall limit in seconds."""
        return self.cpu_s * WALL_PER_CPU if self.wall_s is None else self.wall_s


class Ending(enum.StrEnum):
    """How a program's process ended. None of these is a verdict about its answer."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    NOT_COMPILED = "not_compiled"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True)
class RunResult:
    """One program run.

    Attributes:
        ending: How it ended.
        exit_code: Exit status, negative for a signal, -9 when a limit stopped it.
        stdout: What it wrote, at most `Limits.output_bytes`.
        stderr: The last 4 KiB of its error output.
        output_overflow: It reached the output limit.
        cpu_s: CPU seconds used.
        wall_s: Wall-clock seconds used.
        peak_mib: Peak resident memory in MiB.
    """

    ending: Ending
    exit_code: int
    stdout: bytes
    stderr: str
    output_overflow: bool
    cpu_s: float
    wall_s: float
    peak_mib: float


class Outcome(enum.StrEnum):
    """What the trusted tester, or the lack of its report, says about a candidate."""

    PASS = "pass"
    ASSERTION = "assertion"
    RAISED = "raised"
    GONE = "gone"
    BAD_TESTS = "bad_tests"


@dataclass(frozen=True)
class FunctionResult:
    """One candidate against its asserts.

    Attributes:
        outcome: The tester's finding; None when it was stopped or died before it could report.
        ending: How the candidate's process ended.
        detail: First failure, one line or two.
        passed: Assert statements that held.
        total: Assert statements that were to hold.
        cpu_s: CPU seconds of candidate and tester together.
        wall_s: Wall-clock seconds.
        peak_mib: Peak resident memory of the candidate in MiB.
    """

    outcome: Outcome | None
    ending: Ending
    detail: str
    passed: int
    total: int
    cpu_s: float
    wall_s: float
    peak_mib: float


@dataclass(frozen=True)
class ProgramJob:
    """A program that reads stdin and writes stdout."""

    code: str
    stdin: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class FunctionJob:
    """A program that defines functions, and asserts about them.

    Attributes:
        code: The untrusted program.
        tests: Asserts, or a `check(candidate)` function. The program never sees them.
        entry_point: What `candidate` stands for: `add`, or `Solution().twoSum`.
        setup: Trusted code given to tests and program alike, such as imports and node classes.
            It must hold no expected value.
        limits: For candidate and tester together.
    """

    code: str
    tests: str
    entry_point: str = ""
    setup: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Isolation:
    """The layers in force.

    Attributes:
        landlock: Landlock version, 0 for none.
        seccomp: Whether system calls are filtered.
        namespaces: Whether runs have their own users, processes, network and root.
        uid: User id of the programs, as they see it.
    """

    landlock: int
    seccomp: bool
    namespaces: bool
    uid: int

    @property
    def sufficient(self) -> bool:
        """Landlock or namespaces to hide files, and seccomp for what neither covers."""
        return self.seccomp and (self.landlock > 0 or self.namespaces)

    @property
    def tier(self) -> str:
        """A short name for logs and provenance, such as "namespaces+landlock+seccomp"."""
        layers = ["namespaces"] * self.namespaces
        layers += ["landlock"] * (self.landlock > 0) + ["seccomp"] * self.seccomp
        return "+".join(layers) or "none"


@dataclass(frozen=True)
class Layers:
    """Which layers to try. Tests switch some off; programs should not."""

    landlock: bool = True
    seccomp: bool = True
    namespaces: bool = True
