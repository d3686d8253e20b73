"""The rule engine for programs: twins of a reference, and flaws whose programs fail a test.

Deterministic given the random generator. Nothing leaves here that the checks did not confirm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from tracelift_groups.perturb.code import twins
from tracelift_groups.perturb.code.checks import certify, check_sound
from tracelift_groups.perturb.code.consistency import speaks_of
from tracelift_groups.perturb.code.drafts import Draft, drafts_of, sentence_proposals
from tracelift_groups.perturb.code.evidence import Unconfirmed
from tracelift_groups.perturb.code.facts import Fact, facts_of, said_by
from tracelift_groups.perturb.code.operators.vague import without_specifics
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.made import BY_RULE
from tracelift_groups.perturb.template import Template
from tracelift_groups.records import Certificate
from tracelift_groups.reference.code import CodeReference

# Programs of one kind that may pass every test before the kind is given up.
_PATIENCE = 12
# Programs that are tried for one fact, to see whether something false can be said of it.
_TRIES_PER_FACT = 3
_SHORTER = frozenset({"vague_pseudo_solution", "missing_edge_case"})
_ONCE = frozenset({"vague_pseudo_solution", "infeasible_complexity"})
_ENOUGH = 6
_FROM_LONGEST = 0.8
_FROM_REFERENCE = 0.4
_QUOTED = re.compile(r"`([^`]+)`")
_FACTS_PER_TWIN = (3, 3, 4)
_FACTS_PER_KIND = 2


class Flaw(NamedTuple):
    """A certified flaw; ``parent`` is an index into the sound traces that were given."""

    kind: str
    trace: CodeTrace
    parent: int
    certificate: Certificate
    author: str = BY_RULE


class Engine:
    """Makes the traces of one problem.

    Args:
        reference: The verified trace, program and tests.
        templates: The kinds.
        name: The problem's id.
        rng: What is drawn at random.
        runs: Runs programs.
    """

    def __init__(
        self,
        reference: CodeReference,
        templates: Sequence[Template],
        name: str,
        rng: Random,
        runs: Runs,
    ) -> None:
        self._reference, self._templates = reference, templates
        self._name, self._rng, self._runs = name, rng, runs
        self._keys: set[str] = set()
        self._programs: set[str] = set()

    def twins(self) -> list[CodeTrace]:
        """Make up to three sound rewordings: all say more of the program, two less prose."""
        facts = self._telling_facts()
        rng = self._rng
        first, second, third = (rng.choice(_FACTS_PER_TWIN) for _ in range(3))
        # Which of the facts each twin adds, and whether it says less of the reference.
        rest = facts[first + second :]
        plans = [
            (facts[:first], False),
            (facts[first : first + second], True),
            (rest[:third] or rng.sample(facts, min(len(facts), third)), True),
        ]
        rng.shuffle(plans)
        found: list[CodeTrace] = []
        keys = {self._reference.trace.key}
        for added, less in plans:
            for reword in (True, True, False):
                trace = self._reference.trace
                if less:
                    trace = twins.say_less(trace, rng)
                if reword:
                    trace = twins.say_otherwise(trace, rng)
                trace = twins.say_more(trace, added, rng)
                if reword:
                    trace = twins.lay_out(trace, rng)
                if trace.key not in keys and self._sound(trace):
                    keys.add(trace.key)
                    found.append(trace)
                    break
        return found

    def _sound(self, trace: CodeTrace) -> bool:
        try:
            check_sound(self._reference, trace)
        except Unconfirmed:
            return False
        return True

    def _telling_facts(self) -> list[Fact]:
        """Return the program's facts, those first of which something false fails a test.

        For each kind one such fact comes to the front, in an order drawn at random, so that what
        is said in the twins is what matters to the tests.
        """
        facts = [fact for fact in facts_of(self._reference.program) if not self._said(fact)]
        self._rng.shuffle(facts)
        # What the prose says nothing of comes first: being wrong in it contradicts nothing.
        facts.sort(key=self._spoken_of)
        kinds = [template.id for template in self._templates]
        self._rng.shuffle(kinds)
        front: list[Fact] = []
        for _ in range(_FACTS_PER_KIND):
            for kind in kinds:
                for fact in facts:
                    if fact not in front and self._tells(fact, kind):
                        front.append(fact)
                        break
        return front + [fact for fact in facts if fact not in front]

    def _spoken_of(self, fact: Fact) -> bool:
        """Whether the reference speaks of what a fact is about."""
        return any(
            speaks_of(sentence.text, fact.about, fact.form if fact.untruths else "")
            for sentence in self._reference.trace.sentences
        )

    def _said(self, fact: Fact) -> bool:
        """Whether the reference quotes all the code of a fact already."""
        quoted = {code for code in _QUOTED.findall(fact.wordings[0]) if not code.isidentifier()}
        trace = self._reference.trace.text.replace(" ", "")
        return bool(quoted) and all(f"`{code}`".replace(" ", "") in trace for code in quoted)

    def _tells(self, fact: Fact, kind: str) -> bool:
        """Whether something false of a kind that can be said of a fact fails a test."""
        programs = {
            proposal.program: None
            for proposal in sentence_proposals(fact.wordings[0], self._reference.program)
            if proposal.kind == kind
        }
        if kind == "infeasible_complexity":
            return bool(programs)
        return any(self._fails(program) for program in list(programs)[:_TRIES_PER_FACT])

    def _fails(self, program: str) -> bool:
        return self._runs.fails(program, self._reference.tests, self._name)

    def flaws(self, sound: Sequence[CodeTrace], least: int, kinds: int) -> list[Flaw]:
        """Make one certified flaw for each template that applies, on parents drawn at random.

        Flaws that the rest of the text does not contradict come first: one of each kind, then
        more of those kinds. Only where that leaves fewer than ``least`` flaws or ``kinds`` kinds
        are others taken, which their certificates call local.
        """
        drafts = self._drafts(sound)
        self._keys = {trace.key for trace in sound}
        self._programs = set()
        found: list[Flaw] = []

        def missing() -> bool:
            return len(found) < least or len({flaw.kind for flaw in found}) < kinds

        for consistent in (True, False):
            own = [pair for pair in drafts if pair[1].consistent or not consistent]
            present = {flaw.kind for flaw in found}
            rest = [template for template in self._templates if template.id not in present]
            for template in rest:
                if (consistent or missing()) and (flaw := self._flaw(template, sound, own)):
                    found.append(flaw)
            again = [template for template in self._templates if template.id not in _ONCE]
            while again and missing():
                again = [template for template in again if self._more(template, sound, own, found)]
        return sorted(found, key=lambda flaw: flaw.kind)

    def _more(
        self,
        template: Template,
        sound: Sequence[CodeTrace],
        drafts: Sequence[tuple[int, Draft]],
        found: list[Flaw],
    ) -> bool:
        """Add another flaw of a kind, if there is one and it is wanted."""
        flaw = self._flaw(template, sound, drafts) if len(found) < _ENOUGH else None
        if flaw:
            found.append(flaw)
        return flaw is not None

    def _drafts(self, sound: Sequence[CodeTrace]) -> list[tuple[int, Draft]]:
        drafts = [
            (index, draft)
            for index, trace in enumerate(sound)
            for draft in drafts_of(trace, self._reference.program)
        ]
        for index, trace in enumerate(sound):
            vague = without_specifics(trace, said_by(self._reference.program))
            write = partial(str, vague.text)
            drafts.append((index, Draft("vague_pseudo_solution", "drop_specifics", None, write)))
        return drafts

    def _flaw(
        self,
        template: Template,
        sound: Sequence[CodeTrace],
        drafts: Sequence[tuple[int, Draft]],
    ) -> Flaw | None:
        keys, programs = self._keys, self._programs
        tried: set[str | None] = set()
        for index, draft in self._in_order(template, sound, drafts):
            if draft.program in programs or (draft.program in tried and draft.program is not None):
                continue
            if len(tried) >= _PATIENCE:
                return None
            fails = "program_fails" in template.postconditions
            if fails and draft.program is not None and not self._fails(draft.program):
                tried.add(draft.program)
                continue
            trace = CodeTrace(draft.text or "")
            if draft.text is None or trace.key in keys:
                continue
            try:
                certificate = certify(
                    template,
                    self._reference,
                    sound[index],
                    trace,
                    draft.program,
                    draft.operator,
                    self._runs,
                    self._name,
                )
            except Unconfirmed:
                if not fails:
                    tried.add(draft.program)
                continue
            keys.add(trace.key)
            if draft.program is not None:
                programs.add(draft.program)
            return Flaw(template.id, trace, index, certificate)
        return None

    def _in_order(
        self,
        template: Template,
        sound: Sequence[CodeTrace],
        drafts: Sequence[tuple[int, Draft]],
    ) -> Iterator[tuple[int, Draft]]:
        """The drafts of a kind: parents at random, on each the operators by their weight.

        What takes text away starts more often from the longest sound trace: or "says less" would
        predict "is flawed".
        """
        weights = {choice.name: choice.weight for choice in template.operators}
        own = [
            pair for pair in drafts if pair[1].kind == template.id and pair[1].operator in weights
        ]
        parents = sorted({index for index, _ in own})
        self._rng.shuffle(parents)
        if template.id in _SHORTER and self._rng.random() < _FROM_LONGEST:
            parents.sort(key=lambda index: -len(sound[index].text))
        # What the source itself says is the better place, where there is something to hold on to.
        if 0 in parents and self._rng.random() < _FROM_REFERENCE:
            parents.remove(0)
            parents.insert(0, 0)
        # Operators of little weight are for want of better ones, on whatever parent.
        for strong in (True, False):
            for parent in parents:
                yield from sorted(
                    (
                        (index, draft)
                        for index, draft in own
                        if index == parent and (weights[draft.operator] >= 1) == strong
                    ),
                    key=lambda pair: -(self._rng.random() ** (1 / weights[pair[1].operator])),
                )
