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
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.llm import probe
from tracelift_groups.llm.account import Account
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.limiter import Limiter, Stopped, retry_after_s
from tracelift_groups.llm.request import Answer, Failed, Request
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.llm.wire import PATHS, Dialect, Trouble, Turn, read_error, read_reply

_GOES_ON = "the same command goes on from here"


class EndpointDown(UserError):  # noqa: N818 - it is the endpoint that is down
    """Nothing was answered for as long as one call was tried."""


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
        import openai

        self.settings = settings
        self.account = account or Account.of(settings)
        self.limiter = Limiter(settings.concurrency)
        self.dialects: defaultdict[str, Dialect] = defaultdict(Dialect)
        self._cache = cache
        self._patience = patience or Patience()
        self._has_key = settings.key() is not None
        self._redactor = settings.redactor()
        self._redactor.guard_logs()
        self._stop = asyncio.Event()
        self._answered_at = float("-inf")
        self._checking = asyncio.Lock()
        self._probing = asyncio.Lock()
        self._structured: dict[str, bool] = {}
        # A connection for every call under way; httpx keeps 20 and openai 100 by default. The
        # time limit is ours: theirs is for each read, so a server that drips never meets it.
        self._client = openai.AsyncOpenAI(
            api_key=settings.key() or "none",
            base_url=settings.shown_url,
            default_query=settings.query,
            max_retries=0,
            timeout=None,
            http_client=openai.DefaultAsyncHttpxClient(
                auth=settings.login,
                timeout=None,
                limits=httpx2.Limits(
                    max_connections=settings.concurrency,
                    max_keepalive_connections=settings.concurrency,
                    keepalive_expiry=30.0,
                ),
            ),
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

    def stop(self) -> None:
        """Send nothing more; calls under way are still answered."""
        self._stop.set()
        self.limiter.stop()

    async def close(self) -> None:
        """Close the connections."""
        self._redactor.release_logs()
        await self._client.close()

    async def _ask(self, request: Request, structured: bool) -> Answer:
        started = time.monotonic()
        attempts = throttles = 0
        while True:
            outcome = await self._attempt(request, structured)
            if not isinstance(outcome, Trouble):
                return outcome
            if outcome.turn is Turn.FAILED:
                return Failed(outcome.reason, outcome.detail)
            if outcome.turn is Turn.NEW_DIALECT:
                continue
            if outcome.turn is Turn.RETRY:
                attempts += 1
            elif outcome.turn is Turn.THROTTLED:
                throttles += 1
            else:
                raise self._mistake(outcome, request)
            if attempts >= self.settings.attempts or throttles > self._patience.throttles:
                await self._check_up(request, started, outcome)
                return Failed("unavailable", outcome.detail)
            await self._wait(self._patience.wait_s(attempts + throttles))

    async def _attempt(self, request: Request, structured: bool) -> Answer | Trouble:
        """Send a request once, when there is room, and learn from what comes back."""
        dialect = self.dialects[request.model]
        async with self.limiter.slot():
            self.account.sending(request.model)
            sent_at = time.monotonic()
            body = dialect.body(request, structured=structured)
            outcome, pause_s = await self._send(request, body)
            if isinstance(outcome, Trouble) and outcome.turn is Turn.THROTTLED:
                self.limiter.refused(sent_at, pause_s)
                if pause_s is not None and pause_s > self._patience.longest_pause_s:
                    raise EndpointDown(
                        f"the server asks to come back in {pause_s / 60:.0f} minutes "
                        f"({outcome.detail})",
                        where=self.settings.shown_url,
                        way_out=_GOES_ON,
                    )
            elif not isinstance(outcome, Trouble) or outcome.turn is not Turn.RETRY:
                self._answered_at = time.monotonic()
                self.limiter.succeeded()
        # Of many calls refused at once, the first teaches and the others are written anew.
        if (
            isinstance(outcome, Trouble)
            and outcome.turn is Turn.NEW_DIALECT
            and outcome.parameter in dialect.body(request, structured=structured)
        ):
            dialect.learn(outcome.parameter)
        return outcome

    async def _send(
        self, request: Request, body: dict[str, Any]
    ) -> tuple[Answer | Trouble, float | None]:
        """Send once; return what came of it, and how long the server asks to wait."""
        import httpx2
        import openai

        try:
            async with asyncio.timeout(self.settings.timeout_s):
                response = await self._client.post(
                    PATHS[request.api], body=body, cast_to=httpx2.Response
                )
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
            raise Stopped

    async def _check_up(self, request: Request, started: float, last: Trouble) -> None:
        """Tell a call that fails from an endpoint that is down.

        Where nothing else was answered since the call began, one tiny call decides: otherwise a
        single request that a server chokes on would end every run.

        Raises:
            EndpointDown: Nothing is answered.
        """
        async with self._checking:
            if self._answered_at > started:
                return
            tiny = Request("check-up", request.model, "Say OK.", max_tokens=16, api=request.api)
            outcome = await self._attempt(tiny, structured=False)
            if not isinstance(outcome, Trouble):
                self.account.answered(tiny, outcome)
        if self._answered_at <= started:
            raise EndpointDown(
                f"the endpoint does not answer ({last.detail})",
                where=self.settings.shown_url,
                way_out=f"when it is up, {_GOES_ON}",
            )

    async def _honours_schemas(self, request: Request) -> bool:
        """Find out once whether the server keeps replies to a schema."""
        model = request.model
        if model in self._structured:
            return self._structured[model]
        async with self._probing:
            if model not in self._structured:
                self._structured[model] = await self._probe(request) == "enforced"
        return self._structured[model]

    async def _probe(self, request: Request) -> str | None:
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

    def _mistake(self, trouble: Trouble, request: Request) -> UserError:
        """Say in one line what the user must mend."""
        where = self.settings.shown_url
        if trouble.turn is Turn.KEY:
            # What the server says is left out: it may quote a part of the key.
            variable = self.settings.api_key_env
            what = f"refuses the key in {variable}" if self._has_key else "wants a key"
            return UserError(
                f"the server {what}", where=where, way_out=f"set {variable}, or --api-key-env"
            )
        if trouble.turn is Turn.MONEY:
            way_out = f"when there is credit again, {_GOES_ON}"
            return UserError(f"no credit ({trouble.detail})", where=where, way_out=way_out)
        if trouble.turn is Turn.NOT_FOUND:
            return UserError(
                f"no model {request.model!r} at {PATHS[request.api]} ({trouble.detail})",
                where=where,
                way_out="check --model and --base-url",
            )
        option = "--" + trouble.parameter.replace("_", "-").replace("completion-", "")
        return UserError(trouble.detail, where=where, way_out=f"give another {option}")
