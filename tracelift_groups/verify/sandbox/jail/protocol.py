"""What the toolkit and a zygote say to each other: JSON over a socket, files as descriptors."""

from __future__ import annotations

from typing import Literal, TypedDict

Limit = Literal["", "cpu", "wall"]
"""The limit that ended a run, if one did."""


class Config(TypedDict):
    """First message to a zygote."""

    readable: list[str]
    listable: list[str]
    devices: list[str]
    preload: list[str]
    preload_path: list[str]
    landlock: bool
    seccomp: bool
    namespaces: bool
    seed: int


class Hello(TypedDict):
    """The zygote's answer: what is in force, or why it could not start."""

    landlock: int
    seccomp: bool
    namespaces: bool
    uid: int
    error: str


class Job(TypedDict):
    """One run. With it come the descriptors, in the order of `PROGRAM_FDS` or `FUNCTION_FDS`."""

    kind: Literal["program", "function"]
    cpu_s: float
    wall_s: float
    memory_bytes: int
    output_bytes: int
    tasks: int


class Done(TypedDict):
    """How a run ended. `judged` is the program, or in function mode the candidate.

    `judged_killed`: the zygote itself ended it, because of a limit or because the tester was done.
    """

    judged_status: int
    judged_killed: bool
    tester_status: int | None
    stage: Literal["setup", "compile", "run"]
    stopped: Limit
    cpu_s: float
    wall_s: float
    peak_kib: int


PROGRAM_FDS = ("code", "stdin", "stdout", "stderr")
FUNCTION_FDS = ("code", "stderr", "calls", "tests", "tester_stderr", "tester_calls", "verdict")

EXIT_OUT_OF_MEMORY = 86
"""Exit status of a program that ended in an uncaught MemoryError."""
EXIT_SETUP_FAILED = 87
EXIT_CANDIDATE_GONE = 3
"""Exit status of a tester whose candidate stopped answering."""
