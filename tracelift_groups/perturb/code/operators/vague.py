"""The whole trace without its specifics: no names, bounds, structures or costs, same topic."""

from __future__ import annotations

import re
from collections.abc import Container

from tracelift_groups.perturb.code.text import CodeTrace, Edit, Sentence, is_heading

_CODE = r"(?:`[^`\n]+`|\\\([^\n]+?\\\)|\\\[[^\n]+?\\\])"
_ANY_CODE = re.compile(_CODE)
_BRACKETED = re.compile(rf"\s*\((?:[^()`\n]|{_CODE})*{_CODE}(?:[^()`\n]|{_CODE})*\)")
_CALLED = re.compile(rf"\s+(?:called|named|denoted(?: by)?)\s+{_CODE}")
_APPOSED = re.compile(
    r"(\b(?:the|a|an|our|this|each|every|current|new|input|given|two|empty)\s+(?:[a-z-]+\s+){1,2})"
    rf"{_CODE}(?=[\s.,;:])(?!\s+(?:and|or)\s+{_CODE})"
)
COST = re.compile(r"\bO\s?\(|\\mathcal|\btime complexity|\bspace complexity|\bO\b(?=`)", re.I)
_NUMBER = re.compile(r"(?<![\w`])-?\d+(?:\.\d+)?(?![\w`])")
STRUCTURE = re.compile(
    r"\b(?:hash ?(?:map|table|set)s?|dictionar(?:y|ies)|(?<=\ba )set|(?<=\ban empty )set"
    r"|(?<=\bthe )sets?(?! of\b)|stacks?|queues?|deques?|(?:min-|max-)?heaps?|priority queues?"
    r"|linked lists?|tries?|bit ?masks?|segment trees?|union-find|adjacency lists?|counters?"
    r"|tuples?)\b",
    re.IGNORECASE,
)
METHOD = re.compile(
    r"\b(?:binary search|dynamic programming|two[- ]pointers?|sliding window|prefix sums?"
    r"|backtracking|breadth-first search|depth-first search|BFS|DFS|greedy|memoization"
    r"|recursion"
    r"|topological sort(?:ing)?|bit manipulation|divide[- ]and[- ]conquer)\b"
    r"(?:\s+(?:approach|strategy|technique|algorithm|method)\b)?",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_REFERS = re.compile(
    r"\W*(?:This|These|That|Those|It|They|Then|Instead|However|Otherwise|In such"
    r"|After (?:this|that)|Similarly|Also|Both|So|Thus|Hence|Therefore)\b"
)
_FEWEST_WORDS = 5
_SUBORDINATE = re.compile(
    r"(?:If|When|For|While|Once|As|After|Before|Since|To|By|In|Whenever|First|Finally)\b"
)
_DANGLING = re.compile(
    r"\b(?:of|the|an?|to|with|and|or|for|in|on|at|is|are|if|when|that|which|as|be|each|every|both"
    r"|by|from|than|where|while|until)$"
)
_NAMED = re.compile(
    rf"`|{_NUMBER.pattern}|{STRUCTURE.pattern}|{METHOD.pattern}|{COST.pattern}", re.IGNORECASE
)
# What is done when, and how long: a step that a programmer could follow.
_STEP = re.compile(
    r"\b(?:if|when|whenever|while|until|unless|otherwise|increment\w*|append\w*|swap\w*|pop\w*"
    r"|push\w*)\b",
    re.IGNORECASE,
)
_A_STRUCTURE = re.compile(rf"\b([Aa])n?\s+(?:[a-z]+-?[a-z]*\s+)?{STRUCTURE.pattern}", re.IGNORECASE)
_BY_METHOD = re.compile(
    rf"\b(use|using|with|via|by|through|is|apply)\s+(?:an?\s+)?(?:[a-z-]+\s+)?{METHOD.pattern}",
    re.IGNORECASE,
)
# Words that stand for a structure or a method that had a name.
GENERAL = frozenset("a data structure suitable approach".split())
# Words that a name follows, where it is no apposition to a noun.
_LEADS_TO = re.compile(
    r"\b(?:so|then|because|since|but|keeps?|stores?|of|to|in|by|with|than|from|and|or|is|are|at|for"
    r"|as|if|when|while|until|both|either|not|be"
    r"|equals?|update|updates|updating|set|sets|setting|return|returns|returning|increment|increments"
    r"|initiali[sz]\w*|use|using|uses|add|adds|adding|move|moves|moving|sort|sorts|sorting|append"
    r"|appends|check|checks|find|finds|call|calls|between|where|that|into|on|through|over|the|a|an"
    r"|each|every|this|its|our|decrement|decrements|multiply|divide|subtract|subtracts|define|we)$",
    re.IGNORECASE,
)


def specifics(text: str) -> int:
    """Count what a programmer could hold on to: code, numbers, structures, methods, costs."""
    bare = _ANY_CODE.sub(" ", text)
    return (
        len(_ANY_CODE.findall(text))
        + len(_NUMBER.findall(re.sub(r"^\s*\d+[.)]\s", "", bare, flags=re.M)))
        + len(STRUCTURE.findall(bare))
        + len(METHOD.findall(bare))
        + len(COST.findall(bare))
    )


def without_specifics(trace: CodeTrace, facts: Container[str] = ()) -> CodeTrace:
    """Return the trace without the sentences that name something or state a step in full.

    Args:
        trace: A sound trace.
        facts: Sentences that are nothing but specifics: they are left out.
    """
    edits: list[Edit] = []
    gone = False
    for sentence in trace.sentences:
        text = "" if sentence.text in facts else _vague(sentence)
        if gone and _REFERS.match(text):
            text = ""  # what it refers to is gone
        gone = not text
        if text != sentence.text:
            edits.append(Edit(sentence, text))
    return _without_empty_headings(trace.edited(edits))


def _without_empty_headings(trace: CodeTrace) -> CodeTrace:
    """Take out headings that nothing stands under any more."""
    lines: list[str] = []
    for line in reversed(trace.lines):
        below = next((other for other in reversed(lines) if other.strip()), "")
        leads = _indent(below) > _indent(line) or (_ITEM.match(below) and not _ITEM.match(line))
        if line.rstrip("* ").endswith(":") and not leads:
            mark = _ITEM.match(line)
            words = line[mark.end() if mark else 0 :]
            kept = words[: words.rfind(". ") + 1].rstrip()
            if not kept:
                continue
            lines.append(line[: len(line) - len(words)] + kept)
            continue
        lines.append(line)
    return CodeTrace(re.sub(r"\n{3,}", "\n\n", "\n".join(reversed(lines))).strip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _vague(sentence: Sentence) -> str:
    """The sentence without the names beside its nouns; nothing where it says more than that."""
    if is_heading(sentence.text):
        return "" if specifics(sentence.text) else sentence.text
    text = _APPOSED.sub(_unnamed, _CALLED.sub("", _BRACKETED.sub("", sentence.text)))
    text = _A_STRUCTURE.sub(r"\1 data structure", text)
    text = _BY_METHOD.sub(r"\1 a suitable approach", text)
    kept = text
    while kept and (_NAMED.search(kept) or _STEP.search(kept)):
        kept = kept.rpartition(", ")[0]
    if len(kept.split()) < _FEWEST_WORDS:
        return ""
    if kept != text and (_SUBORDINATE.match(kept) or _DANGLING.search(kept) or ":" in kept):
        return ""
    return kept if kept.endswith((".", "!", "?", ":")) else f"{kept}."


def _unnamed(match: re.Match[str]) -> str:
    """Leave the name of "the array `nums`" out, and "the difference by `k`" as it is."""
    return match[0] if _LEADS_TO.search(match[1].rstrip()) else match[1].rstrip()
