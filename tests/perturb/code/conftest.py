"""What the tests of the code engine share: one sandbox, started when first asked for."""

from __future__ import annotations

import sys

import pytest

from tracelift_groups.perturb.code.runs import Runs, sandbox_of
from tracelift_groups.verify.sandbox import SandboxUnavailableError


@pytest.fixture(scope="session")
def runs() -> Runs:
    """The sandbox that groups and rechecks use too; skips where nothing can be isolated."""
    if sys.platform != "linux":
        pytest.skip("programs run on Linux only")
    try:
        return sandbox_of()
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
