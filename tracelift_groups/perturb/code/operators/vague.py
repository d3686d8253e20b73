"""The whole trace without its specifics: no names, bounds, structures or costs, same topic."""

from __future__ import annotations

import re
from collections.abc import Container

from tracelift_groups.perturb.code.text import CodeTrace, Edit, Sentence

_CODE = r"(?:`[^`\n]+`|\\\([^\n]+?\\\)|\\\[[^\n]+?\\\])"
_ANY_CODE = re.compile(_CODE)
_BRACKETED = re.compile(rf"\s*\((?:[^()`\n]|{_CODE})*{_CODE}(?:[^()`\n]|{_CODE})*\)")
_RECURSIVE = re.compile(r"\brecursive(?:ly)?\s", re.IGNORECASE)
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
_SOME_METHOD = re.compile(rf"(?:\b(an?|the|this|A|An|The|This)\s+)?{METHOD.pattern}", re.IGNORECASE)
_ARTICLE = {
    "a": "an approach", "an": "an approach", "this": "this approach",
    "A": "An approach", "An": "An approach", "This": "This approach", "The": "The approach",
}  # fmt: skip
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_CLAUSE = re.compile(
    r",\s+|;\s+|\s+(?=(?:by|where|with|using|such that|so that|because|since|from)\b)"
)
_HEAD = re.compile(r"^[*_]{0,2}[A-Z][^.:`]{0,60}[*_]{0,2}:\s*[*_]{0,2}")
_FEWEST_WORDS = 5
_LONGEST_HEADING = 6
_NOUNS = ("the value", "the other")
_SUBORDINATE = re.compile(r"(?:If|When|For|While|Once|As|After|Before|Since|To|By|In|Whenever)\b")
# Words that a name follows, where it is no apposition to a noun.
_LEADS_TO = re.compile(
    r"\b(?:so|then|because|since|but|keeps?|stores?|of|to|in|by|with|than|from|and|or|is|are|at|for|as|if|when|while|until|both|either|not|be"
    r"|equals?|update|updates|updating|set|sets|setting|return|returns|returning|increment|increments"
    r"|initiali[sz]\w*|use|using|uses|add|adds|adding|move|moves|moving|sort|sorts|sorting|append"
    r"|appends|check|checks|find|finds|call|calls|between|where|that|into|on|through|over|the|a|an"
    r"|each|every|this|its|our|decrement|decrements|multiply|divide|subtract|subtracts|define|we)$",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"\b(?:of|the|an?|to|with|and|or|for|in|on|at|is|are|if|when|that|which|as|be|each|every|both)$"
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
    """Return the trace with every sentence made vague, or left out where nothing else is left.

    Args:
        trace: A sound trace.
        facts: Sentences that are nothing but specifics: they are left out.
    """
    edits = []
    for sentence in trace.sentences:
        text = "" if sentence.text in facts else _vague(sentence)
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
    text = sentence.text
    if COST.search(text):
        return ""
    head = _HEAD.match(text)
    if head and len(head[0].split()) > _LONGEST_HEADING:
        head = None
    start = head.end() if head else 0
    heading, rest = text[:start], text[start:]
    heading = METHOD.sub("Approach", STRUCTURE.sub("Structure", heading))
    rest = _BRACKETED.sub("", rest)
    rest = _CALLED.sub("", rest)
    rest = _APPOSED.sub(_unnamed, rest)
    rest = _general(_substituted(_RECURSIVE.sub("", rest)))
    if not rest.strip():
        return "" if _ANY_CODE.search(heading) else heading
    rest = _cut(rest)
    if not rest:
        return ""
    return heading + rest if heading and not _ANY_CODE.search(heading) else rest


def _unnamed(match: re.Match[str]) -> str:
    """Leave the name of "the array `nums`" out, and "the difference by `k`" as it is."""
    return match[0] if _LEADS_TO.search(match[1].rstrip()) else match[1].rstrip()


def _substituted(text: str) -> str:
    """Put "the value" and "the condition" for names and comparisons, where they are few."""
    codes = list(dict.fromkeys(_ANY_CODE.findall(text)))
    bare = _ANY_CODE.sub(" ", text)
    if not codes or len(codes) > len(_NOUNS) or _NUMBER.search(bare):
        return text
    nouns = iter(_NOUNS)
    instead = {}
    for code in codes:
        inner = code.strip("`\\() ")
        if inner.isidentifier():
            instead[code] = next(nouns)
        elif re.search(r"[<>]|[!=]=|\b(?:not|in)\b", inner):
            instead[code] = "the condition holds"
        else:
            return text

    def put(match: re.Match[str]) -> str:
        noun = instead[match[0]]
        before = text[: match.start()].rstrip()
        named = noun in _NOUNS and re.search(r"[a-z]$", before) and not _LEADS_TO.search(before)
        return "" if named else noun

    made = re.sub(r" +(?=[ ,.;:])", "", _ANY_CODE.sub(put, text))
    made = re.sub(
        r"\b(?:the|a|an|our|this|each|every)\s+(?:[a-z-]+\s+){0,2}the (value|other|condition)\b",
        r"the \1",
        made,
        flags=re.I,
    )
    made = re.sub(
        r"\bthe condition holds(?: is true| holds| is met)\b", "the condition holds", made
    )
    return made[:1].upper() + made[1:] if codes and text.startswith(codes[0]) else made


def _as_structure(match: re.Match[str]) -> str:
    plural = match[0].lower().endswith("s") and not match[0].lower().endswith("ss")
    return "structures" if plural else "structure"


def _general(text: str) -> str:
    """Put "structure" and "approach" for what is named."""
    opens_high = text[:1].isupper()
    text = STRUCTURE.sub(_as_structure, text)
    text = re.sub(r"\b([Aa])n(?= structure)", r"\1", text)
    text = _SOME_METHOD.sub(lambda match: _ARTICLE.get(match[1] or "", "the approach"), text)
    text = re.sub(r"\b(structure|approach)(?:\s*\(?(?:the\s+)?\1\)?)+", r"\1", text)
    return text[:1].upper() + text[1:] if opens_high else text


def _cut(text: str) -> str:
    """Keep the clauses before the first that still names something; a sentence, or nothing."""
    masked = _ANY_CODE.sub(lambda match: "`" * len(match[0]), text)
    named = re.compile(rf"`|{_NUMBER.pattern}")
    if not named.search(masked):
        return text
    kept = position = 0
    for match in [*_CLAUSE.finditer(masked), None]:
        end = match.start() if match else len(masked)
        if named.search(masked[position:end]):
            break
        kept, position = end, match.end() if match else end
    left = text[:kept].rstrip(" ,;:")
    if len(left.split()) < _FEWEST_WORDS or _SUBORDINATE.match(left) or _DANGLING.search(left):
        return ""
    return left if left.endswith((".", "!", "?")) else f"{left}."
