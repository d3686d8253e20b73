"""Chat and text completions: from a body of the OpenAI protocol to a request, and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from tracelift_groups.llm.request import Api, Request, Schema
from tracelift_groups.llm.scripted.faults import ContentFault
from tracelift_groups.llm.scripted.model import tokens

# Of a reply without limit; the protocol leaves it to the server.
_MAX_TOKENS = 16_384
_ANY_JSON = Schema("json_object", {"type": "object"})
_REFUSAL = "I'm sorry, I cannot help with that."

Structured = Literal["honoured", "ignored", "refused"]


class Refusal(Exception):  # noqa: N818 - an answer of the protocol, not a failure of ours
    """An error that the protocol answers with."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        self.status, self.message, self.code = status, message, code
        super().__init__(message)

    @property
    def body(self) -> dict[str, Any]:
        """The error as the protocol has it."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error = {"message": self.message, "type": kind, "param": None, "code": self.code}
        return {"error": error}


def read_request(body: Mapping[str, Any], api: Api) -> Request:
    """Read the body of a call. ``seed`` is the sample.

    Raises:
        Refusal: 400, with what is missing or not supported.
    """
    model, seed, count = body.get("model"), body.get("seed") or 0, body.get("n") or 1
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or _MAX_TOKENS
    temperature = body.get("temperature")
    if not isinstance(model, str):
        raise Refusal(400, "you must provide a model parameter")
    if body.get("stream"):
        raise Refusal(400, "this server does not stream")
    if not all(isinstance(one, int) and one >= 0 for one in (seed, count, limit)):
        raise Refusal(400, "seed, n and max_tokens are whole numbers")
    return Request(
        task="served",
        model=model,
        prompt=_prompt_of(body, api),
        schema=_schema_of(body.get("response_format")),
        temperature=1.0 if temperature is None else temperature,
        max_tokens=limit,
        sample=seed,
        api=api,
    )


def _prompt_of(body: Mapping[str, Any], api: Api) -> str:
    if api == "completions":
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise Refusal(400, "'prompt' is one text")
        return prompt
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "'messages' is a list that is not empty")
    try:
        return "\n\n".join(_text_of(message["content"]) for message in messages)
    except (TypeError, KeyError) as error:
        raise Refusal(400, "a message has a role and a content") from error


def _text_of(content: str | list[Mapping[str, str]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _schema_of(wanted: Any) -> Schema | None:
    if wanted is None:
        return None
    if not isinstance(wanted, dict):
        raise Refusal(400, "'response_format' is an object")
    if wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return _ANY_JSON
    try:
        named = wanted["json_schema"]
        return Schema(named["name"], named["schema"])
    except (TypeError, KeyError) as error:
        raise Refusal(400, "'json_schema' has a name and a schema") from error


def completion(
    request: Request, count: int, write: Callable[[Request], str], fault: ContentFault | None
) -> dict[str, Any]:
    """Answer a request as the protocol does.

    Args:
        request: What was asked.
        count: How many choices; of several, each is a sample of its own.
        write: Gives the text of a sample.
        fault: What is wrong with the reply.
    """
    choices, spent = [], 0
    for index in range(count):
        text = write(replace(request, sample=request.sample * count + index))
        text, finish = _spoiled(text, fault)
        if tokens(text) > request.max_tokens:
            text, finish = text[: 4 * request.max_tokens], "length"
        spent += tokens(text)
        choice: dict[str, Any] = {"index": index, "finish_reason": finish, "logprobs": None}
        if request.api == "completions":
            choice["text"] = text
        else:
            # A refusal comes as a message of its own, or as a filter that leaves nothing.
            said = fault == "refused" and int(request.key[-1], 16) % 2 == 0
            choice["finish_reason"] = "stop" if said else finish
            choice["message"] = {
                "role": "assistant",
                "content": None if fault == "refused" else text,
                "refusal": _REFUSAL if said else None,
            }
        choices.append(choice)
    asked = tokens(request.prompt)
    return {
        "id": f"{'cmpl' if request.api == 'completions' else 'chatcmpl'}-{request.key[:24]}",
        "object": "text_completion" if request.api == "completions" else "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": choices,
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": spent,
            "total_tokens": asked + spent,
        },
    }


def _spoiled(text: str, fault: ContentFault | None) -> tuple[str, str]:
    """The text that a fault leaves, and why it ends there."""
    if fault == "truncated":
        return text[: len(text) // 2], "length"
    if fault == "bad_json":
        return text[: max(1, len(text) * 2 // 3)], "stop"
    if fault == "refused":
        return "", "content_filter"
    return ("" if fault == "empty" else text), "stop"
