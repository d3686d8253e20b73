"""OpenAI's Batch API: half the price, within a day.

A run asks as always (:meth:`BatchSession.ask_all`). What is not in the cache is noted, and the
stage is left waiting; :meth:`BatchSession.submit` sends what was noted. Another day the same
command collects the answers into the cache, and the stages, run again from their beginning, get
further. Every step is recorded before the next: killed between any two, a batch that the server
knows is found again by its name, which it carries as metadata.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tracelift_groups.errors import UserError
from tracelift_groups.llm.account import Account
from tracelift_groups.llm.batchstate import (
    Loss,
    Part,
    PartReader,
    PartWriter,
    part_path,
    part_requests,
    read_state,
    remove_strays,
    save_state,
)
from tracelift_groups.llm.cache import STORED_FAILURES, Cache
from tracelift_groups.llm.mistakes import GOES_ON, mistake
from tracelift_groups.llm.request import Answer, Api, Failed, Request
from tracelift_groups.llm.session import Waiting
from tracelift_groups.llm.settings import NO_KEY, ModelSettings
from tracelift_groups.llm.wire import PATHS, Dialect, Trouble, Turn, read_error, read_reply

if TYPE_CHECKING:
    from openai.types import Batch, FileObject

MOST_REQUESTS = 50_000
MOST_BYTES = 190_000_000  # the server's limit is 200 MB
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_NAME = "tracelift_groups_part"
_TIMES = 3  # a request that fails in so many batches is given up
_HTTP_ATTEMPTS = 5


class BatchReport(NamedTuple):
    """What became of one batch.

    ``status`` is the server's word. Requests that are neither ``answered`` nor given up go into
    the next batch once this one has ended; ``detail`` says why, where the server does.
    """

    name: str
    status: str
    requests: int
    answered: int = 0
    detail: str = ""


class BatchSession:
    """Asks through batches. Closing it closes the cache.

    Args:
        settings: Where, and what may be spent.
        folder: The run folder, which keeps the record of the batches.
        cache: Where answers are found and stored.
        account: Where calls are counted.
        structured: Whether the server honours JSON schemas.

    Raises:
        UserError: There is no key, or the record of the batches is damaged.
    """

    def __init__(
        self,
        settings: ModelSettings,
        folder: Path,
        *,
        cache: Cache,
        account: Account | None = None,
        structured: bool = False,
    ) -> None:
        import openai

        self.settings = settings
        self.account = account or Account.of(settings, batch=True)
        self.cache = cache
        self._folder = folder
        self._structured = structured
        self._redactor = settings.redactor()
        self._redactor.guard_logs()
        self._client = openai.OpenAI(
            api_key=settings.key() or NO_KEY,
            base_url=settings.shown_url,
            default_query=settings.query,
            max_retries=_HTTP_ATTEMPTS - 1,
            http_client=openai.DefaultHttpxClient(auth=settings.login),
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._state = read_state(folder)
        remove_strays(folder, self._state)
        self._known = {
            request.key for part in self._state.parts for request in part_requests(folder, part)
        }
        self._writers: dict[tuple[str, Api], PartWriter] = {}
        self._written: list[Part] = []

    async def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answers to all of the requests, if they are there.

        Raises:
            Waiting: Some are not; they are noted for the next batch.
        """
        answers = [self._known_answer(request) for request in requests]
        for request, answer in zip(requests, answers, strict=True):
            if answer is None and request.key not in self._known:
                self._note(request)
        found = [answer for answer in answers if answer is not None]
        if len(found) < len(answers):
            raise Waiting
        self.account.reused(len(found))
        return found

    async def drain(self, limit_s: float | None = None) -> None:
        """Nothing is ever under way here."""

    def submit(self) -> int:
        """Send all that was noted, and what a killed process could not send.

        Returns:
            How many requests were sent.

        Raises:
            UserError: The server does not take them.
            BudgetSpent: They may not be sent.
        """
        for key in list(self._writers):
            self._finish(key)
        self._state.parts += self._written
        self._written = []
        sent = 0
        for part in self._state.parts:
            if part.batch_id is None and not self._adopt(part):
                self.account.sending(part.model, part.requests)
                self._send(part)
                sent += part.requests
        return sent

    def collect(self) -> list[BatchReport]:
        """Store the answers of batches that have ended, and forget those.

        Returns:
            What became of every batch.

        Raises:
            UserError: The server refuses, or knows nothing of a batch.
        """
        reports = []
        for part in list(self._state.parts):
            if part.batch_id is None and not self._adopt(part):
                reports.append(BatchReport(part.name, "not submitted", part.requests))
                continue
            assert part.batch_id is not None
            with self._told(f"batch {part.batch_id}", "/batches"):
                batch = self._client.batches.retrieve(part.batch_id)
                _id(batch)
            if batch.status not in _ENDED:
                reports.append(BatchReport(part.name, batch.status, part.requests))
                continue
            reports.append(self._store(part, batch))
            self._state.parts.remove(part)
            save_state(self._folder, self._state)
            part_path(self._folder, part).unlink(missing_ok=True)
        return reports

    def close(self) -> None:
        """Close the connections and the cache; what was noted and not submitted is dropped."""
        for writer in self._writers.values():
            writer.close()
        self._redactor.release_logs()
        self._client.close()
        self.cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _known_answer(self, request: Request) -> Answer | None:
        loss = self._state.losses.get(request.key)
        if loss is not None and (loss.times >= _TIMES or loss.reason == "bad_request"):
            return loss.failed()
        return self.cache.get(request.key)

    def _line(self, request: Request) -> bytes:
        """Write a request as a line of a batch."""
        line = {
            "custom_id": request.key,
            "method": "POST",
            "url": "/v1" + PATHS[request.api],
            "body": self._state.dialect.body(request, structured=self._structured),
        }
        return json.dumps(line).encode() + b"\n"

    def _note(self, request: Request) -> None:
        key = (request.model, request.api)
        size = len(self._line(request))
        most = min(MOST_REQUESTS, self.account.budget.max_calls or MOST_REQUESTS)
        writer = self._writers.get(key)
        if writer and (writer.part.requests >= most or writer.sent_bytes + size > MOST_BYTES):
            self._finish(key)
        if key not in self._writers:
            self._writers[key] = PartWriter(self._folder, *key)
        self._writers[key].add(request, size)
        self._known.add(request.key)

    def _finish(self, key: tuple[str, Api]) -> None:
        writer = self._writers.pop(key)
        writer.close()
        self._written.append(writer.part)

    def _send(self, part: Part) -> None:
        """Upload a batch's requests and begin it, recording each step."""
        if part.file_id is None:
            upload = part_path(self._folder, part).with_suffix(".upload")
            with upload.open("wb") as file:
                for request in part_requests(self._folder, part):
                    file.write(self._line(request))
            with upload.open("rb") as file, self._told("Batch API", "/files"):
                name = f"{part.name}.jsonl"
                part.file_id = _id(self._client.files.create(file=(name, file), purpose="batch"))
            upload.unlink()
            save_state(self._folder, self._state)
        with self._told("Batch API", "/batches"):
            # Not tried again: a lost response would begin it twice. It is found by its name.
            batch = self._client.with_options(max_retries=0).batches.create(
                input_file_id=part.file_id,
                endpoint="/v1/chat/completions" if part.api == "chat" else "/v1/completions",
                completion_window="24h",
                metadata={_NAME: part.name},
            )
            part.batch_id = _id(batch)
        save_state(self._folder, self._state)

    def _adopt(self, part: Part) -> bool:
        """Find a batch that was begun and, the process being killed, not recorded."""
        if part.file_id is None:
            return False
        with self._told("Batch API", "/batches"):
            for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(_NAME) == part.name:
                    part.batch_id = batch.id
                    save_state(self._folder, self._state)
                    return True
        return False

    def _store(self, part: Part, batch: Batch) -> BatchReport:
        """Put the answers of a batch that has ended into the cache."""
        requests = PartReader(self._folder, part)
        troubles: Counter[str] = Counter()
        answered = 0
        for file_id in (batch.output_file_id, batch.error_file_id):
            for line in self._lines(file_id) if file_id else ():
                request = requests.get(str(line.get("custom_id")))
                if request is None:
                    continue
                outcome = self._outcome(request, line)
                if isinstance(outcome, Trouble):
                    troubles[outcome.detail] += 1
                    self._lose(request, outcome)
                else:
                    answered += 1
                    self.account.pay(request, outcome)
                    self.account.answered(request, self.cache.put(request, outcome))
        for error in (batch.errors.data or []) if batch.errors else []:
            troubles[self._redactor(error.message or error.code or "")] += 1
        self._known -= requests.keys
        detail = "; ".join(f"{count} x {text}" for text, count in troubles.most_common(3))
        return BatchReport(part.name, batch.status, part.requests, answered, detail)

    def _lines(self, file_id: str) -> Iterator[dict[str, Any]]:
        with (
            self._told("file", "/files"),
            self._client.files.with_streaming_response.content(file_id) as response,
        ):
            for text in response.iter_lines():
                with contextlib.suppress(ValueError):
                    line = json.loads(text)
                    if isinstance(line, dict):
                        yield self._redactor.deep(line)

    def _outcome(self, request: Request, line: dict[str, Any]) -> Answer | Trouble:
        """Read one line of a batch's output, as a single call's response is read."""
        response = line.get("response")
        if not isinstance(response, dict):
            error = line.get("error")
            message = error.get("message") if isinstance(error, dict) else None
            return Trouble(Turn.RETRY, str(message or "no response"))
        status, body = response.get("status_code"), response.get("body")
        if status == 200:
            outcome = read_reply(request.api, body)
        else:
            # Whatever may have been sent: another batch may have taught since.
            sent = Dialect().body(request) | {"max_completion_tokens": request.max_tokens}
            outcome = read_error(status if isinstance(status, int) else 500, body, sent)
        if isinstance(outcome, Trouble) and outcome.turn is Turn.FAILED:
            failed = Failed(outcome.reason, outcome.detail)
            return failed if failed.reason in STORED_FAILURES else outcome
        return outcome

    def _lose(self, request: Request, trouble: Trouble) -> None:
        """Note a request that was not answered; it is given up after a few batches."""
        if trouble.parameter in self._state.dialect.body(request, structured=self._structured):
            self._state.learn(trouble.parameter)
            return
        reason = trouble.reason if trouble.turn is Turn.FAILED else "unavailable"
        before = self._state.losses.get(request.key)
        times = before.times + 1 if before else 1
        self._state.losses[request.key] = Loss(reason=reason, detail=trouble.detail, times=times)

    @contextlib.contextmanager
    def _told(self, wanted: str, path: str) -> Iterator[None]:
        """Tell what goes wrong with the server in one line."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            body = self._redactor.deep(error.body)
            trouble = read_error(error.status_code, body, {})
            found = mistake(trouble, self.settings, wanted, path)
            raise found or self._failed(trouble.detail) from None
        except openai.OpenAIError as error:
            cause = error.__cause__ or error
            raise self._failed(self._redactor(str(cause) or type(cause).__name__)) from None
        except (ValueError, AttributeError):  # the client takes any JSON for what it expects
            raise self._failed(f"what {path} said is not of the protocol") from None

    def _failed(self, detail: str) -> UserError:
        return UserError(
            f"the batches could not be seen to ({detail})",
            where=self.settings.shown_url,
            way_out=GOES_ON,
        )


def _id(thing: FileObject | Batch) -> str:
    """Return the server's name of a thing.

    Raises:
        ValueError: It has none, or is no such thing.
    """
    if not isinstance(name := getattr(thing, "id", None), str):
        raise ValueError("no id")
    return name
