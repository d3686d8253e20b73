"""Takes secrets out of what a server says, before it is stored, shown or logged."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

REDACTED = "[redacted]"
# Shorter ones are dummies such as "EMPTY", which replies may well contain.
_SHORTEST = 8
# Loggers of the HTTP client that write addresses and response headers.
_LOGGERS = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.proxy")


class Redactor(logging.Filter):
    """Replaces secrets in texts, in the forms that they take in JSON, URLs and headers.

    Args:
        secrets: Keys and passwords; those too short to be any are left out.
        login: User and password, as HTTP's basic authentication sends them.
    """

    def __init__(self, secrets: Iterable[str], *, login: tuple[str, str] | None = None) -> None:
        super().__init__()
        forms = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                forms |= {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)}
        if login is not None:
            forms.add(base64.b64encode(":".join(login).encode()).decode())
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text

    def deep(self, value: Any) -> Any:
        """Return a JSON value without the secrets in its texts."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.deep(part) for part in value]
        if isinstance(value, dict):
            return {self(name): self.deep(part) for name, part in value.items()}
        return value

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a log record that holds a secret."""
        message = record.getMessage()
        clean = self(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True

    def guard_logs(self) -> None:
        """Put this before everything that the HTTP client logs."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def release_logs(self) -> None:
        """Undo :meth:`guard_logs`."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)
