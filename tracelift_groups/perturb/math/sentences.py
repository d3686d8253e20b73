"""Small pieces of English: sentences, how they open, and what loses its capital behind that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z$\d(\"'])")
# An abbreviation's full stop does not end a step.
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|vs|approx|etc|e\.g|i\.e|No)|\b[A-Z])\.$")
OPENING = re.compile(
    r"^(?:First(?: of all)?|To start|To begin with|Then|Next|After that|Now|So|Finally|Therefore"
    r"|Thus|Hence|In the end)\b,?\s+",
)
# Words that lose their capital behind an opening; names keep it.
_FUNCTION_WORDS = frozenset(
    "The A An He She They It There This That These Those His Her Their Its In On At For If Since "
    "Each Every We With After Before Of To Because When Half All Both Altogether Together One Two "
    "Three Four Five Six Let Let's What How During Up Once Without Over Between Some Only Now "
    "Going Working Taking Putting From Check You By".split()
)


def without_opening(sentence: str) -> str:
    """Take "Then", "So," and the like off the front of a sentence; the rest is left as it is."""
    bare = OPENING.sub("", sentence)
    return bare if bare[:1].isalpha() else sentence


def lower_first(sentence: str) -> str:
    """Lower the first letter of a sentence that does not begin with a name."""
    word = re.match(r"[A-Za-z']+", sentence)
    if word and word[0] in _FUNCTION_WORDS:
        return sentence[0].lower() + sentence[1:]
    return sentence


def upper_first(sentence: str) -> str:
    """Capitalise the first letter and leave the rest."""
    return sentence[:1].upper() + sentence[1:]


_NAMING = (
    "Putting {} together, ",
    "Going by {}, ",
    "With {}, ",
    "Taking {} into account, ",
    "Working from {}, ",
)


# Such an opening, whatever stands before it.
NAMING = re.compile(
    r"(?:[A-Z][a-z ]+,?\s+)?(?:putting|going by|with|taking|working from)\s"
    r"(?:[^A-Za-z]|and\b|together\b|into account\b)*?,\s+(?=[A-Za-z])",
    re.IGNORECASE,
)


def naming(numbers: Sequence[str], sentence: str, rng: Random) -> str:
    """Put the numbers that a sentence rests on before it: "Working from 56 and 15, there are …"."""
    names = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    return rng.choice(_NAMING).format(names) + lower_first(without_opening(sentence))


def split_steps(text: str) -> tuple[str, ...]:
    """Return the steps of a reasoning text: its lines or, in a single paragraph, its sentences."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        return tuple(lines)
    steps: list[str] = []
    start = 0
    line = lines[0]
    for match in _SENTENCE_END.finditer(line):
        piece = line[start : match.start()]
        if _ABBREVIATION.search(piece):
            continue
        steps.append(piece.strip())
        start = match.end()
    return (*steps, line[start:].strip())
