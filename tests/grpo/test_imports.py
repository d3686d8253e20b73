from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    "module",
    [
        "tracelift_groups.grpo.reward",
        "tracelift_groups.grpo.scorer",
        "tracelift_groups.grpo.uplift",
        "tracelift_groups.commands.uplift",
    ],
)
def test_a_reward_on_endpoints_needs_no_pytorch(module: str) -> None:
    """Trainers' reward workers and laptops ask servers; torch costs seconds and gigabytes."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
