"""One endpoint that speaks an OpenAI protocol: asks until there is an answer, or none to be had.

Three outcomes. An answer, which may be a failure of this one call. A mistake that the user can
mend (a wrong key, an unknown model): the run ends in one line. An endpoint that is down: the run
ends as well, since going on would reject everything that is asked of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.llm import probe
from tracelift_groups.llm.account import Account
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.limiter import Limiter, Stopped, retry_after_s
from tracelift_groups.llm.mistakes import GOES_ON, mistake
from tracelift_groups.llm.request import Answer, Failed, Request
from tracelift_groups.llm.settings import NO_KEY, ModelSettings
from tracelift_groups.llm.wire import PATHS, Dialect, Trouble, Turn, read_error, read_reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_POOL = 8  # connections of one HTTP client
_CHECK_UPS = 3  # tiny calls, each up to the time limit, before an endpoint counts as down


class EndpointDown(UserError):  # noqa: N818 - it is the endpoint that is down
    """Nothing is answered, however often it is tried."""


@dataclass(frozen=True)
class Patience:
    """How long to wait between attempts, in seconds; waits are drawn from 0 up to these."""

    first_s: float = 0.5
    longest_s: float = 30.0
    throttles: int = 30
    """How often one call may be told to come later, which is no attempt."""
    longest_pause_s: float = 900.0
    """A server that wants a longer pause, such as until tomorrow, ends the run."""

    def wait_s(self, attempt: int) -> float:
        """Draw the wait after an attempt, counted from 1."""
        return random.uniform(0, min(self.longest_s, self.first_s * 2 ** (attempt - 1)))


class _Attempt(NamedTuple):
    outcome: Answer | Trouble
    sent_at: float


class Endpoint:
    """Asks a model over HTTP.

    Args:
        settings: Where, and how patiently.
        account: Told of every call before it is sent; may refuse.
        cache: Remembers what was found out about the server.
        patience: Waits between attempts.

    Raises:
        UserError: There is no key for a service that needs one.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        account: Account | None = None,
        cache: Cache | None = None,
        patience: Patience | None = None,
    ) -> None:
        import httpx2

        self.settings = settings
        self._tls = httpx2.create_ssl_context()
        self.account = account or Account.of(settings)
        self.limiter = Limiter(settings.concurrency)
        self.dialects: defaultdict[str, Dialect] = defaultdict(Dialect)
        self._cache = cache
        self._patience = patience or Patience()
        self._redactor = settings.redactor()
        self._redactor.guard_logs()
        self._stop = asyncio.Event()
        self._stop_reason: Exception = Stopped()
        self._answered_at = float("-inf")
        self._checking = asyncio.Lock()
        self._probing = asyncio.Lock()
        self._structured: dict[str, bool] = {}
        # Every use of a pool looks at all its idle connections, with system calls: with one pool
        # for 64 calls at once a call took 1.22 ms of processor time, with several small ones 1.04.
        clients = [self._make_client() for _ in range(-(-settings.concurrency // _POOL))]
        self._clients = clients
        self._free = [client for client in clients for _ in range(_POOL)]

    def _make_client(self) -> AsyncOpenAI:
        import httpx2
        import openai

        # The time limit is ours: theirs is for each read, so a server that drips never meets it.
        limits = httpx2.Limits(
            max_connections=_POOL, max_keepalive_connections=_POOL, keepalive_expiry=30.0
        )
        http = openai.DefaultAsyncHttpxClient(
            auth=self.settings.login, timeout=None, verify=self._tls, limits=limits
        )
        return openai.AsyncOpenAI(
            api_key=self.settings.key() or NO_KEY,
            base_url=self.settings.shown_url,
            default_query=self.settings.query,
            max_retries=0,
            timeout=None,
            http_client=http,
        )

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request.

        Raises:
            UserError: The user must mend something, or the endpoint is down.
            BudgetSpent: The account refuses the call.
            Stopped: :meth:`stop` was called before the call was sent.
        """
        structured = request.schema is not None and await self._honours_schemas(request)
        return await self._ask(request, structured)

    def stop(self, reason: Exception | None = None) -> None:
        """Send nothing more; calls under way are still answered, all others raise the reason."""
        self._stop_reason = reason or Stopped()
        self._stop.set()
        self.limiter.stop(self._stop_reason)

    async def close(self) -> None:
        """Close the connections."""
        self._redactor.release_logs()
        for client in self._clients:
            await client.close()

    async def _ask(self, request: Request, structured: bool) -> Answer:
        attempts = throttles = 0
        while True:
            outcome, sent_at = await self._attempt(request, structured)
            if not isinstance(outcome, Trouble):
                return outcome
            if outcome.turn is Turn.FAILED:
                return Failed(outcome.reason, outcome.detail)
            if outcome.turn is Turn.NEW_DIALECT:
                continue
            if outcome.turn is Turn.RETRY:
                attempts += 1
            else:
                throttles += 1
            if attempts >= self.settings.attempts or throttles > self._patience.throttles:
                await self._check_up(request, sent_at, outcome)
                return Failed("unavailable", outcome.detail)
            await self._wait(self._patience.wait_s(attempts + throttles))

    async def _attempt(self, request: Request, structured: bool) -> _Attempt:
        """Send a request once, when there is room, and learn from what comes back."""
        dialect = self.dialects[request.model]
        async with self.limiter.slot():
            self.account.sending(request.model)
            sent_at = time.monotonic()
            body = dialect.body(request, structured=structured)
            try:
                outcome, pause_s = await self._send(request, body)
                if isinstance(outcome, Trouble):
                    self._end_if(outcome, pause_s, request)
            except UserError as error:
                self.stop(error)  # before the next in the queue is let in
                raise
            if not isinstance(outcome, Trouble):
                self.account.pay(request, outcome)  # before that, too
            turn = outcome.turn if isinstance(outcome, Trouble) else None
            if pause_s is not None:
                self.limiter.pause(pause_s)
            if turn is Turn.THROTTLED:
                self.limiter.refused(sent_at)
            elif turn is not Turn.RETRY:
                self._answered_at = time.monotonic()
                self.limiter.succeeded()
        # Of many calls refused at once, the first teaches and the others are written anew.
        if isinstance(outcome, Trouble) and outcome.parameter in dialect.body(
            request, structured=structured
        ):
            dialect.learn(outcome.parameter)
        return _Attempt(outcome, sent_at)

    async def _send(
        self, request: Request, body: dict[str, Any]
    ) -> tuple[Answer | Trouble, float | None]:
        """Send once; return what came of it, and how long the server asks to wait."""
        import httpx2
        import openai

        client = self._free.pop()
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                response = await client.post(PATHS[request.api], body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            response = error.response
        except (TimeoutError, openai.APITimeoutError):
            timeout = f"no reply within {self.settings.timeout_s:g} s"
            return Trouble(Turn.RETRY, timeout), None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            reason = self._redactor(str(cause) or type(cause).__name__)
            if isinstance(cause, httpx2.ConnectError) and self._answered_at == float("-inf"):
                raise UserError(
                    f"cannot connect ({reason})",
                    where=self.settings.shown_url,
                    way_out="check --base-url and that the server is running",
                ) from None
            return Trouble(Turn.RETRY, f"the connection failed ({reason})"), None
        finally:
            self._free.append(client)
        payload, is_json = self._read(response.content)
        if response.is_success:
            if not is_json:
                return Trouble(Turn.RETRY, "the response is no JSON"), None
            return read_reply(request.api, payload), None
        pause_s = retry_after_s(response.headers, time.time())
        return read_error(response.status_code, payload, body), pause_s

    def _read(self, content: bytes) -> tuple[Any, bool]:
        """Return a body, without secrets, as JSON or else as text, and which it is."""
        try:
            return self._redactor.deep(json.loads(content)), True
        except (ValueError, RecursionError):
            return self._redactor(content.decode("utf-8", "replace")), False

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
            raise self._stop_reason

    async def _check_up(self, request: Request, sent_at: float, last: Trouble) -> None:
        """Tell a call that fails from an endpoint that is down.

        Where no other call was answered since the last attempt, tiny calls decide: otherwise a
        single request that a server chokes on would end every run.

        Raises:
            EndpointDown: Nothing is answered.
        """
        tiny = Request("check-up", request.model, "Say OK.", max_tokens=16, api=request.api)
        async with self._checking:
            for attempt in range(1, min(self.settings.attempts, _CHECK_UPS) + 1):
                if self._answered_at > sent_at:
                    return
                outcome, _ = await self._attempt(tiny, structured=False)
                if not isinstance(outcome, Trouble):
                    self.account.answered(tiny, outcome)
                elif outcome.turn in (Turn.RETRY, Turn.THROTTLED):
                    await self._wait(self._patience.wait_s(attempt))
            if self._answered_at <= sent_at:
                down = EndpointDown(
                    f"the endpoint does not answer ({last.detail})",
                    where=self.settings.shown_url,
                    way_out=f"when it is up, {GOES_ON}",
                )
                self.stop(down)
                raise down

    async def _honours_schemas(self, request: Request) -> bool:
        """Find out once whether the server keeps replies to a schema."""
        model = request.model
        if model in self._structured:
            return self._structured[model]
        async with self._probing:
            if model not in self._structured:
                self._structured[model] = await self.structured_output(request) == "enforced"
        return self._structured[model]

    async def structured_output(self, request: Request) -> str | None:
        """Return enforced, ignored or refused; None where the probe's reply says nothing."""
        # Chat and completions are different code in servers.
        name = f"{probe.FACT} ({request.api})"
        where, model = self.settings.shown_url, request.model
        if self._cache is not None and (known := self._cache.fact(where, model, name)):
            return known
        tiny = probe.probe_request(model, request.api)
        answer = await self._ask(tiny, structured=True)
        self.account.answered(tiny, answer)
        refused = "response_format" in self.dialects[model].left_out
        verdict = probe.verdict(answer, refused=refused)
        if self._cache is not None and verdict is not None:
            self._cache.put_fact(where, model, name, verdict)
        return verdict

    def _end_if(self, trouble: Trouble, pause_s: float | None, request: Request) -> None:
        if pause_s is not None and pause_s > self._patience.longest_pause_s:
            what = f"the server asks to come back in {pause_s / 60:.0f} minutes ({trouble.detail})"
            raise EndpointDown(what, where=self.settings.shown_url, way_out=GOES_ON)
        if found := mistake(trouble, self.settings, f"model {request.model!r}", PATHS[request.api]):
            raise found
