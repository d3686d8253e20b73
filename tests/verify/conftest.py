"""What the tests of verification share: pools that start once, and the real data."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tracelift_groups.verify.code import CodeVerifier
from tracelift_groups.verify.math import MathVerifier
from tracelift_groups.verify.sandbox import Limits, SandboxPool, SandboxUnavailableError

_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def pool() -> Iterator[SandboxPool]:
    if sys.platform != "linux":
        pytest.skip("programs run on Linux only")
    try:
        with SandboxPool(2) as shared:
            yield shared
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def verifier(pool: SandboxPool) -> Iterator[CodeVerifier]:
    with CodeVerifier(2, limits=Limits(cpu_s=2.0)) as shared:
        yield shared


@pytest.fixture(scope="session")
def maths() -> Iterator[MathVerifier]:
    with MathVerifier(1, wall_s=5.0) as shared:
        yield shared


@pytest.fixture(scope="session")
def real_rows() -> Callable[[str], list[dict[str, Any]]]:
    """Rows of a file of real data; skips the test where the file is absent."""

    def read(name: str) -> list[dict[str, Any]]:
        path = _DATA / name
        if not path.is_file():
            pytest.skip(f"{name} is not here")
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [json.loads(line) for line in text.decode().splitlines() if line]

    return read
