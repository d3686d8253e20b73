"""A row of a benchmark file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Unreadable(ValueError):  # noqa: N818 - an outcome that is counted
    """A row that is no problem; the message is the reason that is counted."""


class Row(NamedTuple):
    """What a row holds, and its number in the file from 0."""

    values: Mapping[str, Any]
    number: int

    def text(self, field: str) -> str:
        """A field that must be a text with something in it.

        Raises:
            Unreadable: It is not.
        """
        value = self.values.get(field)
        if not isinstance(value, str) or not value.strip():
            raise Unreadable(f"no {field}")
        return value

    def name(self, fallback: str, *fields: str) -> str:
        """The row's own id, or one from its number."""
        for field in fields:
            value = self.values.get(field)
            if isinstance(value, str | int) and str(value).strip():
                return f"{fallback}/{value}"
        return f"{fallback}/{self.number}"
