from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.llm.fake_server import FakeServer, running_server
from tracelift_groups.llm.client import Patience
from tracelift_groups.llm.settings import ModelSettings

KEY = "sk-planted-0123456789abcdef/+=x"
QUICK = Patience(first_s=0.001, longest_s=0.002)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running_server() as fake:
        yield fake


@pytest.fixture(autouse=True)
def planted_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def settings_of(server: FakeServer, tmp_path: Path) -> Callable[..., ModelSettings]:
    def make(**fields: Any) -> ModelSettings:
        return ModelSettings(**{"model": "m", "base_url": server.url, "attempts": 3, **fields})

    return make
