"""What does the executor's work inside a reasoning: a stated answer, or a program.

Planners write these texts, so every step here takes time linear in the text: lines and sentences
are looked at one by one, and what stands in front of a word is looked at over a fixed distance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tracelift_groups.records import Domain

# Mathematics: what tlg verify reads as an answer, and a little more.
_ANSWER = re.compile(
    r"(?<![^\W_])answer(?![^\W_])[\s*_]*+(?:(?:is|will be|['\u2019]s)(?![^\W_])|[:=\uff1a])",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?|[^\s*_]")
_FILLERS = {"final", "correct", "right", "exact", "numerical"}
_LEADS = {"the", "my", "our", "so", "thus", "hence", "therefore", "then", "and", "that", "finally"}
_DROPPED = "|".join(sorted({*_FILLERS, *_LEADS, "means", "which"}))
_LEAD = re.compile(rf"(?:[\s,;:(#>*_\u2013\u2014-]|\b(?:{_DROPPED})\b)*+\Z", re.IGNORECASE)
_BEFORE = 60
"""Characters in front of "answer" that are looked at."""
_HEADING = re.compile(r"[\s#*_>-]*+(?:the\s++)?(?:final\s++)?answer[\s*_]*+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?;])(?=[ \t])")
_ANSWER_TAG = re.compile(r"<answer>.*?(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)

# Code, behind an indent and the mark of a list.
_MARGIN = re.compile(r"[ \t]*+(?:(?:[-*>]|\d++[.)])[ \t]++)?")
_FENCE = re.compile(r"(```+|~~~+)")
_DEFINES = re.compile(r"(?:async )?def \w++ ?\(|class \w++ ?[:(]")
_IMPORTS = re.compile(
    r"from [\w.]++ import |import [\w.]++(?: as \w++)?(?:, ?[\w.]++(?: as \w++)?)*+[ \t]*+(?:#|$)"
)
_STATEMENT = re.compile(
    r"(?:for|while|if|elif|with|except)\b.*:[ \t]*+$|(?:else|try|finally)[ \t]*+:"
    r"|(?:return|break|continue|pass)\b"
    r"|[A-Za-z_][\w.]*+(?:\[[^\]]*+\])*+(?:[ \t]*+,[ \t]*+[A-Za-z_]\w*+)*+[ \t]*+"
    r"(?://|\*\*|<<|>>|[-+*/%|&^])?=[^=]"
    r"|[A-Za-z_][\w.]*+\(.*\)[ \t]*+$"
)
_READS_OR_WRITES = re.compile(r"\binput\(|\bsys\.std|\bprint\(")


def without_leak(text: str, domain: Domain) -> str:
    """Return a reasoning without stated answers (math) or programs (code); else unchanged.

    An equation that ends in the answer is reasoning and stays; so does a name or an expression
    quoted in a plan.
    """
    if domain == "math":
        return "\n".join(_without_answers(_ANSWER_TAG.sub("", text).split("\n")))
    return "\n".join(_without_statements(_without_program(text.split("\n"))))


def _without_answers(lines: Sequence[str]) -> Iterator[str]:
    """The lines without sentences that state an answer, and without answers on the next line."""
    answer_follows = in_box = False
    for line in lines:
        if in_box:
            in_box = "}" not in line and bool(line.strip())
        elif answer_follows:
            answer_follows = not line.strip()
        elif _HEADING.fullmatch(line):
            answer_follows = True
        elif not line.lstrip().startswith("####"):
            sentences = _SENTENCE_END.split(line)
            kept = [_without_statement(one) for one in sentences]
            last = sentences[-1].rstrip(" \t*_")
            in_box = last.endswith("\\boxed{")
            answer_follows = kept[-1] != sentences[-1] and _ends_with_statement(last)
            if kept == sentences:
                yield line
            elif left := "".join(kept).rstrip():
                yield left


def _without_statement(sentence: str) -> str:
    """A sentence up to where it begins to state an answer."""
    if "\\boxed" in sentence or sentence.lstrip().startswith("####"):
        return ""
    for found in _ANSWER.finditer(sentence):
        before = sentence[max(0, found.start() - _BEFORE) : found.start()]
        words = [word.lower() for word in _WORDS.findall(before)]
        while words and words[-1] in _FILLERS:
            words.pop()
        # "Her answer is 3 more than his" and "each answer is" are about somebody in the problem.
        if not words or words[-1] in _LEADS or not words[-1][0].isalpha():
            lead = _LEAD.search(before)
            return sentence[: found.start() - (len(before) - lead.start() if lead else 0)]
    return sentence


def _ends_with_statement(sentence: str) -> bool:
    """Whether nothing follows the words that state an answer."""
    end = sentence[-_BEFORE:]
    return any(not end[found.end() :].strip(" \t*_:=") for found in _ANSWER.finditer(end))


def _without_program(lines: Sequence[str]) -> Iterator[str]:
    """The lines that are neither in a fence nor part of a definition, nor import anything."""
    fence, definition = "", -1  # the indent of the definition that a line may belong to
    for line in lines:
        begin = _begin(line)
        mark = _FENCE.match(line, begin)
        if fence:
            # A fence ends with a line of at least its own marks and nothing else.
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence, definition = mark[1], -1
        elif _DEFINES.match(line, begin):
            definition = _indent(line)
        elif _IMPORTS.match(line, begin):
            definition = -1
        elif definition < 0 or (line.strip() and _indent(line) <= definition):
            definition = -1
            yield line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _without_statements(lines: Iterable[str]) -> Iterator[str]:
    """The lines without runs of statements that read input or write output: a bare program."""
    for is_code, run in groupby(lines, _is_statement):
        found = list(run)
        if not (is_code and any(map(_READS_OR_WRITES.search, found))):
            yield from found


def _is_statement(line: str) -> bool:
    return _STATEMENT.match(line, _begin(line)) is not None


def _begin(line: str) -> int:
    """Where a line begins behind its indent and the mark of a list."""
    margin = _MARGIN.match(line)
    return margin.end() if margin else 0
