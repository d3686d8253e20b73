"""Drafts and evidence: what leads to one program changes together, and the rest must fit it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.perturb.code.programs import LOWEST, TOTAL, fact, plain
from tracelift_groups.perturb.code.checks import certify
from tracelift_groups.perturb.code.drafts import (
    Draft,
    drafts_of,
    quotes_what_is_gone,
    read_on,
)
from tracelift_groups.perturb.code.evidence import Unconfirmed
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.template import Template, load_templates
from tracelift_groups.records import Certificate
from tracelift_groups.reference.code import CodeReference
from tracelift_groups.verify.cases import read_tests

TESTS = {
    "lowest": read_tests(
        '{"test_code": "assert lowest([]) == 0\\nassert lowest([3, 1, 2]) == 1",'
        ' "entry_point": "lowest"}'
    ),
    "total": read_tests(
        '{"test_code": "assert total(0) == 0\\nassert total(4) == 10", "entry_point": "total"}'
    ),
}


def drafts(text: str, source: str, operator: str) -> list[Draft]:
    made = drafts_of(CodeTrace(text), Program(source))
    return [one for one in made if one.operator == operator]


def test_sentences_that_lead_to_one_program_change_together() -> None:
    text = (
        "The loop goes over `range(1, n + 1)`.\nNothing here.\n"
        "We use `range(1, n+1)` so that n is met.\nThen `result += i`."
    )
    (draft,) = drafts(text, TOTAL, "drop_one")
    assert draft.kind == "off_by_one"
    assert draft.text == (
        "The loop goes over `range(1, n)`.\nNothing here.\n"
        "We use `range(1, n)` so that n is met.\nThen `result += i`."
    )
    assert draft.program == plain(TOTAL.replace("n + 1", "n"))


def test_a_guard_goes_wherever_it_is_spoken_of() -> None:
    text = (
        "1. If `xs` is empty, we return 0.\n2. We start with the first number.\n"
        "3. Since an empty list returns 0, `xs[0]` exists.\n4. We keep the minimum."
    )
    (draft,) = drafts(text, LOWEST, "drop_guard")
    assert draft.text == "1. We start with the first number.\n2. We keep the minimum."


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        # another sentence quotes what the program has no more, and cannot change to fit it
        ("If `xs` is empty, return 0.\nThe check `not xs` comes first.", "drop_guard"),
        # the next sentence hangs on the one that goes
        ("If `xs` is empty, return 0.\nThis saves time.", "drop_guard"),
    ],
)
def test_a_sentence_that_contradicts_stops_the_draft(text: str, operator: str) -> None:
    made = drafts(text, LOWEST, operator)
    assert made
    assert [draft.text for draft in made] == [None] * len(made)


def test_otherwise_is_read_on() -> None:
    text = "If `xs` is empty, return 0.\nOtherwise, we start with `best = xs[0]`."
    (draft,) = drafts(text, LOWEST, "drop_guard")
    assert draft.text == "We start with `best = xs[0]`."


@pytest.mark.parametrize(
    ("sentence", "left"),
    [
        ("Otherwise, we add it.", "We add it."),
        ("Else we add it.", "We add it."),
        ("Otherwise if it is 3, stop.", "If it is 3, stop."),
        ("We add it otherwise.", None),
        ("Otherwise", None),
    ],
)
def test_reading_on_leaves_a_sentence(sentence: str, left: str | None) -> None:
    assert read_on(sentence) == left


def test_what_is_quoted_and_gone_is_told_from_what_never_was() -> None:
    program, made = Program(LOWEST), Program(LOWEST.replace("min(", "max("))
    assert quotes_what_is_gone("Then `best = min(best, x)`.", program, made)
    assert quotes_what_is_gone("Look at `min(best,x)`.", program, made)
    assert not quotes_what_is_gone("Look at `best` and `xs[0]`.", program, made)
    assert not quotes_what_is_gone("Without `min(xs)` it is slow.", program, made)


def test_a_trace_that_says_nothing_of_the_program_gives_no_draft() -> None:
    assert drafts_of(CodeTrace("We think. Then we write it down."), Program(LOWEST)) == []


def test_drafts_are_the_same_each_time() -> None:
    text = "Start with `best = xs[0]`.\nThen `best = min(best, x)`.\nIf `xs` is empty, return 0."
    one, other = (
        [(d.kind, d.operator, d.program, d.text) for d in drafts_of(CodeTrace(text), Program(src))]
        for src in (LOWEST, LOWEST)
    )
    assert one == other
    assert len(one) > 2


# What the checks say of pairs of texts.


class Claim(NamedTuple):
    kind: str
    before: str
    after: str
    source: str
    program: str | None


BEFORE = """\
If `xs` is empty, we return 0 at once.
We start with the first number as `best`.
Then we go over `xs` and do `best = min(best, x)` for each number.
In the end `best` is returned."""
AFTER = BEFORE.replace("min(", "max(")
MADE = plain(LOWEST.replace("min(", "max("))
RIGHT = Claim("wrong_algorithm", BEFORE, AFTER, LOWEST, MADE)


def template(kind: str) -> Template:
    return next(one for one in load_templates("code") if one.id == kind)


def certified(claim: Claim, runs: Runs) -> Certificate:
    program = Program(claim.source)
    name = "total" if "def total" in claim.source else "lowest"
    parent = CodeTrace(claim.before)
    reference = CodeReference(parent, program, TESTS[name])
    return certify(
        template(claim.kind), reference, parent, CodeTrace(claim.after), claim.program,
        "by", runs, f"drafts-{name}",
    )  # fmt: skip


def test_a_certificate_says_where_and_what(runs: Runs) -> None:
    made = certified(RIGHT, runs)
    assert (made.kind, made.operator, made.verdict) == ("wrong_algorithm", "by", "confirmed")
    assert made.step == 2
    assert AFTER[made.start : made.end] == made.after
    assert "max" in made.after
    assert "min" in made.before
    assert len(made.after) < 30
    assert (made.method, made.answer_changed) == ("executed", True)
    assert made.propagation == "propagated"
    assert (made.input, made.expected, made.got) == ("[3, 1, 2]", "1", "3")
    assert made.program == MADE


def test_severity_is_the_share_of_tests_that_fail(runs: Runs) -> None:
    half = certified(RIGHT, runs)
    assert half.severity == template("wrong_algorithm").rubric.severity.grade(1 / 2)


@pytest.mark.parametrize(
    ("prose", "propagation"),
    [("In the end it is given back.", "propagated"),
     ("The smallest number so far is `best`.", "local")],
)  # fmt: skip
def test_a_flaw_is_local_where_the_rest_still_says_what_it_denies(
    prose: str, propagation: str, runs: Runs
) -> None:
    kept = fact(LOWEST, "running_best")
    (untruth,) = kept.untruths
    claim = Claim("wrong_invariant", f"{kept.wordings[0]}\n{prose}",
                  f"{untruth.wordings[0]}\n{prose}", LOWEST, untruth.program)  # fmt: skip
    assert certified(claim, runs).propagation == propagation


def test_what_is_left_out_is_located_where_it_would_stand(runs: Runs) -> None:
    lines = BEFORE.split("\n")
    text = "\n".join([lines[1], lines[0], *lines[2:]])
    after = "\n".join([lines[1], *lines[2:]])
    program = plain(LOWEST.replace("    if not xs:\n        return 0\n", ""))
    made = certified(Claim("missing_edge_case", text, after, LOWEST, program), runs)
    assert made.start == made.end == len(lines[1])
    assert (made.step, made.before, made.after) == (0, lines[0], "")
    assert made.input == "[]"
    assert made.got is not None
    assert made.got.startswith("IndexError")


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (RIGHT._replace(after=BEFORE), "nothing was changed"),
        (RIGHT._replace(program=None), "no program"),
        (RIGHT._replace(program=plain(LOWEST)), "changed, and not to"),
        (RIGHT._replace(program=MADE.replace("return 0", "return 1")), "changed, and not to"),
        (RIGHT._replace(kind="off_by_one"), "no change of kind"),
        (RIGHT._replace(after=AFTER.replace("We start", "We begin")), "changed, and not to"),
        (RIGHT._replace(after=f"{AFTER}\nIt is quick."), "is new"),
        (RIGHT._replace(after=AFTER.replace("In the end `best` is returned.", "")), "changed"),
        (RIGHT._replace(after=f"{AFTER}\nThis is wrong."), "gives the flaw away"),
        (RIGHT._replace(after=f"{AFTER}\n```\ncode\n```"), "a program in the text"),
        (RIGHT._replace(before=f"{BEFORE}\nSo `min(best, x)` is kept.",
                        after=f"{AFTER}\nSo `min(best, x)` is kept."), "quotes code"),
    ],
)  # fmt: skip
def test_what_does_not_follow_is_not_confirmed(claim: Claim, reason: str, runs: Runs) -> None:
    with pytest.raises(Unconfirmed, match=reason):
        certified(claim, runs)


ALL = "We take the numbers one by one and look at each of them only once."
VAGUE = Claim(
    "vague_pseudo_solution",
    f"{ALL}\n{BEFORE}",
    f"{ALL}\nWe start with the first number.\nThen we go over each number.",
    LOWEST,
    None,
)


def test_a_vague_trace_is_certified_without_a_run(runs: Runs) -> None:
    made = certified(VAGUE, runs)
    assert (made.method, made.program, made.input) == ("symbolic", None, None)
    assert not made.answer_changed
    assert made.propagation is None


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (VAGUE._replace(after=VAGUE.after.replace("each number", "`xs` for each `best`")),
         "still there"),
        (VAGUE._replace(after=VAGUE.after[:40]), "too little"),
        (VAGUE._replace(after="Some other topic altogether. " * 8), "is new"),
        (VAGUE._replace(after=VAGUE.after.replace("first", "first small")), "is new"),
        (VAGUE._replace(after=VAGUE.after.replace("Then we go over each number",
                                                  "Each number we go over then")), "is new"),
        (VAGUE._replace(before="We take `xs`. Then we go over the numbers."), "specifics to lose"),
        (VAGUE._replace(program=MADE), "no one program"),
    ],
)  # fmt: skip
def test_a_trace_that_is_not_vague_is_not_confirmed(claim: Claim, reason: str, runs: Runs) -> None:
    with pytest.raises(Unconfirmed, match=reason):
        certified(claim, runs)


def test_a_program_that_passes_every_test_is_no_flaw(runs: Runs) -> None:
    before = "`result` starts at 0 here.\nThe loop is over `range(1, n + 1)`.\nWe do `result += i`."
    after = before.replace("range(1, n + 1)", "range(0, n + 1)")
    program = plain(TOTAL.replace("range(1", "range(0"))
    with pytest.raises(Unconfirmed, match="passes every test"):
        certified(Claim("off_by_one", before, after, TOTAL, program), runs)


def test_a_program_without_end_is_no_flaw(runs: Runs) -> None:
    source = """\
def total(n):
    k = s = 0
    while k < n:
        k += 1
        s += k
    return s
"""
    before = "We go on while `k < n`.\nEach pass does `k += 1`.\nThe sum is in `s`."
    claim = Claim("wrong_invariant", before, before.replace("k += 1", "k = 1"), source,
                  plain(source.replace("k += 1", "k = 1")))  # fmt: skip
    with pytest.raises(Unconfirmed, match="has no end"):
        certified(claim, runs)
