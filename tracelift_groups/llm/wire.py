"""The OpenAI protocols as values: what is sent, and what an answer or an error means. No network.

Servers differ in which parameters they take. What one refuses by name is left out or renamed from
then on (:class:`Dialect`); what the reply then depends on is the server's default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

from tracelift_groups.llm.request import Answer, Api, Failed, FailureReason, Reply, Request, Usage

PATHS: Mapping[Api, str] = {"chat": "/chat/completions", "completions": "/completions"}
_TOKENS, _NEW_TOKENS = "max_tokens", "max_completion_tokens"
_OPTIONAL = ("response_format", _NEW_TOKENS, _TOKENS, "temperature", "seed")
_DETAIL_CHARS = 300

_TOO_LONG = re.compile(
    r"context.length|context.window|maximum.context|context.size|too many tokens|prompt is too long"
    r"|input is too long|max_model_len|maximum input length|reduce the length",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content_filter|content_policy|content.management.policy|moderation", re.IGNORECASE
)
_NO_MODEL = re.compile(
    r"model_not_found|invalid_model|no such model|unknown model|server is pinned to", re.IGNORECASE
)
# Not "exceeded your current quota": some say so of a limit per minute.
_NO_MONEY = re.compile(
    r"insufficient_quota|billing_|insufficient.{0,10}(credit|balance|funds)", re.IGNORECASE
)
_REFUSAL = re.compile(
    r"support|unknown|unrecogni|unexpected|invalid|allow|extra|permit|deprecat|not implemented",
    re.IGNORECASE,
)


class Turn(Enum):
    """What an error asks for."""

    RETRY = auto()
    THROTTLED = auto()
    NEW_DIALECT = auto()
    FAILED = auto()
    KEY = auto()
    MONEY = auto()
    NOT_FOUND = auto()
    OPTION = auto()


class Trouble(NamedTuple):
    """An error: what to do about it, what the server said, and what it named.

    ``parameter`` is set for ``NEW_DIALECT`` and ``OPTION``, ``reason`` for ``FAILED``.
    """

    turn: Turn
    detail: str
    parameter: str = ""
    reason: FailureReason = "bad_request"


@dataclass
class Dialect:
    """What one model at one endpoint takes, as learned from what it refused."""

    left_out: set[str] = field(default_factory=set)
    new_token_name: bool = False

    def body(self, request: Request, *, structured: bool = True) -> dict[str, Any]:
        """Write a request as the JSON that is sent, with its schema if ``structured``."""
        # Several samples of one prompt differ by the seed where servers are deterministic.
        tokens = _NEW_TOKENS if self.new_token_name else _TOKENS
        body: dict[str, Any] = {
            "model": request.model,
            "temperature": request.temperature,
            tokens: request.max_tokens,
            "seed": int(request.key[:7], 16),
        }
        if request.api == "chat":
            body["messages"] = [{"role": "user", "content": request.prompt}]
        else:
            body["prompt"] = request.prompt
        if structured and request.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": request.schema.name,
                    "strict": True,
                    "schema": strict_schema(request.schema.body),
                },
            }
        return {name: value for name, value in body.items() if name not in self.left_out}

    def learn(self, parameter: str) -> None:
        """Leave a refused parameter out, or call it by its other name first."""
        if parameter == _TOKENS and not self.new_token_name:
            self.new_token_name = True
        else:
            self.left_out.add(parameter)


def strict_schema(schema: object) -> Any:
    """Return a schema as strict servers want it: all properties required and no others."""
    if isinstance(schema, list):
        return [strict_schema(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    whole = {name: strict_schema(part) for name, part in schema.items() if name != "default"}
    if isinstance(properties := schema.get("properties"), Mapping):
        named = {name: strict_schema(part) for name, part in properties.items()}
        whole |= {"properties": named, "required": list(named), "additionalProperties": False}
    return whole


def read_reply(api: Api, payload: object) -> Answer | Trouble:
    """Read the body of a successful response."""
    if not isinstance(payload, dict):
        return Trouble(Turn.RETRY, "the response is no JSON object")
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        if payload.get("error"):  # some gateways wrap errors in a success
            code = str(_error(payload).get("code"))
            return read_error(int(code) if code.isdecimal() else 500, payload, {})
        return Trouble(Turn.RETRY, "the response holds no choices")
    usage = _usage(payload.get("usage"))
    choice = choices[0]
    message = choice.get("message") if api == "chat" else None
    message = message if isinstance(message, dict) else {}
    text = _text(message.get("content") if api == "chat" else choice.get("text"))
    ending, refusal = choice.get("finish_reason"), message.get("refusal")
    if ending == "content_filter" or refusal:
        return Failed("refused", _cut(str(refusal or "stopped by a content filter")), usage)
    if ending == "length":
        return Failed("truncated", f"the reply reached {_tokens(usage)}", usage)
    if not text.strip():
        return Failed("empty", "", usage)
    return Reply(text, usage)


def read_error(status: int, payload: object, sent: Mapping[str, Any]) -> Trouble:
    """Say what an HTTP error means for the call whose body was ``sent``.

    Servers agree on little but the status; the rest is told by codes and, failing that, words.
    """
    error = _error(payload)
    message = _cut(str(error.get("message") or ""))
    detail = f"{status} {message}".strip()
    words = " ".join(str(error.get(name) or "") for name in ("code", "type", "message"))
    if status == 402 or (status in (400, 403, 429) and _NO_MONEY.search(words)):
        return Trouble(Turn.MONEY, detail)
    if status in (401, 403) and not _FILTERED.search(words):
        return Trouble(Turn.KEY, detail)
    if status == 429:
        return Trouble(Turn.THROTTLED, detail)
    if status in (408, 409, 425) or status >= 500 or status < 400:
        return Trouble(Turn.RETRY, detail)
    if status in (404, 405) or _NO_MODEL.search(words):
        return Trouble(Turn.NOT_FOUND, detail)
    if _FILTERED.search(words):
        return Trouble(Turn.FAILED, detail, reason="refused")
    if status == 413 or _TOO_LONG.search(words):
        return Trouble(Turn.FAILED, detail, reason="too_long")
    named = _named(error, sent)
    if named is None:
        return Trouble(Turn.FAILED, detail)
    if named in (_TOKENS, _NEW_TOKENS) and "too large" in words:
        return Trouble(Turn.OPTION, detail, parameter=named)
    return Trouble(Turn.NEW_DIALECT, detail, parameter=named)


def _error(payload: object) -> dict[str, Any]:
    """The error's fields, wherever a server puts them."""
    if not isinstance(payload, dict):
        return {"message": "" if payload is None else str(payload)}
    inner = payload.get("error", payload)
    if not isinstance(inner, dict):
        return {"message": str(inner)}
    if "detail" in inner and "message" not in inner:  # FastAPI
        detail = inner["detail"]
        return {"message": detail if isinstance(detail, str) else json.dumps(detail)}
    return inner


def _named(error: Mapping[str, Any], sent: Mapping[str, Any]) -> str | None:
    """The optional parameter of ``sent`` that an error is about: the one it names first."""
    param, message = str(error.get("param") or ""), str(error.get("message") or "")
    refusal = bool(_REFUSAL.search(message))
    for text in (param, message):
        at = {
            name: found.start()
            for name in _OPTIONAL
            if name in sent
            # A message may quote the prompt, which may speak of temperatures and seeds.
            and (text is param or refusal or "_" in name)
            and (found := re.search(rf"\b{name}\b", text))
        }
        if at:
            return min(at, key=lambda name: at[name])
    return None


def _usage(usage: object) -> Usage:
    usage = usage if isinstance(usage, dict) else {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(n if type(n) is int and n >= 0 else None for n in counts))


def _tokens(usage: Usage) -> str:
    return "its limit" if usage.output_tokens is None else f"{usage.output_tokens} tokens"


def _text(content: object) -> str:
    """A message's text, whole or in parts, without the halves of characters JSON can hold."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def _cut(text: str) -> str:
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _DETAIL_CHARS else line[: _DETAIL_CHARS - 1] + "…"
