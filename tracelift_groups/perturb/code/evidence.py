"""What a flaw's certificate rests on, read off the two texts, the program and the tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from tracelift_groups.perturb.code.consistency import contradicted
from tracelift_groups.perturb.code.drafts import quotes_what_is_gone, read_on, sentence_proposals
from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.operators.vague import GENERAL, specifics
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Outcome, Runs
from tracelift_groups.perturb.code.text import CodeTrace, Edit, Sentence
from tracelift_groups.verify.cases import CaseTests, Failure

_FEWEST_SPECIFICS = 5
_MOST_LEFT = 0.2
_FEWEST_WORDS = 15
_FEWEST_CHANGED = 0.5
_WORD = re.compile(r"\w+")


class Unconfirmed(Exception):  # noqa: N818 - an outcome, not a failure
    """A flaw or twin is not what it claims to be; the message says why."""


@dataclass(frozen=True)
class Change:
    """A sentence of the parent and what the flawed trace has there.

    Attributes:
        before: The parent's sentence.
        after: The flawed trace's sentence; None where it is gone.
        follows: It was read on or left out because of another change.
    """

    before: Sentence
    after: Sentence | None
    follows: bool = False


@dataclass(frozen=True)
class Exhibit:
    """All that a flaw is judged by.

    Attributes:
        kind: What it claims to be.
        parent, flawed: The two texts.
        program: The verified program.
        made: The program that is said to follow from the flawed trace; None for none.
        tests: The problem's tests.
        runs: Runs programs.
        name: What the runs are remembered by: the problem.
        any_order: The problem leaves the order of the result open.
    """

    kind: str
    parent: CodeTrace
    flawed: CodeTrace
    program: Program
    made: Program | None
    tests: CaseTests
    runs: Runs
    name: str
    any_order: bool = False
    changes: list[Change] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    against: list[str] = field(default_factory=list)


def program_follows(exhibit: Exhibit) -> None:
    """Every sentence that differs leads, by itself, to the same program; the others fit it."""
    made = exhibit.made
    if made is None:
        raise Unconfirmed("there is no program that follows from the flawed trace")
    changes = _changes(exhibit)
    first = [change for change in changes if not change.follows]
    if not any(_leads_to(exhibit, change, exhibit.kind) for change in first):
        raise Unconfirmed(f"no change of kind {exhibit.kind} leads to the program")
    changed = {change.before for change in changes}
    edits = [Edit(c.before, c.after.text if c.after else "") for c in first]
    exhibit.against.extend(
        filter(None, [contradicted(exhibit.parent.sentences, edits, exhibit.program)])
    )
    if all(change.after is None for change in first):
        facts = said_by(exhibit.program)
        if all(change.before.text in facts for change in first):
            raise Unconfirmed("only a repetition is gone: what is left is as sound as before")
    for sentence in exhibit.parent.sentences:
        if sentence not in changed and quotes_what_is_gone(sentence.text, exhibit.program, made):
            raise Unconfirmed(f"'{sentence.text}' quotes code that the program has no more")
    exhibit.changes.extend(changes)


def _leads_to(exhibit: Exhibit, change: Change, kind: str | None = None) -> bool:
    assert exhibit.made is not None
    text = change.after.text if change.after else ""
    return any(
        proposal.text == text
        and proposal.program == exhibit.made.source
        and kind in (None, proposal.kind)
        for proposal in sentence_proposals(change.before.text, exhibit.program)
    )


def _changes(exhibit: Exhibit) -> list[Change]:
    """Match the sentences of the two texts; each that differs must be accounted for."""
    before, after = exhibit.parent.sentences, exhibit.flawed.sentences
    matcher = SequenceMatcher(
        None, [one.text for one in before], [one.text for one in after], autojunk=False
    )
    changes: list[Change] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            changes += _accounted(exhibit, list(before[i1:i2]), list(after[j1:j2]))
    if not changes:
        raise Unconfirmed("nothing was changed")
    return changes


def _accounted(exhibit: Exhibit, before: list[Sentence], after: list[Sentence]) -> list[Change]:
    assert exhibit.made is not None
    facts, left = said_by(exhibit.program), said_by(exhibit.made)
    changes = []
    for sentence in before:
        if after:
            change = Change(sentence, after[0])
            if after[0].text == sentence.text:
                after.pop(0)
                continue
            if _leads_to(exhibit, change):
                changes.append(Change(sentence, after.pop(0)))
                continue
            if read_on(sentence.text) == after[0].text:
                changes.append(Change(sentence, after.pop(0), follows=True))
                continue
        if _leads_to(exhibit, Change(sentence, None)):
            changes.append(Change(sentence, None))
        elif (
            sentence.text in facts and sentence.text not in left
        ) or sentence.text.rstrip().endswith((":", ":**")):
            changes.append(Change(sentence, None, follows=True))
        else:
            raise Unconfirmed(f"'{sentence.text[:80]}' changed, and not to what the program does")
    if after:
        raise Unconfirmed(f"'{after[0].text[:80]}' is new")
    return changes


def program_fails(exhibit: Exhibit) -> None:
    """The program that follows fails a test, by a wrong value or an exception."""
    assert exhibit.made is not None
    outcome = exhibit.runs.outcome(exhibit.made.source, exhibit.tests, exhibit.name)
    if outcome.failure is None:
        raise Unconfirmed("the program that follows passes every test, or has no end")
    if exhibit.any_order and same_in_another_order(outcome.failure):
        raise Unconfirmed("the program gives the same in another order, which the problem allows")
    exhibit.outcomes.append(outcome)


def same_in_another_order(failure: Failure) -> bool:
    """Whether what came out is what was expected but for the order of its entries."""
    try:
        expected, got = (_ordered(text) for text in (failure.case.expected, failure.got))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return sorted(failure.case.expected.split()) == sorted(failure.got.split())
    return expected == got


def _ordered(text: str) -> str:
    """A literal with the entries of every list in it sorted."""

    def ordered(value: object) -> str:
        if isinstance(value, list | tuple | set):
            return f"[{', '.join(sorted(map(ordered, value)))}]"
        return repr(value)

    return ordered(ast.literal_eval(text))


def guard_gone(exhibit: Exhibit) -> None:
    """The program that follows handles fewer cases than the verified one."""
    assert exhibit.made is not None
    if _handled(exhibit.made) >= _handled(exhibit.program):
        raise Unconfirmed("no guard is gone")


def _handled(program: Program) -> int:
    """Count what can handle a case: statements, conditions and their parts, clamps."""
    nodes = list(ast.walk(program.tree))
    joined = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    clamps = sum(
        isinstance(node, ast.Call) and ast.unparse(node.func) in ("min", "max") for node in nodes
    )
    return joined + clamps + sum(isinstance(node, ast.stmt | ast.IfExp) for node in nodes)


def specifics_gone(exhibit: Exhibit) -> None:
    """Names, bounds, structures and costs are gone, up to a fifth of them."""
    had, has = specifics(exhibit.parent.text), specifics(exhibit.flawed.text)
    if had < _FEWEST_SPECIFICS:
        raise Unconfirmed(f"the parent has {had} specifics to lose")
    if has > _MOST_LEFT * had:
        raise Unconfirmed(f"{has} of {had} specifics are still there")
    kept = {sentence.text for sentence in exhibit.flawed.sentences}
    changed = sum(sentence.text not in kept for sentence in exhibit.parent.sentences)
    if changed < _FEWEST_CHANGED * len(exhibit.parent.sentences):
        raise Unconfirmed("most of the sentences are as they were")
    if exhibit.made is not None:
        raise Unconfirmed("a vague plan leads to no one program")


def topic_kept(exhibit: Exhibit) -> None:
    """What is left is the parent's prose, or less of it, and of some length."""
    rest = iter([_WORD.findall(one.text.lower()) for one in exhibit.parent.sentences])
    for sentence in exhibit.flawed.sentences:
        own = [word for word in _WORD.findall(sentence.text.lower()) if word not in GENERAL]
        if not any(_within(own, words) for words in rest):
            raise Unconfirmed(f"'{sentence.text[:80]}' is new, or stands elsewhere")
    if len(exhibit.flawed.text.split()) < _FEWEST_WORDS or len(exhibit.flawed.sentences) < 2:
        raise Unconfirmed("too little is left")


def too_costly(exhibit: Exhibit) -> None:
    """The program that follows passes every test, and takes too long on a large input."""
    assert exhibit.made is not None
    program = exhibit.made.source
    if not exhibit.runs.outcome(program, exhibit.tests, exhibit.name).passes:
        raise Unconfirmed("the slow program fails a test, so that cost is not what is wrong")
    failure = exhibit.runs.too_slow(program, exhibit.program, exhibit.tests, exhibit.name)
    if failure is None:
        raise Unconfirmed("no large input tells the slow program from the reference")
    exhibit.outcomes.append(Outcome(failure, 1, 1))


def _within(words: list[str], others: list[str]) -> bool:
    """Whether words occur among others, in this order."""
    rest = iter(others)
    return all(word in rest for word in words)


POSTCONDITIONS: dict[str, Callable[[Exhibit], None]] = {
    "program_follows": program_follows,
    "program_fails": program_fails,
    "guard_gone": guard_gone,
    "too_costly": too_costly,
    "specifics_gone": specifics_gone,
    "topic_kept": topic_kept,
}
