"""Asks a model for twins and flaws, checks what comes, and asks a judge where nothing proves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from tracelift_groups.llm.asking import Asks, ask, together
from tracelift_groups.llm.request import Failed
from tracelift_groups.perturb.llm.desk import Desk, Flaw, Unsuitable, everywhere
from tracelift_groups.perturb.llm.difference import quoted_step
from tracelift_groups.perturb.llm.shapes import PairVerdict, Perturbed, PerturbedPlan, Reworded
from tracelift_groups.perturb.made import Text
from tracelift_groups.perturb.template import Template
from tracelift_groups.plan import Plan
from tracelift_groups.prompts import render_prompt
from tracelift_groups.records import Certificate, RejectedTrace, Role

# Drafts of one twin or flaw before it is given up; each is another sample of the same prompt.
_DRAFTS = 2
_MANNERS = (
    "Say it more briefly: join steps where that reads well, and leave nothing out that is needed.",
    "Say a little more: one more reason, or a step taken apart, where that helps the reader.",
    "Keep about the length; use other words and another build of the sentences.",
)


class WrittenFlaw(NamedTuple):
    """A flaw that a model wrote; ``parent`` is an index into the sound traces that were given."""

    kind: str
    trace: Text
    parent: int
    certificate: Certificate
    author: str


class Writer:
    """Makes the traces of one problem by asking a model.

    Args:
        desk: What the domain does with replies.
        plan: Which models, and how they are asked.
        name: The seed's id.
        random: A generator for a name: what is drawn for one trace does not depend on others.
    """

    def __init__(self, desk: Desk, plan: Plan, name: str, random: Callable[[str], Random]) -> None:
        self._desk, self._plan, self._name, self._random = desk, plan, name, random
        self._known: set[str] = set()
        self.rejected: list[RejectedTrace] = []

    def twins(self, reference: Text, others: Sequence[Text], count: int) -> Asks[list[Text]]:
        """Ask for up to ``count`` sound rewordings of the reference, different from the others."""
        self._known |= {_plain(trace.text) for trace in (reference, *others)}
        manners = self._random("manners").sample(_MANNERS, k=min(count, len(_MANNERS)))
        found = yield from together(
            [self._twin(reference, index, manner) for index, manner in enumerate(manners)]
        )
        return [trace for trace in found if trace is not None]

    def _twin(self, reference: Text, index: int, manner: str) -> Asks[Text | None]:
        prompt = render_prompt(
            "twin",
            problem=self._desk.problem,
            trace=reference.text,
            manner=manner,
            domain="math" if self._desk.program is None else "code",
        )
        for draft in range(_DRAFTS):
            request = self._plan.request("twin", prompt, sample=draft)
            reply = yield from ask(request, Reworded)
            if isinstance(reply, Failed):
                self._failed("twin", None, reply)
                continue
            try:
                twin = self._desk.twin(reply.reasoning)
                self._check_new(twin.trace)
                if not twin.proven:
                    yield from self._find_nothing(reference, twin.trace, f"twin/{index}/{draft}")
            except Unsuitable as reason:
                self._reject("twin", None, reason, reply.reasoning)
                continue
            return twin.trace
        return None

    def flaws(
        self,
        sound: Sequence[Text],
        templates: Sequence[Template],
        others: Sequence[Text],
        turn: int = 0,
    ) -> Asks[list[WrittenFlaw]]:
        """Ask for one flaw of each template, on parents drawn at random; again on each turn."""
        self._known |= {_plain(trace.text) for trace in (*sound, *others)}
        found = yield from together([self._flaw(template, sound, turn) for template in templates])
        return [flaw for flaw in found if flaw is not None]

    def _flaw(
        self, template: Template, sound: Sequence[Text], turn: int
    ) -> Asks[WrittenFlaw | None]:
        parent = self._random(f"{template.id}/{turn}").randrange(len(sound))
        program = self._desk.program
        wants_program = program is not None and "program_follows" in template.postconditions
        prompt = render_prompt(
            "perturb",
            template=template,
            problem=self._desk.problem,
            trace=sound[parent].text,
            program=program,
            wants_program=wants_program,
        )
        shape: type[Perturbed | PerturbedPlan] = PerturbedPlan if wants_program else Perturbed
        for draft in range(turn * _DRAFTS, (turn + 1) * _DRAFTS):
            request = self._plan.request("perturb", prompt, sample=draft)
            reply: Perturbed | PerturbedPlan | Failed = yield from ask(request, shape)
            if isinstance(reply, Failed):
                self._failed("flawed", template.id, reply)
                continue
            try:
                if not reply.reasoning.strip():
                    raise Unsuitable("not_applicable", "the model finds no place for such a flaw")
                flaw = self._desk.flaw(template, sound[parent], reply)
                self._check_new(flaw.trace)
                certificate = flaw.certificate
                if not flaw.proven:
                    quote = yield from self._find_flaw(template, sound[parent], flaw, draft)
                    certificate = certificate.model_copy(
                        update={"judge": self._plan.judge, "quote": quote}
                    )
            except Unsuitable as reason:
                self._reject("flawed", template.id, reason, reply.reasoning)
                if reason.reason == "not_applicable":
                    return None
                continue
            return WrittenFlaw(template.id, flaw.trace, parent, certificate, self._plan.author)
        return None

    def _check_new(self, trace: Text) -> None:
        key = _plain(trace.text)
        if key in self._known:
            raise Unsuitable("duplicate", "the group has this trace already")
        self._known.add(key)

    def _find_nothing(self, reference: Text, twin: Text, name: str) -> Asks[None]:
        """A judge has to find both traces sound."""
        verdict, second = yield from self._pair(reference, twin, name)
        if verdict.flawed != "neither":
            which = "rewording" if verdict.flawed == second else "reference"
            raise Unsuitable("judged_flawed", f"the judge objects to the {which}: {verdict.why}")

    def _find_flaw(self, template: Template, parent: Text, flaw: Flaw, draft: int) -> Asks[str]:
        """A judge has to pick the flawed trace, and to name the place; returns its quote."""
        verdict, second = yield from self._pair(parent, flaw.trace, f"{template.id}/{draft}")
        if verdict.flawed == "neither":
            raise Unsuitable("judged_sound", f"the judge finds no flaw: {verdict.why}")
        if verdict.flawed != second:
            raise Unsuitable("judged_parent", f"the judge objects to the parent: {verdict.why}")
        step = quoted_step(flaw.trace.steps, verdict.quote)
        if step is None:
            raise Unsuitable("judged_elsewhere", f"the judge quotes no step: '{verdict.quote}'")
        near = abs(step - flaw.certificate.step) <= 1
        changed = flaw.trace.steps[step] not in parent.steps
        if not near and not (everywhere(template) and changed):
            raise Unsuitable(
                "judged_elsewhere",
                f"the judge names step {step}, the texts differ in step {flaw.certificate.step}",
            )
        return verdict.quote

    def _pair(self, first: Text, second: Text, name: str) -> Asks[tuple[PairVerdict, str]]:
        """Show two traces in an order drawn at random; returns the verdict and which is second."""
        turned = self._random(f"pair/{name}").random() < 0.5
        shown = (second, first) if turned else (first, second)
        prompt = render_prompt(
            "pair", problem=self._desk.problem, first=shown[0].text, second=shown[1].text
        )
        reply = yield from ask(self._plan.judge_request("pair", prompt), PairVerdict)
        if isinstance(reply, Failed):
            raise Unsuitable("judge_failed", f"{reply.reason}: {reply.detail}")
        return reply, "a" if turned else "b"

    def _failed(self, role: Role, kind: str | None, failed: Failed) -> None:
        self._reject(role, kind, Unsuitable(failed.reason, failed.detail), None)

    def _reject(self, role: Role, kind: str | None, reason: Unsuitable, text: str | None) -> None:
        self.rejected.append(
            RejectedTrace(
                seed_id=self._name,
                role=role,
                kind=kind,
                author=self._plan.author,
                reason=reason.reason,
                detail=reason.detail,
                text=text,
            )
        )


def _plain(text: str) -> str:
    """The text without spaces: two traces that differ in spaces alone are duplicates."""
    return "".join(text.split())
