r"""The JSON in a model's reply, read as people read it.

Models wrap JSON in prose and fences, think aloud first, leave trailing commas, break lines inside
strings and write LaTeX with single backslashes. ``\frac`` and ``\times`` are the awkward ones:
they begin with a valid escape, so a strict parser takes them for a form feed or a tab and says
nothing. Nobody means a form feed or a backspace before a letter; of tabs, newlines and returns
only the common commands are taken for LaTeX.

Every step is linear in the length of the reply, whatever it holds.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_THINKING_ENDS = "</think>"
_PARSE_BUDGET = 4  # characters tried as JSON, per character of the reply: keeps it linear
_LITERAL_CHARS = 100_000  # Python's own parser is slow and takes 1 kB per nested bracket
_OPENS = {"}": "{", "]": "["}
# What a JSON object or list begins with; "\boxed{ {" and "[see" are prose around one.
_INSIDE = {"{": "\"'}", "[": "\"'[]{-0123456789tfnTFN"}
_SIGNS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[a-zA-Z]+|.)", re.DOTALL)
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_VISIBLE = re.compile(r"\S")
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|$)|,(?=\s*[}\]])', re.DOTALL)
_LATEX = frozenset(
    "nabla neg neq newline nmid not notin "
    "rangle rceil rfloor rho right rightarrow rightleftharpoons "
    "tan tanh tau text textbf textit textrm tfrac therefore theta times to triangle".split()
)


class _Span(NamedTuple):
    start: int
    end: int


def find_json(text: str) -> object:
    """Return the JSON value of a reply.

    The whole reply if it is JSON; else the last complete object in it, or, where there is none,
    the last complete list. What stands before ``</think>`` is ignored.

    Raises:
        ValueError: There is none; the message says in a few words what was there.
    """
    try:
        return _loads(text.strip())
    except ValueError:
        text = text.rpartition(_THINKING_ENDS)[2].strip()
    if not text:
        raise ValueError("the reply is empty")
    if text.startswith("<think>"):
        raise ValueError("the reply ends while thinking")
    for whole in (text, _without_fence(text)):
        try:
            return _loads(_mended(whole))
        except ValueError:
            continue
    budget = _PARSE_BUDGET * len(text)
    last_list: list[object] | None = None
    for spans in (_spans(text, strings=True), _spans(text, strings=False)):
        for span in spans:
            budget -= span.end - span.start
            if budget < 0:
                break
            value = _parsed(text[span.start : span.end])
            if isinstance(value, dict):
                return value
            if isinstance(value, list) and last_list is None:
                last_list = value
        if last_list is not None:
            return last_list
    raise ValueError("no complete object" if "{" in text else "no braces in the reply")


def _without_fence(text: str) -> str:
    if not (text.startswith("```") and text.endswith("```")):
        return text
    return text.partition("\n")[2].removesuffix("```").strip()


def _spans(text: str, *, strings: bool) -> Iterator[_Span]:
    """Yield bracketed spans from the last to the first, without those inside a JSON-like one.

    The inner object of a broken or unfinished one is not the reply. With ``strings``, brackets
    inside of double quotes do not count.
    """
    found: list[_Span] = []
    open_at: list[tuple[int, bool]] = []  # position, and whether it or one around it is JSON-like
    quoted = False
    for match in _SIGNS.finditer(text):
        sign = match.group()
        if sign == '"':
            quoted = strings and bool(open_at) and not quoted
        elif quoted or len(sign) > 1:
            continue
        elif sign in _INSIDE:
            around = bool(open_at) and open_at[-1][1]
            open_at.append((match.start(), around or _json_like(text, match.start())))
        elif open_at and text[open_at[-1][0]] == _OPENS[sign]:
            start, _ = open_at.pop()
            if not (open_at and open_at[-1][1]):
                found.append(_Span(start, match.end()))
    return reversed(found)


def _json_like(text: str, at: int) -> bool:
    after = _VISIBLE.search(text, at + 1)
    return after is not None and after.group() in _INSIDE[text[at]]


def _parsed(span: str) -> object:
    """Return what the span says, strictly or leniently, or None."""
    try:
        return _loads(_mended(span))
    except ValueError:
        pass
    if len(span) > _LITERAL_CHARS:
        return None
    try:
        value = ast.literal_eval(_ESCAPE.sub(_escape_in_python, span))
        # As JSON and back: no sets, tuples or bytes come out.
        return _loads(json.dumps(value))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _loads(text: str) -> object:
    try:
        return json.loads(_escaped(text), strict=False, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _mended(text: str) -> str:
    """Drop trailing commas outside of strings."""
    return _STRING_OR_COMMA.sub(lambda m: "" if m.group() == "," else m.group(), text)


def _escaped(text: str) -> str:
    """Double the backslashes that begin no JSON escape, or LaTeX rather than one."""
    return _ESCAPE.sub(_escape, text) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    word = match.group(1)
    if word == "'":
        return "'"  # no JSON escape, but always meant as one
    first = word[0]
    known = (
        first in '"\\/'
        or (first == "u" and _HEX.fullmatch(word, 1))
        or (first in "bf" and len(word) == 1)
        or (first in "nrt" and word not in _LATEX)
    )
    return match.group() if known else "\\" + match.group()


def _escape_in_python(match: re.Match[str]) -> str:
    return match.group() if match.group(1) == "'" else _escape(match)
