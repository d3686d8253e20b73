"""A reasoning text for a program: lines, sentences, and edits that keep the rest as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from tracelift_groups.perturb.math.sentences import split_steps

# A sentence ends before a capital, a mark or code; never inside backticks or behind "i.e.".
_END = re.compile(
    r"(?<=[.!?])(?P<marks>[\"')*]{0,2})\s+(?=[\"'(*_]{0,3}[A-Z`\\])|(?<=:)\s+(?=[A-Z`])"
)
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|resp|No)\.$|^\s*\d+\.$")
_MARK = re.compile(r"\s*(?:(?:[-*+•]|\d+[.)]|#{1,6})(?:\s+|$))?")
_NUMBER = re.compile(r"(\s*)(\d+)([.)]\s+)")


class Sentence(NamedTuple):
    """A sentence: the line it stands in, and the characters of that line."""

    line: int
    start: int
    end: int
    text: str


class Edit(NamedTuple):
    """A sentence and what takes its place; an empty text takes the sentence out."""

    sentence: Sentence
    text: str


class CodeTrace:
    """A reasoning text as lines. Lines are kept to the letter, blank ones too."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The text's lines."""
        return tuple(self.text.split("\n"))

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The lines that are not blank; of a single line, its sentences."""
        return split_steps(self.text)

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences of every line, without list marks."""
        return tuple(
            sentence for number, line in enumerate(self.lines) for sentence in _split(number, line)
        )

    @cached_property
    def key(self) -> str:
        """The text without spaces: traces that share it are duplicates."""
        return "".join(self.text.split())

    def edited(self, edits: Iterable[Edit]) -> CodeTrace:
        """Return the trace with some sentences replaced or taken out.

        A line that holds nothing but its mark and heading goes with its last sentence; numbered
        lists are numbered anew.
        """
        by_line: dict[int, list[Edit]] = {}
        for edit in edits:
            by_line.setdefault(edit.sentence.line, []).append(edit)
        lines: list[str] = []
        given: dict[tuple[int, str], int] = {}
        for number, (line, item) in enumerate(zip(self.lines, _items(self.lines), strict=True)):
            made = _edit_line(line, by_line.get(number, []))
            if made is None:
                if lines and not lines[-1].strip() and not self._next(number).strip():
                    lines.pop()
                continue
            if item is not None:
                given[item.list] = given.get(item.list, item.first - 1) + 1
                made = _NUMBER.sub(rf"\g<1>{given[item.list]}\g<3>", made, count=1)
            lines.append(made)
        return CodeTrace("\n".join(lines).strip())

    def _next(self, number: int) -> str:
        return self.lines[number + 1] if number + 1 < len(self.lines) else ""

    def with_line(self, after: int, line: str) -> CodeTrace:
        """Return the trace with a line put in behind line ``after``."""
        lines = list(self.lines)
        lines.insert(after + 1, line)
        return CodeTrace("\n".join(lines))


def _split(number: int, line: str) -> list[Sentence]:
    mark = _MARK.match(line)
    start = mark.end() if mark else 0
    found = []
    for match in _END.finditer(line, start):
        # Closing marks belong to the sentence: **Idea.** begins and ends in bold.
        end = match.end("marks") if match["marks"] else match.start()
        piece = line[start:end]
        if piece.count("`") % 2 or piece.count("\\(") != piece.count("\\)"):
            continue
        if _ABBREVIATION.search(piece):
            continue
        found.append(Sentence(number, start, end, piece))
        start = match.end()
    rest = line[start:].rstrip()
    if rest:
        found.append(Sentence(number, start, start + len(rest), rest))
    return found


def _edit_line(line: str, edits: list[Edit]) -> str | None:
    """Apply edits to a line; None where nothing but mark and heading is left."""
    if not edits:
        return line
    for edit in sorted(edits, key=lambda one: -one.sentence.start):
        start, end = edit.sentence.start, edit.sentence.end
        before, after = line[:start], line[end:]
        if edit.text:
            line = before + edit.text + after
        elif after.strip():
            line = before + after.lstrip()
        else:
            line = before.rstrip() + after
    mark = _MARK.match(line)
    rest = line[mark.end() :] if mark else line
    rest = rest.strip()
    return None if not rest or is_heading(rest) else line


def is_heading(text: str) -> bool:
    """Whether a piece of a line is nothing but a heading such as ``**Sorting**:``."""
    return bool(re.fullmatch(r"[*_#\s]*[^.`]{1,60}?[*_]*:\s*[*_]*|\*\*[^*]{1,60}\*\*:?", text))


class _Item(NamedTuple):
    """An item of a numbered list: which list it is in, and that list's first number."""

    list: tuple[int, str]
    first: int


def _items(lines: Iterable[str]) -> list[_Item | None]:
    """Which numbered list each line is an item of."""
    items: list[_Item | None] = []
    lists: dict[str, _Item] = {}
    count = 0
    for line in lines:
        match = _NUMBER.match(line)
        if match is None:
            if line.strip() and not line.startswith((" ", "\t", "-", "*")):
                lists.clear()
            items.append(None)
            continue
        indent, number, _ = match.groups()
        if indent not in lists:
            count += 1
            lists[indent] = _Item((count, indent), int(number))
        items.append(lists[indent])
    return items
