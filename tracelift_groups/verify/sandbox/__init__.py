"""Runs untrusted programs in isolation and says how they ended.

`SandboxPool` is the way in. What a program's output is worth is decided elsewhere, in
`tracelift_groups.verify.code`: nothing that runs in here ever holds an expected value.
"""

from tracelift_groups.verify.sandbox.model import (
    Ending,
    FunctionJob,
    FunctionResult,
    InfraError,
    Isolation,
    Layers,
    Limits,
    Outcome,
    ProgramJob,
    RunResult,
    SandboxUnavailableError,
)
from tracelift_groups.verify.sandbox.pool import SandboxPool

__all__ = [
    "Ending",
    "FunctionJob",
    "FunctionResult",
    "InfraError",
    "Isolation",
    "Layers",
    "Limits",
    "Outcome",
    "ProgramJob",
    "RunResult",
    "SandboxPool",
    "SandboxUnavailableError",
]
