"""Ways to say the same: words that trade places, and code that is written another way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from random import Random

from tracelift_groups.perturb.code.fragments import fragments, plain
from tracelift_groups.perturb.code.program import canonical

# Each row: words that mean the same wherever they stand. The first is what the others are read as.
SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("less than or equal to", "at most", "no more than"),
    ("greater than or equal to", "at least", "no less than"),
    ("less than", "smaller than"),
    ("greater than", "larger than"),
    ("iterate through", "iterate over", "loop through", "loop over", "go through"),
    ("iterates through", "iterates over", "loops through", "loops over", "goes through"),
    ("iterating through", "iterating over", "looping through", "looping over", "going through"),
    ("dictionary", "hash map"),
    ("calculate", "compute"),
    ("calculates", "computes"),
    ("calculating", "computing"),
    ("determine", "work out", "find out"),
    ("determines", "works out", "finds out"),
    ("ensures", "makes sure"),
    ("ensure", "make sure"),
    ("check if", "check whether", "test whether"),
    ("checks if", "checks whether", "tests whether"),
    ("to solve this problem, we need to", "to solve this, we have to"),
    ("to solve this problem, we can", "to solve this, we can"),
    ("in ascending order", "from smallest to largest"),
    ("in descending order", "from largest to smallest"),
    ("for each", "for every"),
    ("is empty", "has nothing in it"),
    ("return", "give back"),
    ("returns", "gives back"),
    ("finally,", "in the end,", "at the end,"),
)  # fmt: skip
# Turning these back at random would read badly; they are known when read, not written.
_READ_ONLY = frozenset({"give back", "gives back"})
# "at least one repeated digit" is no comparison that could be put another way.
_STAYS = frozenset({"at least", "at most"})
_IS_NOUN = re.compile(r"\b(?:an?|the|double|nested)\s+$")
_BE = re.compile(r"\b(?:is|are|be|was|were)\s+$")
_CANON = {words: row[0] for row in SYNONYMS for words in row}
_ANY = re.compile(
    r"(?<![\w`-])(?:"
    + "|".join(sorted(map(re.escape, _CANON), key=len, reverse=True))
    + r")(?:(?<=,)|(?![\w`-]))",
    re.IGNORECASE,
)
# Bold words; 10**6 is none.
BOLD = re.compile(r"(?<![\w)*])\*\*(?=[^\s*])([^*\n]+?)(?<=\S)\*\*(?!\w)")
_FORMULA = re.compile(r"\\\(\s*(\w+)\s*\\\)")


def normal(sentence: str) -> str:
    """Return what sentences that mean the same share: first words of each row, plain code."""
    text = _FORMULA.sub(r"`\1`", sentence)
    text = BOLD.sub(r"\1", text)
    pieces, position = [], 0
    for start, end, code in _quotes(text):
        pieces += [_normal_prose(text[position:start]), code]
        position = end
    pieces.append(_normal_prose(text[position:]))
    return " ".join("".join(pieces).split())


def _normal_prose(text: str) -> str:
    return _ANY.sub(lambda match: _CANON[match[0].lower()], text.lower()).replace("`", "")


def _quotes(text: str) -> Iterator[tuple[int, int, str]]:
    """The quoted code of a text, each in its canonical form."""
    for fragment in fragments(text, frozenset()):
        head = re.match(r"\s*(?:el)?(?:if|while|for)\b", fragment.code)
        if head or isinstance(fragment.node, ast.Name | ast.Constant):
            yield fragment.start, fragment.end, plain(fragment.code).strip()
        else:
            yield fragment.start, fragment.end, canonical(fragment.node)


def reworded(sentence: str, rng: Random, share: float) -> str:
    """Put other words of the same row in the place of some; ``share`` of those that can."""

    def other(match: re.Match[str]) -> str:
        row = next(row for row in SYNONYMS if _CANON[match[0].lower()] == row[0])
        choices = [w for w in row if w != match[0].lower() and w not in _READ_ONLY]
        if not choices or rng.random() > share or match[0].lower() in _READ_ONLY | _STAYS:
            return match[0]
        before = match.string[: match.start()].lower()
        if _IS_NOUN.search(before) and match[0].lower().startswith(("loop", "iterat", "go")):
            return match[0]  # "a double loop over" is no verb
        if any(word in sentence.lower() for word in choices):
            return match[0]  # "a dictionary (or hash map)"
        if "than" in match[0].lower() and not _BE.search(match.string[: match.start()]):
            return match[0]  # "the smallest number greater than x"
        new = rng.choice(choices)
        return new[0].upper() + new[1:] if match[0][0].isupper() else new

    pieces = re.split(r"(`[^`]*`|\\\(.*?\\\))", sentence)
    return "".join(piece if i % 2 else _ANY.sub(other, piece) for i, piece in enumerate(pieces))


def respelled(sentence: str, rng: Random, share: float) -> str:
    """Write some of the quoted code another way: a comparison turned, ``+=`` spelled out."""
    found = [
        fragment
        for fragment in fragments(sentence, frozenset())
        if sentence[fragment.start - 1] == "`"
    ]
    for fragment in reversed(found):
        if rng.random() > share:
            continue
        code = _other_spelling(fragment.node, fragment.code)
        if code and code != fragment.code:
            sentence = sentence[: fragment.start] + code + sentence[fragment.end :]
    return sentence


def _other_spelling(node: ast.AST, code: str) -> str | None:
    if code.split(" ", maxsplit=1)[0] in ("if", "elif", "while", "for"):
        return None
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        turned = {ast.Lt: ">", ast.Gt: "<", ast.LtE: ">=", ast.GtE: "<="}.get(type(node.ops[0]))
        if turned:
            return f"{ast.unparse(node.comparators[0])} {turned} {ast.unparse(node.left)}"
    if isinstance(node, ast.AugAssign):
        value = ast.BinOp(node.target, node.op, node.value)
        return f"{ast.unparse(node.target)} = {ast.unparse(value)}"
    if isinstance(node, ast.BinOp | ast.Subscript | ast.Call):
        spaced = ast.unparse(node)
        return spaced if spaced != code else None
    return None
