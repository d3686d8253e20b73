"""A language model by one name, behind an endpoint or in this process, with its replies kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tracelift_groups.errors import UserError
from tracelift_groups.llm.account import Account
from tracelift_groups.llm.asking import Asks
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.request import Answer, Api, Reply, Request
from tracelift_groups.llm.session import Session, open_session
from tracelift_groups.llm.settings import ModelSettings

R = TypeVar("R")

LOCAL = "local:"
_PROBES = 4
_PROBE = "Write down a word of twelve letters that nobody has used before. Reply with it alone."


@dataclass(frozen=True)
class ModelChoice:
    """Which model to ask, as a command line says it.

    Attributes:
        spec: An endpoint's URL, or ``local:DIR``.
        name: The model's name at the endpoint; a folder needs none.
        api: Which of the two OpenAI protocols.
        api_key_env: Environment variable that holds the endpoint's key.
        concurrency: Most calls under way.
        timeout_s: For one attempt at a call.
        attempts: How often a call is tried.
        device: Of a local model; by default the GPU where there is one.
    """

    spec: str
    name: str | None = None
    api: Api = "chat"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 64
    timeout_s: float = 120.0
    attempts: int = 6
    device: str | None = None

    def open(self, cache: Path | None = None) -> Model:
        """Make the model ready; its replies are kept in ``cache`` and none is paid twice.

        Raises:
            UserError: No such folder, no name for an endpoint, or the cache cannot be used.
        """
        if self.spec.startswith(LOCAL):
            return _open_local(Path(self.spec.removeprefix(LOCAL)), self, cache)
        if not self.spec.startswith(("http://", "https://")):
            raise UserError(
                f"{self.spec!r} is neither a URL nor {LOCAL}DIR",
                way_out="give one like http://localhost:8000/v1 or local:models/mine",
            )
        if not self.name:
            raise UserError(
                "the model at this endpoint needs its name",
                where=self.spec,
                way_out="add the option that ends in -model",
            )
        settings = ModelSettings(
            model=self.name,
            base_url=self.spec,
            api=self.api,
            api_key_env=self.api_key_env,
            timeout_s=self.timeout_s,
            concurrency=self.concurrency,
            attempts=self.attempts,
            cache=cache,
        )
        return Model(self.name, open_session(settings), api=self.api)


class Model:
    """A model that is asked through a session.

    Belongs to the event loop that first asks it.

    Attributes:
        name: What replies are remembered by: the endpoint's name for it, or a local folder's name
            with a digest of its weights.
        samples_itself: Whether replies are sampled here, so that repeats differ by construction.
        account: Calls and tokens so far.
        on_close: Called first when the model is closed: turns away what is not begun.
    """

    def __init__(
        self,
        name: str,
        session: Session,
        *,
        api: Api = "chat",
        samples_itself: bool = False,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.name, self.api, self.samples_itself = name, api, samples_itself
        self._session, self._on_close = session, on_close
        self.account = session.account

    async def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answers to all of the requests, which are under way at once.

        Raises:
            UserError: There is something to mend, or the endpoint is down.
        """
        return await self._session.ask_all(requests)

    async def follow(self, stage: Asks[R]) -> R:
        """Answer a stage's requests until it is done."""
        try:
            requests = next(stage)
            while True:
                requests = stage.send(await self.ask(requests))
        except StopIteration as stop:
            result: R = stop.value
            return result

    async def close(self) -> None:
        """Wait for what is under way, and close connections and cache."""
        if self._on_close is not None:
            self._on_close()
        await self._session.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _open_local(folder: Path, choice: ModelChoice, cache: Path | None) -> Model:
    from tracelift_groups.grpo.local import LocalModel, digest_of

    local = LocalModel.load(folder, choice.device)
    name = f"{LOCAL}{folder.resolve().name}@{digest_of(folder)}"
    session = Session(local, cache=Cache(cache) if cache is not None else None, account=Account())
    return Model(name, session, api=choice.api, samples_itself=True, on_close=local.close)


async def repeats_differ(model: Model, temperature: float) -> bool | None:
    """Find out with a few tiny calls whether a server samples at all.

    Some servers answer greedily whatever temperature they are asked for; repeats then measure
    nothing, and every uplift is a whole number. Repeats are calls of their own here, so a server
    that ignores ``n`` does no harm.

    Returns:
        None where nothing can be said: too few of the calls were answered.
    """
    if model.samples_itself:
        return temperature > 0
    probes = [
        Request("probe", model.name, _PROBE, None, temperature, 32, sample, model.api)
        for sample in range(_PROBES)
    ]
    answers = await model.ask(probes)
    texts = [answer.text for answer in answers if isinstance(answer, Reply)]
    return len(set(texts)) > 1 if len(texts) > 1 else None
