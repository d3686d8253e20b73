"""``tlg doctor --model`` tells what an endpoint really does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Tlg
from tracelift_groups.errors import UserError
from tracelift_groups.llm.checkup import examine
from tracelift_groups.llm.scripted.server import Served
from tracelift_groups.llm.settings import ModelSettings


@pytest.mark.parametrize(
    ("server", "schemas", "refused"),
    [("honoured", "enforced", []), ("ignored", "ignored", []), ("refused", "refused", True)],
)
def test_schemas_are_probed(
    scripted_server: Callable[..., Served], server: str, schemas: str, refused: object
) -> None:
    served = scripted_server(structured=server)
    found = examine(ModelSettings("any", served.base_url))
    assert found["schemas"] == schemas
    assert found["refused"] == (["response_format"] if refused else [])
    assert found["counts_tokens"]
    assert found["failed"] == []


def test_a_server_that_always_says_the_same_is_told(
    scripted_server: Callable[..., Served], tlg: Tlg
) -> None:
    served = scripted_server()
    printed = tlg("doctor", "--model", "any", "--base-url", served.base_url).stdout
    assert "1 of 4 differ  GREEDY" in printed


def test_an_endpoint_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match="cannot connect"):
        examine(ModelSettings("any", "http://127.0.0.1:9/v1"))
