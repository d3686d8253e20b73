"""Finds the program in a model's reply, without parsing it: a reply may be built to crash that."""

from __future__ import annotations

import re
from typing import NamedTuple

# Possessive quantifiers throughout: a reply may also be built to make matching take hours.
_FENCE = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^\n`]*+$", re.MULTILINE)
_PYTHON_TAGS = {"python", "python3", "py", "py3"}
_OPENS_CODE = re.compile(
    r"""(?x)
    (?:from\ [\w.]+\ import\ |import\ \w)            # an import
    | (?:async\ )?def\ \w+\ ?\(  | class\ \w+\ ?[(:] # a definition
    | @\w[\w.]*(?:\(.*\))?$                          # a decorator
    | (?:if|for|while|with|try|match)\b.*:\ *(?:\#.*)?$
    | (?:if|for|while)\b[^:]*+:\ *+\S.*[=(]           # a one-line compound statement
    | [A-Za-z_][\w.]*+(?:\[[^\]]*+\])?+(?:\ *+,\ *+\*?[A-Za-z_]\w*+)*+\ *+
      (?::[\w\[\], .]++)?+(?://|\*\*|<<|>>|[-+*/%&|^@])?+=[^=]   # an assignment
    | [A-Za-z_][\w.]*+\(.*\)\ *+;?\ *+(?:\#.*)?$      # a call
    """
)
_CONTINUES_CODE = re.compile(
    r"[ \t]+\S|(?:elif|else|except|finally|case)\b.*:|[\])}]|#|\"\"\"|'''|(?:return|pass|del)\b"
)


_PROSE = re.compile(r"[A-Za-z][\w'’-]*,?(?: [\w'’(),`*-]+){2,}[.:!?,]?(?: .*)?$|[*-] |\*\*|#{2,} ")


class _Block(NamedTuple):
    tag: str
    code: str


def _after_thinking(reply: str) -> str:
    """What follows the last `</think>`: drafts inside the reasoning are not the answer."""
    return reply.rpartition("</think>")[2]


def _blocks(text: str) -> list[_Block]:
    """Fenced blocks in order. One that is never closed, as in a cut-off reply, runs to the end."""
    blocks, opened = [], None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif not match[2] and match[1].startswith(opened[1]):
            blocks.append(_Block(opened[2].lower(), text[opened.end() + 1 : match.start()]))
            opened = None
    if opened is not None:
        blocks.append(_Block(opened[2].lower(), text[opened.end() + 1 :]))
    return [block for block in blocks if block.code.strip()]


def _defines(code: str, name: str) -> bool:
    pattern = rf"^[ \t]*(?:async def|def|class)[ \t]+{re.escape(name)}\b|^{re.escape(name)}[ \t]*="
    return re.search(pattern, code, re.MULTILINE) is not None


def _unfenced(text: str) -> str | None:
    """All of a text without prose; else from the first line that opens code to the last of code."""
    lines = text.split("\n")
    opening = [i for i, line in enumerate(lines) if _OPENS_CODE.match(line)]
    if not opening:
        return None
    if not any(_PROSE.match(line) and not _OPENS_CODE.match(line) for line in lines):
        return text
    first = last = opening[0]
    for i in range(first, len(lines)):
        if _OPENS_CODE.match(lines[i]) or _CONTINUES_CODE.match(lines[i]):
            last = i
    return "\n".join(lines[first : last + 1]) + "\n"


def extract_program(reply: str, entry_point: str = "") -> str | None:
    """Finds the program that a reply submits.

    Text up to the last `</think>` is ignored. Among fenced blocks (three or more backticks or
    tildes) those tagged as Python count, or if there are none, those without a tag. Of these the
    program is the last one that defines the entry point's first name; failing that, or without an
    entry point, the last one: drafts come before a final program. A block that is never closed
    runs to the end of the reply. A reply without fences is the program if no line at the left
    margin reads like prose; otherwise it is taken from its first to its last line that looks like
    Python, which drops prose before and after.

    Args:
        reply: The whole reply.
        entry_point: What the tests call, such as `add` or `Solution().twoSum`; may be empty.

    Returns:
        The program, not checked in any way, or None when the reply holds none.
    """
    text = _after_thinking(reply.replace("\r\n", "\n"))
    blocks = _blocks(text)
    candidates = [b for b in blocks if b.tag in _PYTHON_TAGS] or [b for b in blocks if not b.tag]
    if not candidates:
        return None if blocks else _unfenced(text)
    name = re.match(r"\w*", entry_point)
    if name and name[0]:
        defining = [block for block in candidates if _defines(block.code, name[0])]
        candidates = defining or candidates
    return candidates[-1].code
