"""What facts say of a variable is so, pass by pass, when the program runs."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from tests.perturb.code.programs import ROWS
from tests.perturb.code.truth import ROLES, refutations, run_stdin
from tests.perturb.code.watched_programs import FALSE, TRUE
from tracelift_groups.perturb.code.facts import facts_of
from tracelift_groups.perturb.code.program import Program

_SHORT = 300


def refuted(source: str, *calls: str) -> list[str]:
    """What calls of a program contradict of its facts."""
    found = []
    for fact in facts_of(Program(source)):
        if fact.form in ROLES:
            for call in calls:
                found += refutations(source, fact, lambda space, call=call: eval(call, space))
    return found


@pytest.mark.parametrize("name", TRUE)
def test_what_is_said_of_a_variable_is_so(name: str) -> None:
    form, source, calls = TRUE[name]
    assert form in [fact.form for fact in facts_of(Program(source))]
    assert refuted(source, *calls) == []


@pytest.mark.parametrize("name", TRUE)
def test_the_watch_refutes_a_program_that_the_fact_is_false_of(name: str) -> None:
    # The watch must be able to fail: it reads the true fact beside the untruth's program.
    form, source, calls = TRUE[name]
    (fact,) = (fact for fact in facts_of(Program(source)) if fact.form == form)
    (untruth,) = fact.untruths
    spoiled = _with_both(source, untruth.program or "")
    assert any(
        refutations(spoiled, fact, lambda space, call=call: eval(call, space)) for call in calls
    )


def _with_both(source: str, made: str) -> str:
    """The program whose loop spoils the state at the end of each pass, as the untruth would."""
    spoil = {"total": "total = 0", "best": "best = xs[-1]", "low": "low = xs[-1]",
             "odd": "odd = 1", "kept": "kept = 1", "seen": "seen.clear()",
             "place": "place[x] = 0", "count": "count[x] = 1", "out": "out.reverse()"}  # fmt: skip
    assert made and made != source
    tree = ast.parse(source)
    loop = next(node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While))
    name = next(name for name in spoil if f"{name} = " in source)
    loop.body += ast.parse(spoil[name]).body
    return ast.unparse(tree)


@pytest.mark.parametrize("name", FALSE)
def test_nothing_false_is_said_of_a_near_miss(name: str) -> None:
    source, calls = FALSE[name]
    assert refuted(source, *calls) == []


def _calls(row: dict[str, Any], space: dict[str, Any]) -> None:
    tests = row["tests"]
    names: dict[str, Any] = {}
    exec(tests["test_code"], names)
    names["check"](space[tests["entry_point"]])


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_nothing_false_is_said_of_the_bundled_programs(number: int) -> None:
    row = ROWS[number]
    source, found = row["solution"], list[str]()
    for fact in facts_of(Program(source)):
        if fact.form not in ROLES:
            continue
        if isinstance(row["tests"], dict):
            found += refutations(source, fact, lambda space: _calls(row, space))
        else:
            for test in row["tests"]:
                if len(test["input"]) < _SHORT:
                    found += run_stdin(source, fact, test["input"])
    assert found == []
