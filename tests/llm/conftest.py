from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.llm.fake_server import FakeServer, running_server
from tests.llm.scripted_server import running_scripted, scripted
from tracelift_groups.llm.client import Patience
from tracelift_groups.llm.scripted.endpoint import Behaviour
from tracelift_groups.llm.scripted.server import Served
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


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., Served]]:
    """Start servers of the scripted model: give how they behave, and the share of bad replies."""
    with ExitStack() as stack:

        def start(bad_share: float = 0.0, **behaviour: Any) -> Served:
            running = running_scripted(scripted(bad_share), Behaviour(**behaviour))
            return stack.enter_context(running)

        yield start
