"""Sound rewordings of a reasoning text: other words, more said, less said, another layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from tracelift_groups.perturb.code.facts import Fact
from tracelift_groups.perturb.code.operators.vague import COST, specifics
from tracelift_groups.perturb.code.text import CodeTrace, Edit, Sentence, is_heading
from tracelift_groups.perturb.code.wording import BOLD, respelled, reworded

_TOKEN = re.compile(r"`[^`\n]+`|\\\([^\n]+?\\\)|(?<![\w`])-?\d+(?![\w`])")
_BULLET = re.compile(r"^(\s*)([-*+•]|\d+[.)])(\s+)(?=\S)")
_WORD = re.compile(r"[a-z]{4,}|not|only|less|all|any|no")
_REPEATED = 0.85
_FILLER = re.compile(
    r"\b(?:efficient\w*|approach ensures|solution (?:is|ensures|handles)"
    r"|this (?:approach|solution|method|code))\b",
    re.IGNORECASE,
)


def say_otherwise(trace: CodeTrace, rng: Random) -> CodeTrace:
    """Trade words for others that mean the same, and spell some code another way."""
    edits = []
    share = rng.uniform(0.4, 0.9)
    for sentence in trace.sentences:
        text = respelled(reworded(sentence.text, rng, share), rng, 0.4)
        if text != sentence.text:
            edits.append(Edit(sentence, text))
    return trace.edited(edits)


def say_less(trace: CodeTrace, rng: Random) -> CodeTrace:
    """Leave out sentences whose specifics are said elsewhere, or that have none."""
    kept = list(trace.sentences)
    gone: list[Sentence] = []
    order = sorted(kept, key=lambda sentence: (not _FILLER.search(sentence.text), rng.random()))
    most = max(1, round(len(kept) * rng.uniform(0.15, 0.45)))
    for sentence in order:
        if len(gone) >= most or len(kept) <= 3:
            break
        if sentence.text.endswith(":") or is_heading(sentence.text) or _leads_on(trace, sentence):
            continue
        if _has_children(trace, sentence):
            continue
        others = [other for other in kept if other is not sentence]
        if can_go(sentence.text, [other.text for other in others]):
            kept.remove(sentence)
            gone.append(sentence)
    return trace.edited([Edit(sentence, "") for sentence in gone])


def _leads_on(trace: CodeTrace, sentence: Sentence) -> bool:
    """Whether the sentence behind this one hangs on it ("If it is, …", "Otherwise, …")."""
    at = trace.sentences.index(sentence)
    if at + 1 >= len(trace.sentences):
        return False
    return hangs_on(trace.sentences[at + 1].text)


def _has_children(trace: CodeTrace, sentence: Sentence) -> bool:
    """Whether deeper lines hang on the line of a sentence."""
    below = next((line for line in trace.lines[sentence.line + 1 :] if line.strip()), "")
    own = trace.lines[sentence.line]
    return len(below) - len(below.lstrip()) > len(own) - len(own.lstrip())


def hangs_on(sentence: str) -> bool:
    """Whether a sentence makes no sense without the one before."""
    return bool(
        re.match(
            r"\W*(?:If (?:it|so|not|they|yes|this|that)\b|Otherwise|In that case|This|That|These"
            r"|It\b|Else|Conversely|They|Those|Similarly|However|But|Instead|Then\b|In such|Here\b"
            r"|After (?:that|this)|Thus|Therefore|Hence|So\b|As a result|For example|Specifically"
            r"|(?:We|It) (?:also|then)\b|Both\b|Each of (?:these|them)|Now\b|Next\b|Finally)",
            sentence,
        )
    )


def can_go(sentence: str, others: Sequence[str]) -> bool:
    """Whether a text that has the other sentences says as much without this one.

    It only praises the approach or leads over, or one other sentence says nearly the same.
    """
    if COST.search(sentence):
        return False
    words, tokens = set(_WORD.findall(sentence.lower())), set(_TOKEN.findall(sentence))
    if _FILLER.search(sentence) and not tokens and specifics(sentence) == 0:
        return True
    return any(
        tokens <= set(_TOKEN.findall(other))
        and len(words & set(_WORD.findall(other.lower()))) >= _REPEATED * len(words)
        for other in others
    )


def say_more(trace: CodeTrace, facts: Sequence[Fact], rng: Random) -> CodeTrace:
    """Add what the program does, each fact where the text speaks of the same things."""
    for fact in facts:
        sentence = rng.choice(fact.wordings)
        if sentence not in trace.text:
            trace = _added(trace, fact, sentence)
    return trace


def _added(trace: CodeTrace, fact: Fact, sentence: str) -> CodeTrace:
    lines = [i for i, line in enumerate(trace.lines) if line.strip() and not _closed(line)]
    if not lines:
        return trace.with_line(len(trace.lines) - 1, sentence)
    scores = {i: _nearness(trace.lines[i], fact) for i in lines}
    best = max(scores.values())
    last = _last_of_list(trace)
    if best >= 1 or last is None:
        at = max(i for i in lines if scores[i] == best)
        made = list(trace.lines)
        made[at] = f"{made[at].rstrip()} {sentence}"
        return CodeTrace("\n".join(made))
    mark = _BULLET.match(trace.lines[last])
    assert mark is not None
    number = re.match(r"(\d+)(.*)", mark[2])
    sign = f"{int(number[1]) + 1}{number[2]}" if number else mark[2]
    return trace.with_line(last, f"{mark[1]}{sign}{mark[3]}{sentence}")


def _closed(line: str) -> bool:
    """Whether a line is a heading, or ends such that a sentence cannot follow."""
    return not line.rstrip().endswith((".", "!", ")")) or line.lstrip().startswith("#")


def _nearness(line: str, fact: Fact) -> float:
    """How many of a fact's names a line has; code counts more than words."""
    score = 0.0
    for name in fact.about:
        if re.search(rf"`[^`]*(?<!\w){re.escape(name)}(?!\w)[^`]*`", line):
            score += 1
        elif len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", line):
            score += 0.5
    return score


def _last_of_list(trace: CodeTrace) -> int | None:
    """The last line of the last list, if it is an item of the outermost level."""
    items = [i for i, line in enumerate(trace.lines) if _BULLET.match(line)]
    if not items or trace.lines[items[-1]].startswith((" ", "\t")):
        return None
    return items[-1]


def lay_out(trace: CodeTrace, rng: Random) -> CodeTrace:
    """Change list marks and bold headings: how a text looks says nothing of its soundness."""
    lines = list(trace.lines)
    if rng.random() < 0.5:
        lines = [BOLD.sub(r"\1", line) for line in lines]
    marks = [_BULLET.match(line) for line in lines]
    if any(marks) and rng.random() < 0.6:
        sign = rng.choice(("-", "*", "1."))
        lines = _marked(lines, sign)
    return CodeTrace("\n".join(lines))


def _marked(lines: list[str], sign: str) -> list[str]:
    """Give the items of the outermost level another mark."""
    made, count = [], 0
    for line in lines:
        match = _BULLET.match(line)
        if match is None or match[1]:
            if line.strip() and match is None and not line.startswith((" ", "\t")):
                count = 0
            made.append(line)
            continue
        count += 1
        new = f"{count}." if sign == "1." else sign
        made.append(f"{new} {line[match.end() :]}")
    return made
