"""What isolation this machine allows, layer by layer, for people who have to decide."""

from __future__ import annotations

from typing import NamedTuple

from tracelift_groups.verify.sandbox import host
from tracelift_groups.verify.sandbox.model import InfraError, Layers, SandboxUnavailableError
from tracelift_groups.verify.sandbox.pool import SandboxPool
from tracelift_groups.verify.sandbox.worker import Worker


class Diagnosis(NamedTuple):
    """What was found.

    Attributes:
        facts: The machine.
        tier: The layers a pool would use; "" when it would refuse.
        refusal: Why it would refuse; "" when it would not.
        layers: For each layer whether it works, or why not.
    """

    facts: host.Host
    tier: str
    refusal: str
    layers: dict[str, str]


def _namespaces() -> str:
    try:
        Worker((), Layers(landlock=False, seccomp=False, namespaces=True), seed=1).close()
    except InfraError as error:
        return f"no: {error}"
    return "yes"


def _seccomp() -> str:
    try:
        Worker((), Layers(landlock=False, seccomp=True, namespaces=False), seed=1).close()
    except InfraError as error:
        return f"no: {error}"
    return "yes"


def diagnose() -> Diagnosis:
    """Tries each layer alone, then what a pool would settle for, self-test included."""
    facts = host.describe()
    try:
        host.require_supported(facts)
    except SandboxUnavailableError as error:
        return Diagnosis(facts, "", str(error), {})
    landlock = f"yes, version {facts.landlock}" if facts.landlock else "no: not in this kernel"
    layers = {"landlock": landlock, "seccomp": _seccomp(), "namespaces": _namespaces()}
    try:
        with SandboxPool(1) as pool:
            return Diagnosis(facts, pool.isolation.tier, "", layers)
    except SandboxUnavailableError as error:
        return Diagnosis(facts, "", str(error), layers)
