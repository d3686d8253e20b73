from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.llm.redaction import Redactor
from tracelift_groups.llm.settings import ModelSettings


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"model": " "}, "--model"),
        ({"api": "responses"}, "--api"),
        ({"temperature": 2.1}, "--temperature"),
        ({"max_tokens": 0}, "--max-tokens"),
        ({"timeout_s": 0}, "--timeout"),
        ({"concurrency": 0}, "--concurrency"),
        ({"attempts": 0}, "--attempts"),
        ({"max_cost": 0}, "--max-cost"),
        ({"max_calls": -1}, "--max-calls"),
        ({"base_url": "localhost:8000"}, "--base-url"),
        ({"base_url": "ftp://x/v1"}, "--base-url"),
        ({"base_url": "http://"}, "--base-url"),
        ({"base_url": "http://x:port/v1"}, "--base-url"),
    ],
)
def test_settings_that_cannot_be(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        ModelSettings(**{"model": "m", **fields})
    assert caught.value.where == where


def test_a_key_given_for_its_variable_is_not_repeated() -> None:
    with pytest.raises(UserError) as caught:
        ModelSettings("m", api_key_env="sk-0123456789")
    assert "sk-0123456789" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-line\nbreak", "sk-ümlaut"])
def test_a_key_that_is_none(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UserError) as caught:
        ModelSettings("m", base_url="http://x/v1", api_key_env="MY_KEY").key()
    assert key not in str(caught.value)


def test_addresses_are_shown_without_their_secrets() -> None:
    settings = ModelSettings("m", base_url="https://me:p%40ss@[::1]:8000/v1/?code=abcdefgh#x")
    assert settings.shown_url == "https://[::1]:8000/v1"
    assert settings.login == ("me", "p@ss")
    assert settings.query == {"code": "abcdefgh"}
    assert "p%40ss" not in repr(settings)
    assert "abcdefgh" not in repr(settings)


def test_prices_are_known_at_openai_only() -> None:
    assert ModelSettings("m").is_openai
    assert not ModelSettings("m", base_url="https://api.openai.com.example.org/v1").is_openai


def test_a_secret_is_found_in_every_form() -> None:
    secret = 'sk/a+b"c=d\\efg'
    redact = Redactor([secret, "EMPTY"], login=("me", "pass"))
    basic = base64.b64encode(b"me:pass").decode()
    text = f"{secret} {json.dumps(secret)} sk%2Fa%2Bb%22c%3Dd%5Cefg Basic {basic} EMPTY"
    clean = redact(text)
    assert clean.count("[redacted]") == 4
    assert "EMPTY" in clean, "a dummy is no secret"
    deep = redact.deep({f"k {secret}": [1, None, {"x": [f"a{secret}b"]}]})
    assert deep == {"k [redacted]": [1, None, {"x": ["a[redacted]b"]}]}


def test_logs_are_guarded(caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor(["sk-0123456789"])
    redactor.guard_logs()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx2").info("GET %s", "http://x/?key=sk-0123456789")
    assert caplog.messages == ["GET http://x/?key=[redacted]"]
    redactor.release_logs()
    assert redactor not in logging.getLogger("httpx2").filters
