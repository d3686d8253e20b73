"""Programs: the program that a model says to follow is run, and a judge has to find the flaw."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from functools import cached_property

from tracelift_groups.perturb.code.checks import FENCE
from tracelift_groups.perturb.code.evidence import POSTCONDITIONS, Exhibit, Unconfirmed
from tracelift_groups.perturb.code.operators.vague import specifics
from tracelift_groups.perturb.code.program import Program, canonical
from tracelift_groups.perturb.code.runs import Sandbox, sandbox_of
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.llm.desk import (
    Flaw,
    Twin,
    Unsuitable,
    check_flaw,
    check_length,
    check_twin,
    judged,
)
from tracelift_groups.perturb.llm.shapes import Perturbed, PerturbedPlan
from tracelift_groups.perturb.made import Text
from tracelift_groups.perturb.template import Template
from tracelift_groups.reference.code import CodeReference, clean
from tracelift_groups.verify.cases import Failure
from tracelift_groups.verify.extract import extract_program

# What these two ask is put otherwise to a model's text: whether its program follows is for the
# judge, and a vague text may use words of its own.
_FOR_THE_JUDGE = frozenset({"program_follows", "topic_kept"})
_QUOTED = re.compile(r"`([^`\n]+)`")


class CodeDesk:
    """Reads what a model writes about one programming problem."""

    def __init__(self, problem: str, name: str, reference: CodeReference, sandbox: Sandbox) -> None:
        self._problem, self._name = problem, name
        self._reference, self._sandbox = reference, sandbox

    @property
    def problem(self) -> str:
        """The problem's text."""
        return self._problem

    @property
    def program(self) -> str:
        """The verified program."""
        return self._reference.program.source

    def twin(self, reasoning: str) -> Twin:
        """Read a rewording. What it quotes must stand in the reference or its program."""
        trace = read(reasoning)
        check_twin(self._reference.trace.text, trace.text)
        for code in _QUOTED.findall(trace.text):
            if not self._knows(code):
                raise Unsuitable(
                    "unsound", f"`{code[:60]}` is neither in the reference nor its code"
                )
        return Twin(trace, proven=False)

    def _knows(self, code: str) -> bool:
        """Whether the reference or its program has some code, however it is spaced or turned."""
        if "".join(code.split()) in self._text:
            return True
        try:
            statement = ast.parse(code.strip()).body[0]
        except (SyntaxError, ValueError, RecursionError, IndexError):
            return False
        value = statement.value if isinstance(statement, ast.Expr) else statement
        return canonical(value) in self._forms

    @cached_property
    def _text(self) -> str:
        return "".join((self._reference.trace.text + self.program).split())

    @cached_property
    def _forms(self) -> set[str]:
        """Canonical forms of the program's pieces and of the code that the reference quotes."""
        forms = set(self._reference.program.forms)
        for code in _QUOTED.findall(self._reference.trace.text):
            with suppress(SyntaxError, ValueError, RecursionError):
                forms |= set(Program(code.strip()).forms)
        return forms

    def flaw(self, template: Template, parent: Text, reply: Perturbed | PerturbedPlan) -> Flaw:
        """Read a flaw and run the program that is said to follow from it."""
        assert isinstance(parent, CodeTrace)
        trace = read(reply.reasoning)
        found = check_flaw(template, parent.text, trace.text)
        source = None
        if isinstance(reply, PerturbedPlan):
            source = extract_program(reply.program) or reply.program
        exhibit = Exhibit(
            template.id,
            parent,
            trace,
            self._reference.program,
            None if source is None else self._parsed(source),
            self._reference.tests,
            sandbox_of(self._sandbox),
            self._name,
            self._reference.any_order,
        )
        try:
            for name in template.postconditions:
                if name not in _FOR_THE_JUDGE:
                    POSTCONDITIONS[name](exhibit)
        except Unconfirmed as reason:
            raise Unsuitable("not_the_kind", str(reason)) from reason
        outcome = exhibit.outcomes[0] if exhibit.outcomes else None
        if outcome is not None and template.rubric.severity.measure == "tests":
            share = outcome.failed / outcome.total
        else:
            before = specifics(parent.text)
            share = 1 - specifics(trace.text) / before if before else 1.0
        certificate = judged(template, trace, found, template.rubric.severity.grade(share))
        if outcome is None or outcome.failure is None:
            return Flaw(trace, certificate, proven=False)
        facts = _executed(source, outcome.failure)
        return Flaw(trace, certificate.model_copy(update=facts), proven=False)

    def _parsed(self, source: str) -> Program:
        try:
            program = Program(source)
            same = program.plain == self._reference.program.plain
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Unsuitable("program_does_not_parse", str(error)[:200]) from error
        if same:
            raise Unsuitable("same_program", "the program is the verified one")
        return program


def _executed(source: str | None, failure: Failure) -> dict[str, object]:
    """What a run adds to a certificate."""
    return {
        "method": "executed",
        "answer_changed": True,
        "program": source,
        "input": failure.case.input,
        "expected": failure.case.expected,
        "got": failure.got,
    }


def read(reasoning: str) -> CodeTrace:
    """Parse what a model wrote.

    Raises:
        Unsuitable: Nothing is left of it, or a program stands in it.
    """
    check_length(reasoning)
    text = clean(reasoning)
    check_length(text)
    if FENCE.search(text):
        raise Unsuitable("style", "there is a program in the text")
    return CodeTrace(text)
