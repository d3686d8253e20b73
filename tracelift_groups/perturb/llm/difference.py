"""Where a text that a model rewrote differs from its original, and whether it looks like it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_TOKEN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|\w+|[^\w\s]")
_NUMBER = re.compile(r"\d[\d,.]*")
# So many equal words in a row are what was left alone, not a coincidence within one edit.
_APART = 4
_STYLES = {
    "bold": re.compile(r"\*\*\S"),
    "heading": re.compile(r"^\s*#{1,6}\s", re.M),
    "bullets": re.compile(r"^\s*[-*•]\s", re.M),
    "numbered": re.compile(r"^\s*\d+[.)]\s", re.M),
    "latex": re.compile(r"\\[(\[a-zA-Z]|\$\$"),
    "backticks": re.compile(r"`"),
}


class Difference(NamedTuple):
    """The first place where two texts differ, and how much they do in all.

    Attributes:
        start, end: Characters of the changed text.
        before: What the original has there.
        new: Share of the changed text's words that the original does not have in that place, 0
            to 1. Numbers do not count: a value that is carried through a text changes its numbers
            and nothing else.
        places: Stretches that differ, numbers aside.
    """

    start: int
    end: int
    before: str
    new: float
    places: int


def difference(original: str, changed: str) -> Difference | None:
    """Compare two texts word by word; None where they have the same words and signs."""
    old, new = list(_TOKEN.finditer(original)), list(_TOKEN.finditer(changed))
    old_words, new_words = [m[0] for m in old], [m[0] for m in new]
    if old_words == new_words:
        return None
    head = _common(old_words, new_words)
    tail = _common(old_words[head:][::-1], new_words[head:][::-1])
    old_end, new_end = len(old) - tail, len(new) - tail
    matcher = SequenceMatcher(
        None, old_words[head:old_end], new_words[head:new_end], autojunk=False
    )
    first = next(
        block for block in matcher.get_matching_blocks() if block.size >= _APART or not block.size
    )
    return Difference(
        *_span(new, head, head + first.b, len(changed)),
        original[slice(*_span(old, head, head + first.a, len(original)))],
        *_extent(old_words, new_words),
    )


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    count = 0
    for first, second in zip(one, two, strict=False):
        if first != second:
            break
        count += 1
    return count


def _span(tokens: list[re.Match[str]], start: int, end: int, length: int) -> tuple[int, int]:
    """Characters of a run of tokens; of an empty run, the place where it would stand."""
    if start < end:
        return tokens[start].start(), tokens[end - 1].end()
    at = tokens[start - 1].end() if start else 0
    return min(at, length), min(at, length)


def _extent(old: list[str], new: list[str]) -> tuple[float, int]:
    """Share of new words, and in how many places there are changes, numbers aside."""
    one = [_NUMBER.sub("0", word) for word in old]
    two = [_NUMBER.sub("0", word) for word in new]
    head = _common(one, two)
    tail = _common(one[head:][::-1], two[head:][::-1])
    middle = one[head : len(one) - tail], two[head : len(two) - tail]
    added = places = 0
    kept = _APART  # equal words since the last change
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        if tag == "equal":
            kept += i2 - i1
            continue
        added += j2 - j1
        places += kept >= _APART
        kept = 0
    return added / max(1, len(new)), places


def styles(text: str) -> frozenset[str]:
    """The marks that a text uses: lists, headings, LaTeX and the like."""
    return frozenset(name for name, pattern in _STYLES.items() if pattern.search(text))


def quoted_step(steps: Sequence[str], quote: str) -> int | None:
    """The step that a judge quotes; None where less than half of its words are in any step."""
    words = set(_TOKEN.findall(quote.lower()))
    if not words:
        return None
    shares = [len(words & set(_TOKEN.findall(step.lower()))) / len(words) for step in steps]
    best = max(range(len(steps)), key=lambda index: shares[index])
    return best if shares[best] >= 0.5 else None
