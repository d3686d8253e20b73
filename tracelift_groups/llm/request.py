"""What is asked of a model and what comes back, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Api = Literal["chat", "completions"]
FailureReason = Literal[
    "unavailable",  # every attempt ended in a timeout, a cut connection, or a server's error
    "truncated",  # the reply reached the token limit
    "refused",  # the model or a filter declined
    "empty",  # there was nothing in the reply
    "unparsable",  # no JSON of the shape that was asked for
    "too_long",  # the prompt does not fit the model's context
    "bad_request",  # the server does not accept this one request
]


@dataclass(frozen=True)
class Schema:
    """A JSON schema that a reply must meet, under the name that servers want for it."""

    name: str
    body: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Request:
    """One model call.

    Attributes:
        task: The stage that asks, such as ``perturb``: for accounts, not sent and not in the key.
        model: Name of the model, as the endpoint knows it.
        prompt: The user's message; for ``completions`` the whole prompt.
        schema: What the reply must meet; None for free text.
        temperature: Sampling temperature, 0 to 2.
        max_tokens: Most tokens of the reply.
        sample: Which of several replies to the same prompt this is, from 0. Part of the key: it
            is how the same thing is asked again.
        api: Which of the two OpenAI protocols.
    """

    task: str
    model: str
    prompt: str
    schema: Schema | None = None
    temperature: float = 0.7
    max_tokens: int = 2048
    sample: int = 0
    api: Api = "chat"

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the reply depends on: what a reply is remembered by.

        The endpoint's address is left out, since servers move; a model is known by its name.
        """
        parts = {
            "api": self.api,
            "model": self.model,
            "prompt": self.prompt,
            "schema": None if self.schema is None else [self.schema.name, self.schema.body],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "sample": self.sample,
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the server counts them; None where it does not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True)
class Reply:
    """A complete reply."""

    text: str
    usage: Usage = Usage()


@dataclass(frozen=True)
class Failed:
    """A call that came to nothing, which says nothing about what was asked.

    ``detail`` is for people and holds no key. ``usage`` counts what was paid all the same.
    """

    reason: FailureReason
    detail: str = ""
    usage: Usage = Usage()


Answer = Reply | Failed
