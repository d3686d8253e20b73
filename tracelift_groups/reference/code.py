"""Gold reasoning for a program: the program taken out of the prose, and run."""

from __future__ import annotations

import re
from typing import NamedTuple

from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Runs, SandboxDown
from tracelift_groups.perturb.code.text import CodeTrace, Edit, Sentence
from tracelift_groups.reference import NoReference
from tracelift_groups.verify.cases import CaseTests, UnusableTests, read_tests
from tracelift_groups.verify.verdict import Verdict

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)", re.M | re.S)
_THINK = re.compile(r"\A\s*<think>(.*?)</think>.*\Z", re.S)
_HEADING = re.compile(
    r"^\s*(?:#{1,6}\s*|\*\*)(?:detailed\s+|code\s+|step[- ]by[- ]step\s+)?"
    r"(?:explanation|code|solution|implementation|python|approach|plan|steps|key points)\b"
    r"[^\n.]{0,30}$",
    re.IGNORECASE,
)
_PLEASANTRY = re.compile(r"^(?:Certainly|Sure|Of course|Absolutely|Great)\s*[!,.]\s*", re.I)
# A sentence that points at the program: it has nothing to point at any more.
_ANNOUNCES = re.compile(
    r"\b(?:here(?:'s|’s| is| are)|below|following|let's|now|above)\b.*"
    r"\b(?:code|implement\w*|program|script|complete[d]?|python|function|method|solution)\b",
    re.IGNORECASE,
)
# Tests compare with one answer: where others are as good, failing them shows nothing.
_ANY_ANSWER = re.compile(
    r"\breturn any\b|\bprint any\b|\bany (?:one )?of them\b|\bany valid\b"
    r"|multiple (?:valid |possible |correct )?(?:answers|solutions)[^.\n]{0,40}\bany\b",
    re.IGNORECASE,
)
_ANY_ORDER = re.compile(r"\bany order\b|\border (?:does not|doesn't) matter\b", re.IGNORECASE)
_HOW_TO = re.compile(
    r"(?:here|below)\b.*\b(?:how (?:you|we|to)|implement\w*|python|code|complete\w*)\b.*:$",
    re.IGNORECASE,
)
_FEWEST_WORDS = 25


class CodeReference(NamedTuple):
    """What a code group is made of.

    Attributes:
        trace: The reasoning, without any program.
        program: The program that goes with it and passes the tests.
        tests: The tests.
        any_order: The problem leaves the order of the result open.
    """

    trace: CodeTrace
    program: Program
    tests: CaseTests
    any_order: bool = False


def clean(reasoning: str) -> str:
    """Return the reasoning alone: no program, no sentence that announces one, tidy blank lines.

    Of a text with ``<think>…</think>`` that part is the reasoning.
    """
    thought = _THINK.match(reasoning)
    text = thought[1] if thought else reasoning
    text = _FENCE.sub("\n", text.replace("\r\n", "\n"))
    lines = [line.rstrip() for line in text.split("\n") if not _HEADING.match(line)]
    trace = CodeTrace("\n".join(lines).strip())
    edits = []
    for sentence in trace.sentences:
        bare = _PLEASANTRY.sub("", sentence.text)
        if _announces(trace, sentence):
            bare = ""
        if bare != sentence.text:
            edits.append(Edit(sentence, bare))
    return re.sub(r"\n{3,}", "\n\n", trace.edited(edits).text).strip()


def _announces(trace: CodeTrace, sentence: Sentence) -> bool:
    """Whether a sentence announces the program: it says so, and no list follows it."""
    if not _ANNOUNCES.search(sentence.text) or not sentence.text.endswith((":", ".")):
        return False
    if _HOW_TO.match(sentence.text):
        return True
    if sentence.text.endswith("."):
        return bool(re.match(r"(?:here|below)\b", sentence.text, re.IGNORECASE))
    following = next((line for line in trace.lines[sentence.line + 1 :] if line.strip()), "")
    return not re.match(r"\s*(?:[-*+•]|\d+[.)]) ", following) or bool(
        re.search(r"\bcode|\bimplementation\b|\bcompleted?\b", sentence.text, re.I)
    )


def usable_tests(problem: str, tests: str | None) -> CaseTests:
    """Read a seed's tests.

    Raises:
        NoReference: ``no_tests``, ``many_answers`` or ``unusable_tests``.
    """
    if not (tests or "").strip():
        raise NoReference("no_tests", "the seed has no tests, nor the statement examples")
    assert tests is not None
    if _ANY_ANSWER.search(problem):
        raise NoReference("many_answers", "the problem takes any of several answers, the tests one")
    try:
        return read_tests(tests)
    except UnusableTests as error:
        raise NoReference("unusable_tests", str(error)) from error


def gold_reference(
    problem: str, reasoning: str | None, solution: str | None, tests: str | None, runs: Runs
) -> CodeReference:
    """Clean a seed's reasoning and run its program.

    Raises:
        NoReference: With the reason: ``no_reasoning``, ``no_program``, ``no_tests``,
            ``many_answers``, ``unusable_tests``, ``program_does_not_parse``, ``thin_reasoning``
            or, where the program does not pass, ``reference_<verdict>``.
    """
    if not (solution or "").strip():
        raise NoReference("no_program", "the seed has no program")
    cases = usable_tests(problem, tests)
    if not (reasoning or "").strip():
        raise NoReference("no_reasoning", "the seed has no reasoning")
    assert reasoning is not None and solution is not None
    try:
        program = Program(solution)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NoReference("program_does_not_parse", str(error)) from error
    trace = CodeTrace(clean(reasoning))
    if len(trace.text.split()) < _FEWEST_WORDS:
        count = len(trace.text.split())
        raise NoReference("thin_reasoning", f"{count} words are left without the program")
    result = runs.whole(program, cases)
    if result.verdict is Verdict.SANDBOX_ERROR:
        if not result.detail.startswith("unusable tests"):
            raise SandboxDown(result.detail)
        raise NoReference("unusable_tests", result.detail)
    if result.verdict is not Verdict.PASS:
        raise NoReference(f"reference_{result.verdict.value}", result.detail)
    return CodeReference(trace, program, cases, any_order=bool(_ANY_ORDER.search(problem)))
