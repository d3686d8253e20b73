"""The ``/score`` server: the protocol that the published trainers call.

``POST /score`` with ``{"items": [{"problem", "reasoning", "task_name", "task_type"}, ...]}`` gives
``{"scores": [0.93, ...]}``, one number in [0, 1] an item, in order. Of the reply forms that the
published client reads (a list, or an object with ``scores``) the object is chosen: it can grow.
``task_type`` or else ``task_name`` says math (the default) or code; an item may have ``tests``.
``max_length`` and ``batch_size`` are accepted and checked, and have no effect: the model's own
length holds, and batches are made across clients. ``GET /health`` tells that the model is loaded.

Errors are ``{"error": "..."}`` with a 4xx status for the client's mistakes, 503 when too much
waits, 500 when the model fails. Nothing is ever scored zero for want of a score.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tracelift_groups.errors import UserError
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.microbatch import MicroBatcher, QueueFullError

_LOG = logging.getLogger("tracelift_groups.serve")

Model = Callable[[list[Item]], Sequence[float]]


class Limits(NamedTuple):
    """What a request may ask for."""

    body_bytes: int = 8_000_000
    items: int = 1024
    """Per request."""
    text_chars: int = 100_000
    """Of a problem, a reasoning or tests."""
    waiting: int = 8192
    """Items of all clients that may wait for the model."""
    batch: int = 64
    """Items of one model call."""
    window_s: float = 0.004
    """How long a batch that is not full waits for company."""


DEFAULT_LIMITS = Limits()


class BadRequestError(Exception):
    """The client's mistake, with the status that says so."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


def make_app(
    model: Model, name: str, limits: Limits = DEFAULT_LIMITS, key: str | None = None
) -> Any:
    """Make the ASGI application.

    Args:
        model: Items to scores in [0, 1].
        name: What ``/health`` calls it.
        limits: See :class:`Limits`.
        key: Where given, ``/score`` asks for it as ``Authorization: Bearer ...``.
    """
    batcher = MicroBatcher(
        model, max_batch=limits.batch, window_s=limits.window_s, max_waiting=limits.waiting
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with batcher:
            yield

    async def score(request: Request) -> Response:
        if key is not None and not _authorised(request, key):
            return _error("this server asks for a key: Authorization: Bearer ...", 401)
        try:
            items = parse_items(await _body(request, limits.body_bytes), limits)
            scores = await batcher.score(items)
        except BadRequestError as error:
            return _error(str(error), error.status)
        except UserError as error:  # an item that the model cannot read
            return _error(str(error), 422)
        except QueueFullError as error:
            return _error(f"too much is waiting: {error}", 503, {"retry-after": "1"})
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            _LOG.exception("the model failed")
            return _error("the model failed; the server's log has the reason", 500)
        if not all(math.isfinite(score) for score in scores):
            _LOG.error("the model gave a score that is no number")
            return _error("the model gave a score that is no number", 500)
        return JSONResponse({"scores": scores})

    async def health(_: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "model": name,
                "max_batch": limits.batch,
                "max_items": limits.items,
                "waiting": batcher.waiting,
                "scored": batcher.scored,
                "batches": batcher.batches,
            }
        )

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        ways = "POST /score and GET /health are what this server answers"
        return _error(f"{error.detail}: {ways}", error.status_code, error.headers)

    routes = [Route("/score", score, methods=["POST"]), Route("/health", health, methods=["GET"])]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refuse})


def parse_items(body: bytes, limits: Limits) -> list[Item]:
    """Read a request of the protocol.

    Raises:
        BadRequestError: Names the field that is wrong.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"not JSON: {error}", 400) from error
    if not isinstance(request, dict) or not isinstance(request.get("items"), list):
        raise BadRequestError('expected an object with a list of "items"')
    for name in ("max_length", "batch_size"):
        value = request.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadRequestError(f"{name} is no positive whole number")
    if len(request["items"]) > limits.items:
        raise BadRequestError(f"{len(request['items'])} items, of at most {limits.items}", 413)
    return [_item(value, f"items[{i}]", limits) for i, value in enumerate(request["items"])]


def _item(value: object, where: str, limits: Limits) -> Item:
    if not isinstance(value, dict):
        raise BadRequestError(f"{where} is no object")
    for name in ("problem", "reasoning", "tests"):
        text = value.get(name)
        if text is None and name == "tests":
            continue
        if not isinstance(text, str) or not text.strip():
            raise BadRequestError(f"{where}.{name} is missing, empty or no text")
        if len(text) > limits.text_chars:
            raise BadRequestError(
                f"{where}.{name} has {len(text)} characters, of at most {limits.text_chars}", 413
            )
        if not text.isascii():
            _check_encodable(text, f"{where}.{name}")
    return Item(
        problem=value["problem"],
        reasoning=value["reasoning"],
        domain=_domain(value, where),
        tests=value.get("tests"),
    )


def _check_encodable(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair: no tokenizer takes it
        raise BadRequestError(f"{where} is no valid Unicode text") from error


def _domain(value: dict[str, Any], where: str) -> Literal["math", "code"]:
    said = value.get("task_type") or value.get("task_name") or "math"
    if said == "math":
        return "math"
    if said == "code":
        return "code"
    raise BadRequestError(f"{where}.task_type is neither math nor code")


def _authorised(request: Request, key: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), key.encode())
    return same and scheme.lower() == "bearer"


async def _body(request: Request, limit: int) -> bytes:
    """Read a body piece by piece, so that a large one is refused before it is in memory."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise BadRequestError(f"the body has more than {limit} bytes", 413)
        pieces.append(piece)
    return b"".join(pieces)


def _error(message: str, status: int, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)
