"""What does the executor's work inside a reasoning: a stated answer, or a program.

Planners write these texts, so every step here takes time linear in the text: lines and sentences
are looked at one by one, each from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracelift_groups.records import Domain

_STATES_ANSWER = re.compile(
    r"[\s*]*+(?:(?:so|thus|hence|therefore)\b,?)?[\s*]*+(?:(?:the|my|our)\b)?[\s*]*+"
    r"(?:final\b)?[\s*]*+answer\b[\s*]*+(?:is\b|[:=])",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])(?=[ \t])")
_ANSWER_TAG = re.compile(r"<answer>.*?(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r"[ \t]*+(```+|~~~+)")
_BEGINS_CODE = re.compile(
    r"def \w++\(|class \w++[:(]|from [\w.]++ import "
    r"|import [\w.]++(?: as \w++)?(?:, ?[\w.]++(?: as \w++)?)*+[ \t]*+$"
)
_INDENTED = re.compile(r"[ \t]|$")


def without_leak(text: str, domain: Domain) -> str:
    """Return a reasoning without stated answers (math) or programs (code); else unchanged.

    An equation that ends in the answer is reasoning and stays; so does a name or an expression
    quoted in a plan.
    """
    if domain == "math":
        lines = map(_without_answer, _ANSWER_TAG.sub("", text).split("\n"))
        return "\n".join(line for line in lines if line is not None)
    return "\n".join(_without_program(text.split("\n")))


def _without_answer(line: str) -> str | None:
    """A line without the sentences that state an answer; None where nothing is left of it."""
    if line.lstrip().startswith("####"):
        return None
    sentences = _SENTENCE_END.split(line)
    kept = [one for one in sentences if not (_STATES_ANSWER.match(one) or _marks_answer(one))]
    if len(kept) == len(sentences):
        return line
    return "".join(kept) or None


def _marks_answer(sentence: str) -> bool:
    return "\\boxed" in sentence or sentence.lstrip().startswith("####")


def _without_program(lines: list[str]) -> Iterator[str]:
    """The lines that are neither in a fence nor part of a definition at the margin."""
    fence, in_definition = "", False
    for line in lines:
        mark = _FENCE.match(line)
        if fence:
            # A fence ends with a line of at least its own marks and nothing else.
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence, in_definition = mark[1], False
        elif _BEGINS_CODE.match(line):
            in_definition = True
        elif not (in_definition and _INDENTED.match(line)):
            in_definition = False
            yield line
