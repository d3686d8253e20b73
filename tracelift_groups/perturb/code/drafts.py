"""Drafts of a flaw: every sentence that leads to the same program, changed together."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property, lru_cache, partial

from tracelift_groups.perturb.code.consistency import contradicted
from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.fragments import fragments
from tracelift_groups.perturb.code.operators import Proposal, proposals
from tracelift_groups.perturb.code.program import Program, canonical
from tracelift_groups.perturb.code.text import CodeTrace, Edit, Sentence
from tracelift_groups.perturb.code.twins import hangs_on

_OTHERWISE = re.compile(r"^(?:Otherwise|Else),?\s+(?P<rest>.)")


class Draft:
    """A flawed trace that is yet to be certified.

    Attributes:
        kind, operator: What it claims to be.
        program: The program that follows; None where none does.
    """

    def __init__(
        self,
        kind: str,
        operator: str,
        program: str | None,
        write: Callable[[], str | None],
        against: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.kind, self.operator, self.program = kind, operator, program
        self._write, self._against = write, against

    @cached_property
    def consistent(self) -> bool:
        """Whether no other sentence still says what the flaw denies."""
        return self._against() is None

    @cached_property
    def text(self) -> str | None:
        """The flawed trace, written when first asked for; None where its parts contradict."""
        return self._write()


def drafts_of(trace: CodeTrace, program: Program) -> list[Draft]:
    """Return the drafts that a trace's sentences allow, in the order of the text."""
    wanted: dict[str, dict[int, list[Proposal]]] = defaultdict(lambda: defaultdict(list))
    for number, sentence in enumerate(trace.sentences):
        for proposal in sentence_proposals(sentence.text, program):
            wanted[proposal.program][number].append(proposal)
    drafts = []
    for made, by_sentence in wanted.items():
        ways = {(p.kind, p.operator): None for found in by_sentence.values() for p in found}
        for kind, operator in ways:
            edits = [
                Edit(trace.sentences[number], _chosen(found, kind, operator).text)
                for number, found in by_sentence.items()
            ]
            write = partial(_written, trace, edits, program, made)
            against = partial(contradicted, trace.sentences, edits, program)
            drafts.append(Draft(kind, operator, made, write, against))
    return drafts


def _written(trace: CodeTrace, edits: list[Edit], program: Program, made: str) -> str | None:
    edited = _propagated(trace, edits, program, parsed(made))
    return edited.text if edited else None


def sentence_proposals(sentence: str, program: Program) -> tuple[Proposal, ...]:
    """Return what the operators propose for a sentence."""
    return _sentence_proposals(sentence, program.source)


@lru_cache(maxsize=2048)
def _sentence_proposals(sentence: str, source: str) -> tuple[Proposal, ...]:
    return tuple(proposals(sentence, parsed(source)))


@lru_cache(maxsize=64)
def parsed(source: str) -> Program:
    """Parse a program, once."""
    return Program(source)


def _chosen(found: list[Proposal], kind: str, operator: str) -> Proposal:
    """Of a sentence's proposals for one program, the one nearest to what the draft claims."""
    return min(found, key=lambda p: (p.kind != kind, p.operator != operator, p.text == ""))


def _propagated(
    trace: CodeTrace, edits: list[Edit], program: Program, made: Program
) -> CodeTrace | None:
    """Carry the edits through the rest of the text; None where the rest contradicts them."""
    edited = {edit.sentence for edit in edits}
    facts, left = said_by(program), said_by(made)
    for sentence in trace.sentences:
        if sentence in edited:
            continue
        if sentence.text in facts and sentence.text not in left:
            edits = [*edits, Edit(sentence, "")]
        elif quotes_what_is_gone(sentence.text, program, made):
            return None
    gone = {edit.sentence for edit in edits if not edit.text}
    edited |= gone
    for before, after in zip(trace.sentences, trace.sentences[1:], strict=False):
        if before not in gone or after in edited:
            continue
        if reading_on := read_on(after.text):
            edits.append(Edit(after, reading_on))
        elif hangs_on(after.text) and _same_breath(before, after):
            return None
    return trace.edited(edits)


def _same_breath(before: Sentence, after: Sentence) -> bool:
    return after.line - before.line <= 1


def read_on(sentence: str) -> str | None:
    """What is left of "Otherwise, we add" when the case before it is gone: "We add"."""
    match = _OTHERWISE.match(sentence)
    if match is None:
        return None
    return match["rest"].upper() + sentence[match.end("rest") :]


def quotes_what_is_gone(sentence: str, program: Program, made: Program) -> bool:
    """Whether a sentence quotes code that the program has and the flawed one has no more."""
    for fragment in fragments(sentence, program.names):
        if isinstance(fragment.node, ast.Name | ast.Constant | ast.Attribute):
            continue
        form = canonical(fragment.node)
        if program.forms[form] and not made.forms[form]:
            return True
    return False
