"""The OpenAI protocol as the scripted model speaks it: what each path answers."""

from __future__ import annotations

import asyncio
import hmac
import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from tracelift_groups.llm.request import Api, Request
from tracelift_groups.llm.scripted.batches import APIS, Batches
from tracelift_groups.llm.scripted.chance import chance
from tracelift_groups.llm.scripted.completions import (
    Refusal,
    Structured,
    completion,
    read_request,
)
from tracelift_groups.llm.scripted.faults import ContentFault, Faults, TransportFault
from tracelift_groups.llm.scripted.model import ScriptedModel, tokens
from tracelift_groups.llm.scripted.stats import Stats
from tracelift_groups.llm.scripted.wire import Call, Response

ANY = "any"
# Replies kept for requests that come again: working one out takes 0.5 ms, for code up to 100 ms.
_REMEMBERED = 4096


@dataclass(frozen=True)
class Behaviour:
    """How the server behaves.

    Attributes:
        model: The name that it serves; another one is 404. ``any`` serves all.
        latency_s: How long every completion takes at least.
        jitter_s: Up to so much longer, drawn anew for each.
        faults: What goes wrong.
        structured: What becomes of a JSON schema: met, not looked at, or refused with 400.
        context_tokens: A prompt and reply longer than this are 400; None for no limit.
        api_key: The key that callers must have; None lets everybody in.
        batch_polls: How often a batch is asked about until it is done.
        batch_expired: Share of a batch's requests that are not answered in time.
    """

    model: str = ANY
    latency_s: float = 0.0
    jitter_s: float = 0.0
    faults: Faults = field(default_factory=Faults)
    structured: Structured = "honoured"
    context_tokens: int | None = None
    api_key: str | None = None
    batch_polls: int = 2
    batch_expired: float = 0.0


class Endpoint:
    """Answers calls.

    Args:
        model: Says what is replied.
        behaviour: What is done to replies on their way.
    """

    def __init__(self, model: ScriptedModel, behaviour: Behaviour) -> None:
        self.stats = Stats()
        self._behaviour = behaviour
        self._write = lru_cache(maxsize=_REMEMBERED)(model.text)
        self._batches = Batches(
            self._answer_in_batch, behaviour.batch_polls, behaviour.batch_expired
        )

    async def answer(self, call: Call) -> Response | None:
        """Answer a call; None where the connection is to be closed without a reply."""
        if (call.method, call.path) == ("GET", "/stats"):
            return _json(200, self.stats.report())
        try:
            self._let_in(call)
            if call.method == "POST" and call.path in APIS:
                return await self._complete(call, APIS[call.path])
            return self._other(call)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body)

    def _let_in(self, call: Call) -> None:
        key = self._behaviour.api_key
        given = call.headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if key is not None and not hmac.compare_digest(given, key.encode()):
            raise Refusal(401, "this is not the API key of the server", "invalid_api_key")

    def _other(self, call: Call) -> Response:
        """Everything but completions."""
        batches = self._batches
        match (call.method, call.path.strip("/").split("/")):
            case ("GET", ["v1", "models"]):
                return _json(200, {"object": "list", "data": [self._model(self._served)]})
            case ("GET", ["v1", "models", *name]):
                return _json(200, self._model(self._check_name("/".join(name))))
            case ("POST", ["v1", "files"]):
                kind = call.headers.get(b"content-type", b"").decode("latin-1")
                return _json(200, batches.upload(kind, call.body))
            case ("GET", ["v1", "files", name]):
                return _json(200, batches.file(name))
            case ("GET", ["v1", "files", name, "content"]):
                octets = (("content-type", "application/octet-stream"),)
                return Response(200, batches.content(name), octets)
            case ("POST", ["v1", "batches"]):
                return _json(200, batches.create(_object(call.body)))
            case ("GET", ["v1", "batches", name]):
                return _json(200, batches.retrieve(name))
            case ("POST", ["v1", "batches", name, "cancel"]):
                return _json(200, batches.cancel(name))
        raise Refusal(404, f"unknown: {call.method} {call.path}")

    @property
    def _served(self) -> str:
        return "scripted" if self._behaviour.model == ANY else self._behaviour.model

    def _check_name(self, name: str) -> str:
        if self._behaviour.model not in (ANY, name):
            raise Refusal(404, f"the model `{name}` does not exist", "model_not_found")
        return name

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 0, "owned_by": "tracelift-groups"}

    async def _complete(self, call: Call, api: Api) -> Response | None:
        body = _object(call.body)
        request = self._read(body, api)
        seen = self.stats.arrives(request.key)
        self.stats.enters()
        try:
            fault = self._behaviour.faults.in_transport(request.key, seen)
            due = asyncio.get_running_loop().time() + self._latency(request.key, seen)
            # Worked out before it is due, so that a reply takes the latency and no more.
            content = self._behaviour.faults.in_content(request.key)
            made = self._body(body, request, content) if fault in (None, "cut") else {}
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if fault is None:
                self.stats.replies(request.key, made["usage"], content)
                return _json(200, made)
            self.stats.faults[fault] += 1
            if fault == "timeout":
                await asyncio.sleep(self._behaviour.faults.hang_s)
                return None
            return _json(200, made)._replace(cut=True) if fault == "cut" else self._failed(fault)
        finally:
            self.stats.leaves()

    def _latency(self, key: str, seen: int) -> float:
        jitter = self._behaviour.jitter_s
        return self._behaviour.latency_s + (jitter and jitter * chance("jitter", key, seen))

    def _failed(self, fault: TransportFault) -> Response:
        if fault == "server_error":
            return _json(500, Refusal(500, "the server had an error").body)
        response = _json(429, Refusal(429, "too many requests", "rate_limit_exceeded").body)
        after = ("retry-after", f"{self._behaviour.faults.retry_after_s:g}")
        return response._replace(headers=(*response.headers, after))

    def _read(self, body: dict[str, Any], api: Api) -> Request:
        request = read_request(body, api)
        self._check_name(request.model)
        if request.schema is not None and self._behaviour.structured == "refused":
            raise Refusal(400, "this server knows no 'response_format'")
        most = self._behaviour.context_tokens
        if most is not None and tokens(request.prompt) >= most:
            message = f"This model's maximum context length is {most} tokens."
            raise Refusal(400, message, "context_length_exceeded")
        return request

    def _body(
        self, body: dict[str, Any], request: Request, fault: ContentFault | None
    ) -> dict[str, Any]:
        if self._behaviour.structured == "ignored":
            return completion(request, body.get("n") or 1, self._unstructured, fault)
        return completion(request, body.get("n") or 1, self._write, fault)

    def _unstructured(self, request: Request) -> str:
        return self._write(replace(request, schema=None))

    def _answer_in_batch(self, body: dict[str, Any], api: Api) -> dict[str, Any]:
        request = self._read(body, api)
        seen = self.stats.arrives(request.key)
        fault = self._behaviour.faults.in_transport(request.key, seen)
        if fault is not None:
            self.stats.faults[fault] += 1
            raise Refusal(500, "the server had an error")
        content = self._behaviour.faults.in_content(request.key)
        made = self._body(body, request, content)
        self.stats.replies(request.key, made["usage"], content)
        return made


def _object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except ValueError as error:
        raise Refusal(400, f"the body is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise Refusal(400, "the body is no JSON object")
    return values


def _json(status: int, values: dict[str, Any]) -> Response:
    return Response(status, json.dumps(values).encode())
