"""What a user says about a model and how to call it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from tracelift_groups.errors import UserError
from tracelift_groups.llm.redaction import Redactor
from tracelift_groups.llm.request import Api

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"  # what is sent to a server of one's own, since the client wants something
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class ModelSettings:
    """One model at one endpoint.

    Attributes:
        model: Its name at the endpoint.
        base_url: Address up to ``/chat/completions``. A user, password or query in it is sent,
            but never shown or stored: use :attr:`shown_url`.
        api: Which of the two OpenAI protocols.
        api_key_env: Environment variable that holds the key. It is read when a client is made and
            kept nowhere else; a server of one's own needs none.
        temperature: Sampling temperature; None leaves it to each stage.
        max_tokens: Most tokens of a reply; None leaves it to each stage.
        timeout_s: For one attempt at a call, from the first byte to the last.
        concurrency: Most calls under way; 429 lowers it for a while.
        attempts: How often a call is tried in all.
        cache: File of the answers; None keeps none.
        prices: File that extends the shipped prices.
        max_cost: US dollars after which nothing more is sent.
        max_calls: Calls after which nothing more is sent; every attempt is one.
    """

    model: str
    base_url: str = field(default=OPENAI_URL, repr=False)
    api: Api = "chat"
    api_key_env: str = "OPENAI_API_KEY"
    temperature: float | None = None
    max_tokens: int | None = None
    timeout_s: float = 120.0
    concurrency: int = 16
    attempts: int = 6
    cache: Path | None = None
    prices: Path | None = None
    max_cost: float | None = None
    max_calls: int | None = None

    def __post_init__(self) -> None:
        self._check(bool(self.model.strip()), "a model name is needed", "--model")
        # Not quoted in the message: somebody may have given the key itself.
        self._check(
            bool(_VARIABLE.fullmatch(self.api_key_env)),
            "not the name of an environment variable",
            "--api-key-env",
            "give the variable's name, not the key",
        )
        self._check(self.api in ("chat", "completions"), f"{self.api!r} is no protocol", "--api")
        self._check(
            self.temperature is None or 0 <= self.temperature <= 2,
            f"{self.temperature} is not between 0 and 2",
            "--temperature",
        )
        for value, option in (
            (self.max_tokens, "--max-tokens"),
            (self.timeout_s, "--timeout"),
            (self.concurrency, "--concurrency"),
            (self.attempts, "--attempts"),
            (self.max_cost, "--max-cost"),
            (self.max_calls, "--max-calls"),
        ):
            self._check(value is None or value > 0, f"{value} is not above 0", option)
        try:
            parts = urlsplit(self.base_url)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            sound = False
        self._check(
            sound,
            "not an HTTP address",
            "--base-url",
            f"give one like {OPENAI_URL} or http://localhost:8000/v1",
        )

    @staticmethod
    def _check(good: bool, what: str, option: str, way_out: str = "") -> None:
        if not good:
            raise UserError(what, where=option, way_out=way_out)

    @property
    def shown_url(self) -> str:
        """The address without user, password, query and fragment."""
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))

    @property
    def query(self) -> dict[str, str]:
        """The address's query, which some gateways want with every call."""
        return dict(parse_qsl(urlsplit(self.base_url).query, keep_blank_values=True))

    @property
    def login(self) -> tuple[str, str] | None:
        """The address's user and password."""
        parts = urlsplit(self.base_url)
        if parts.username is None:
            return None
        return unquote(parts.username), unquote(parts.password or "")

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI's own service, whose prices are known."""
        return urlsplit(self.base_url).hostname == "api.openai.com"

    def key(self) -> str | None:
        """The API key, from the environment.

        Raises:
            UserError: OpenAI's own service needs one and the variable is not set.
        """
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.is_openai:
            raise UserError(
                f"{self.api_key_env} is not set",
                where=self.shown_url,
                way_out="export it, or name another variable with --api-key-env",
            )
        if key and not (key.isascii() and key.isprintable()):
            raise UserError(
                f"the key in {self.api_key_env} holds characters that no key has",
                way_out="check how the variable was set",
            )
        return key or None

    def redactor(self) -> Redactor:
        """What takes the key and the secrets of the address out of texts."""
        login = self.login
        secrets = [os.environ.get(self.api_key_env, "").strip(), *self.query.values()]
        return Redactor([*secrets, *(login or ())], login=login)
