"""What a model writes about programs: the program that it says to follow is run."""

from __future__ import annotations

import pytest

from tests.perturb.llm.problems import (
    HIGHEST_PLAN,
    HIGHEST_PROGRAM,
    LOWEST,
    LOWEST_PLAN,
    LOWEST_PROGRAM,
    code_template,
    lowest_desk,
    lowest_reference,
)
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.llm.desk import Flaw, Unsuitable
from tracelift_groups.perturb.llm.shapes import Perturbed, PerturbedPlan

NO_GUARD_PLAN = LOWEST_PLAN.split("\n", 1)[1]
NO_GUARD = LOWEST_PROGRAM.replace("    if not xs:\n        return 0\n", "")
VAGUE = (
    "If there is nothing to look at, the function is done at once.\n"
    "Otherwise we start with the first one.\n"
    "The loop takes every number in turn and keeps the better one.\n"
    "When the loop has ended we are done."
)


def flaw(runs: Runs, kind: str, plan: str, program: str | None) -> Flaw:
    reply = (
        Perturbed(reasoning=plan)
        if program is None
        else PerturbedPlan(reasoning=plan, program=program)
    )
    return lowest_desk(runs).flaw(code_template(kind), lowest_reference(runs).trace, reply)


def test_the_program_that_follows_is_run(runs: Runs) -> None:
    made = flaw(runs, "wrong_algorithm", HIGHEST_PLAN, f"```python\n{HIGHEST_PROGRAM}```")
    assert not made.proven
    certificate = made.certificate
    assert (certificate.kind, certificate.operator) == ("wrong_algorithm", "model")
    assert certificate.method == "executed"
    assert certificate.program is not None
    assert certificate.program.strip() == HIGHEST_PROGRAM.strip()
    assert (certificate.expected, certificate.got) == ("1", "3")
    assert "[3, 1, 2]" in (certificate.input or "")
    assert (certificate.step, certificate.before, certificate.after) == (2, "min", "max")
    assert certificate.severity == "moderate"  # two of four tests
    assert certificate.answer_changed


def test_a_guard_that_is_gone(runs: Runs) -> None:
    made = flaw(runs, "missing_edge_case", NO_GUARD_PLAN, NO_GUARD)
    assert made.certificate.severity == "minor"
    assert made.certificate.before.startswith("If `xs` is empty")
    assert (made.certificate.start, made.certificate.after) == (0, "")
    assert "IndexError" in (made.certificate.got or "")


def test_a_vague_plan_needs_no_program(runs: Runs) -> None:
    made = flaw(runs, "vague_pseudo_solution", VAGUE, None)
    assert not made.proven
    assert (made.certificate.method, made.certificate.program) == ("judged", None)
    assert not made.certificate.answer_changed


OTHER_LAYOUT = LOWEST_PROGRAM.replace("best = min(best, x)", "best = min( best,x )  # lower")
REFUSED = {
    "passes every test": ("wrong_algorithm", HIGHEST_PLAN,
        LOWEST_PROGRAM.replace("for x in xs:", "for x in xs[1:]:"), "not_the_kind"),
    "has no end": ("wrong_algorithm", HIGHEST_PLAN,
        LOWEST_PROGRAM.replace("best = min(best, x)", "xs.append(x)"), "not_the_kind"),
    "is the verified one": ("wrong_algorithm", HIGHEST_PLAN, OTHER_LAYOUT, "same_program"),
    "does not parse": ("wrong_algorithm", HIGHEST_PLAN, "def lowest(xs:", "program_does_not_parse"),
    "null byte": ("wrong_algorithm", HIGHEST_PLAN, "a = 1\x00", "program_does_not_parse"),
    "guard is there": ("missing_edge_case", NO_GUARD_PLAN, HIGHEST_PROGRAM, "not_the_kind"),
    "not vague": ("vague_pseudo_solution", HIGHEST_PLAN, None, "not_the_kind"),
    "text as it was": ("wrong_algorithm", LOWEST_PLAN, HIGHEST_PROGRAM, "unchanged"),
    "nothing but a program": ("wrong_algorithm", f"```python\n{HIGHEST_PROGRAM}```",
        HIGHEST_PROGRAM, "empty"),
    "too much new": ("off_by_one", VAGUE, HIGHEST_PROGRAM, "not_local"),
    "told": ("wrong_algorithm", HIGHEST_PLAN.replace("becomes", "wrongly becomes"),
        HIGHEST_PROGRAM, "giveaway"),
    "a list where there was none": ("wrong_algorithm",
        "\n".join(f"- {line}" for line in HIGHEST_PLAN.split("\n")), HIGHEST_PROGRAM, "style"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_such_flaw(name: str, runs: Runs) -> None:
    kind, plan, program, reason = REFUSED[name]
    with pytest.raises(Unsuitable) as unsuitable:
        flaw(runs, kind, plan, program)
    assert unsuitable.value.reason == reason


def test_the_programs_own_words_are_not_the_reasoning(runs: Runs) -> None:
    plan = f"{HIGHEST_PLAN}\n\nHere is the code:\n```python\n{HIGHEST_PROGRAM}```"
    made = flaw(runs, "wrong_algorithm", plan, HIGHEST_PROGRAM)
    assert made.trace.text == HIGHEST_PLAN


TWIN = """\
An empty `xs` is dealt with first, and 0 is what is returned then.
We begin with `best = xs[0]`, the number that stands first.
Then `for x in xs:` looks at each number, and `min(best, x)` is kept as the new `best`.
At the end of the loop `return best` gives the result."""


def test_a_twin_may_quote_the_program_in_its_own_layout(runs: Runs) -> None:
    desk = lowest_desk(runs)
    twin = desk.twin(TWIN.replace("min(best, x)", "min( best,x )"))
    assert not twin.proven
    assert twin.trace.steps[0].startswith("An empty")
    assert desk.twin(TWIN.replace(" `for x in xs:`", " the loop"))
    assert desk.twin(TWIN.replace("`min(best, x)`", "`min((best), (x))`"))
    assert (desk.problem, desk.program) == (LOWEST, LOWEST_PROGRAM)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TWIN.replace("xs[0]", "xs[1]"), "unsound"),
        (TWIN.replace("min(best, x)", "max(best, x)"), "unsound"),
        (TWIN.replace("`best`.", "`worst`."), "unsound"),
        (TWIN.replace("`best`.", "`) unclosed (`."), "unsound"),
        (LOWEST_PLAN, "unchanged"),
        ("Take the lowest.", "length"),
        ("", "empty"),
        ("x" * 60_001, "too_long"),
    ],
)
def test_a_twin_that_is_none(text: str, reason: str, runs: Runs) -> None:
    with pytest.raises(Unsuitable) as unsuitable:
        lowest_desk(runs).twin(text)
    assert unsuitable.value.reason == reason


def test_hostile_quotes_break_nothing(runs: Runs) -> None:
    for code in ("(" * 5_000, "-" * 5_000 + "1", "9" * 5_000, "\x00", "lambda: " * 900):
        with pytest.raises(Unsuitable):
            lowest_desk(runs).twin(TWIN.replace("`best`.", f"`{code}`."))
