"""Opens what a build asks: an endpoint, or the scripted model in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tracelift_groups.llm.account import Account, Budget
from tracelift_groups.llm.request import Answer, Request
from tracelift_groups.llm.session import Session, open_session
from tracelift_groups.llm.settings import ModelSettings

SCRIPTED = "scripted"


@dataclass(frozen=True)
class Script:
    """The scripted model, without network or cache.

    Attributes:
        seeds: A file of problems that it can solve, besides the bundled ones.
        max_calls: Calls after which it stops.
    """

    seeds: Path | None = None
    max_calls: int | None = None


class _Scripted:
    """Answers at once."""

    def __init__(self, script: Script) -> None:
        from tracelift_groups.llm.scripted import ScriptedModel

        self._model = ScriptedModel(script.seeds)

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request."""
        return self._model.answer(request)


def check_model(model: ModelSettings | Script, names: tuple[str, ...]) -> None:
    """Check what can be checked before anything is written or sent.

    Raises:
        UserError: There is no key, or a limit in dollars for a model whose price is not known.
    """
    if isinstance(model, Script):
        return
    model.key()
    account = Account.of(model)
    for name in names:
        account.check_price(name)


def open_model(model: ModelSettings | Script, names: tuple[str, ...]) -> Session:
    """Open a session for some models at one endpoint.

    Raises:
        UserError: The cache cannot be used, there is no key, or a limit in dollars for a model
            whose price is not known.
    """
    if isinstance(model, Script):
        return Session(_Scripted(model), account=Account(budget=Budget(max_calls=model.max_calls)))
    check_model(model, names)
    return open_session(model)
