"""A reasoning model's response taken apart: what it thought, and the program it gave."""

from __future__ import annotations

import re
from typing import NamedTuple

from tracelift_groups.verify.extract import extract_program

_OPEN, _CLOSE = "<think>", "</think>"
# A block that is never closed runs to the end, as it does for the reader of a cut-off text.
_BLOCK = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^`\n]*\n(?:.*?^[ \t]*\1[`~]*[ \t]*$|.*\Z)", re.MULTILINE | re.DOTALL
)
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)
_GAP = re.compile(r"\n\s*\n")


class Response(NamedTuple):
    """The two parts of a response, as they stand in it."""

    thinking: str
    reply: str


def take_apart(text: str) -> Response | None:
    """Split at the last ``</think>``; a missing ``<think>`` is taken to stand at the beginning.

    A pair of double quotes around the whole text is dropped first.

    Returns:
        The parts, or None where no ``</think>`` ends the thinking.
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    before, close, after = text.rpartition(_CLOSE)
    if not close:
        return None
    head, opened, inside = before.partition(_OPEN)
    return Response((inside if opened else head).strip(), after.strip())


def without_code(text: str) -> str:
    """The text without its fenced blocks; paragraphs stay a blank line apart."""
    return _GAP.sub("\n\n", _BLOCK.sub("", text.replace("\r\n", "\n"))).strip()


def fenced_program(text: str) -> str | None:
    """The last fenced Python block (or untagged, where none is tagged); None without one."""
    return extract_program(text) if _FENCE.search(text) else None


def unwrapped(text: str) -> str:
    """The thinking of a text that holds some; else the text, or what follows empty thinking."""
    parts = take_apart(text)
    if parts is None:
        return text
    return parts.thinking or parts.reply
