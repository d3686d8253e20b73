"""What the scripted model replies as a judge, from its own reading of the texts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import NamedTuple

from tracelift_groups.llm.scripted.chance import chance
from tracelift_groups.llm.scripted.reading import Asked
from tracelift_groups.perturb.code.drafts import parsed
from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.operators.vague import specifics
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.code.twins import can_go
from tracelift_groups.perturb.code.wording import normal
from tracelift_groups.perturb.math.conversions import is_factor
from tracelift_groups.perturb.math.evidence.pair import stated
from tracelift_groups.perturb.math.numbers import plain
from tracelift_groups.perturb.math.trace import MathTrace, Mention, Problem, parse_trace
from tracelift_groups.records import Seed
from tracelift_groups.reference import NoReference, code
from tracelift_groups.reference.math import read_answer

# A text that names less than this share of what the other names is too vague to work from.
_VAGUE = 0.5


class _Doubt(NamedTuple):
    """Something to object to: what, where, and the part of a dimension's name that it is about."""

    why: str
    sentence: str
    about: str


def comparison(asked: Asked, seed: Seed | None, bad: bool) -> dict[str, str]:
    """Say which of two texts is flawed, and where; the order in which they come is no help.

    Args:
        asked: The prompt.
        seed: The problem's seed where it is known, for what the texts should come to.
        bad: Say something else than what was found.
    """
    first, second = (parse_trace(text, Problem(asked.problem)) for text in asked.texts)
    if first.nodes or second.nodes:
        why, found = _compared(first, second, _right(seed))
    else:
        why, found = _compared_plans(asked.texts[0], asked.texts[1], seed)
    if bad:
        found = {"a": "b", "b": "a", "neither": "a"}[found]
    if found == "neither":
        return {"why": why, "flawed": found, "quote": ""}
    one, other = (first, second) if found == "a" else (second, first)
    return {"why": why, "flawed": found, "quote": _quote(one, other)}


def _right(seed: Seed | None) -> Fraction | None:
    """The answer of a problem that is known."""
    if seed is None or seed.answer is None:
        return None
    try:
        return read_answer(seed.answer)
    except NoReference:
        return None


def _compared(first: MathTrace, second: MathTrace, right: Fraction | None) -> tuple[str, str]:
    agree = first.answer == second.answer
    for why, one, other in _measures(first, second, right):
        if one != other:
            return why, "a" if one > other else "b"
    if agree:
        return "Every step of both holds, and they come to the same.", "neither"
    return "They come to different values.", _drawn(first.text, second.text)


def _measures(
    first: MathTrace, second: MathTrace, right: Fraction | None
) -> Iterator[tuple[str, int, int]]:
    """What is wrong with either, the surest sign first: more is worse."""
    yield "A calculation does not hold.", len(first.false_equations), len(second.false_equations)
    agree = first.answer == second.answer
    if right is not None and not agree:
        yield "It comes to another value.", first.answer != right, second.answer != right
    yield (
        "A number is used that comes from nowhere.",
        len(_unfounded(first)),
        len(_unfounded(second)),
    )
    if agree:
        yield "A number is said that nothing led to.", len(_asserted(first)), len(_asserted(second))
        return
    yield "Something given is left out.", -len(_given(first)), -len(_given(second))
    yield "A step is missing.", -_work(first), -_work(second)


def _unfounded(trace: MathTrace) -> set[Fraction]:
    """Operands that are neither given, nor worked out, nor a conversion between units."""
    return _from_nowhere(trace, [m for m in trace.mentions if m.equation is not None])


def _asserted(trace: MathTrace) -> set[Fraction]:
    """Numbers of the prose that are neither given nor worked out."""
    return _from_nowhere(trace, [m for m in trace.mentions if m.equation is None])


def _from_nowhere(trace: MathTrace, mentions: list[Mention]) -> set[Fraction]:
    worked = {node.value for node in trace.nodes}
    spoken_of = f"{trace.problem.text} {trace.text}"
    return {
        m.number.value
        for m in mentions
        if m.source.kind == "constant"
        and not m.stated
        and m.number.value not in worked
        and not is_factor(m.number.value, spoken_of)
    }


def _given(trace: MathTrace) -> set[Fraction]:
    return {
        m.number.value
        for m in trace.mentions
        if m.source.kind == "problem" and m.equation is not None and not m.stated
    }


def _work(trace: MathTrace) -> int:
    return sum(len(trace.operands(node)) - 1 for node in trace.derivations)


def _compared_plans(first: str, second: str, seed: Seed | None) -> tuple[str, str]:
    """Compare plans: by how much they name, then by what is wrong or left out."""
    one, two = specifics(first), specifics(second)
    if min(one, two) < _VAGUE * max(one, two):
        return "It is too vague to work from.", "a" if one < two else "b"
    known = _known(seed)
    left = [
        {normal(sentence): sentence for sentence in _sentences(text)} for text in (first, second)
    ]
    if known.plan:
        one, two = (len(own.keys() - known.plan - known.facts) for own in left)
        if one != two:
            return "One step would not work.", "a" if one > two else "b"
    one, two = (_left_out(own, other, known.facts) for own, other in (left, left[::-1]))
    if one != two:
        return "Something is left out.", "a" if one > two else "b"
    if one == 0:
        return "They say the same.", "neither"
    return "One step would not work.", _drawn(first, second)


def _left_out(own: dict[str, str], other: dict[str, str], facts: frozenset[str]) -> int:
    """How many sentences of another text are missed in this one, what its program says aside."""
    missing = [other[saying] for saying in other.keys() - own.keys()]
    texts = list(own.values())
    return sum(
        normal(sentence) not in facts and not can_go(sentence, texts) for sentence in missing
    )


def _drawn(first: str, second: str) -> str:
    """One of two texts, the same whichever comes first."""
    low, high = sorted((first, second))
    flawed = low if chance("pair", low, high) < 0.5 else high
    return "a" if flawed == first else "b"


def _quote(flawed: MathTrace, other: MathTrace) -> str:
    """The first sentence that is wrong, or else that the other text does not have."""
    if flawed.false_equations:
        return flawed.steps[flawed.false_equations[0].step]
    known = set(_sentences(other.text))
    own = _sentences(flawed.text)
    return next((sentence for sentence in own if sentence not in known), own[-1] if own else "")


def _sentences(text: str) -> list[str]:
    return [sentence.text for sentence in CodeTrace(text).sentences]


def scores(
    asked: Asked, seed: Seed | None, bad: bool, rng: Random
) -> dict[str, dict[str, str | int]]:
    """Score every dimension from 0 to 10, lower where the text gives reason to.

    Args:
        asked: The prompt.
        seed: The problem's seed where it is known, for what the text should come to.
        bad: Score without having looked.
        rng: What is drawn at random.
    """
    doubts = (
        _code_doubts(asked.texts[0], seed) if asked.domain == "code" else _math_doubts(asked, seed)
    )
    made: dict[str, dict[str, str | int]] = {}
    for dimension in asked.dimensions:
        own = [doubt for doubt in doubts if doubt.about in dimension]
        if bad:
            reason, score = "It reads well.", rng.choice((2, 5, 10))
        elif own:
            reason, score = f"{own[0].why}: {own[0].sentence}", rng.choice((2, 3, 3, 4))
        elif doubts:
            reason, score = f"Not untouched: {doubts[0].why.lower()}", rng.choice((6, 7, 7, 8))
        else:
            reason, score = "Nothing to object to.", rng.choice((9, 10, 10))
        made[dimension] = {"reason": reason, "score": score}
    return made


def _math_doubts(asked: Asked, seed: Seed | None) -> list[_Doubt]:
    trace = parse_trace(asked.texts[0], Problem(asked.problem))
    doubts = [
        _Doubt(f"{stated(trace, node)} does not hold", trace.steps[node.step], "calculation")
        for node in trace.false_equations
    ]
    if missing := _unfounded(trace) | _asserted(trace):
        numbers = ", ".join(plain(value) for value in sorted(missing))
        doubts.append(_Doubt(f"nothing leads to {numbers}", trace.steps[-1], "coherence"))
    right = _right(seed)
    if right is not None and trace.steps and trace.answer != right:
        about = "support" if doubts else "strategy"
        doubts.append(_Doubt("it comes to another value", trace.steps[-1], about))
    return doubts


class _Known(NamedTuple):
    """What can be said of a known problem, in the words that sentences of one meaning share."""

    plan: frozenset[str]
    facts: frozenset[str]


def _known(seed: Seed | None) -> _Known:
    if seed is None or seed.reasoning is None or seed.reference_solution is None:
        return _Known(frozenset(), frozenset())
    try:
        facts = said_by(parsed(seed.reference_solution))
    except (SyntaxError, ValueError, RecursionError):
        facts = {}
    plan = _sentences(code.clean(seed.reasoning))
    return _Known(frozenset(map(normal, plan)), frozenset(map(normal, facts)))


def _code_doubts(text: str, seed: Seed | None) -> list[_Doubt]:
    """Sentences that neither a known plan nor its program bears out, and want of specifics."""
    known = _known(seed)
    if seed is None or not known.plan:
        return []
    doubts = []
    if specifics(text) < _VAGUE * specifics(code.clean(seed.reasoning or "")):
        doubts.append(_Doubt("It is too vague to work from", text.split("\n", 1)[0], "plan"))
    strange = [s for s in _sentences(text) if normal(s) not in known.plan | known.facts]
    doubts += [_Doubt("This would not work", sentence, "support") for sentence in strange[:2]]
    return doubts
