"""HumanEval, MBPP, and EvalPlus' wider versions of both."""

from __future__ import annotations

import json
from textwrap import indent
from typing import Any

from tracelift_groups.grpo.benchmarks.row import Row, Unreadable
from tracelift_groups.grpo.problem import Problem

# In the trusted process: the reference gives the expected outputs there, where no program sees it.
# As EvalPlus does, floats agree within atol or, where that is 0, 1e-6; lists and tuples are alike,
# since the inputs lost that distinction in JSON.
_WIDER = """
import copy as _copy
from math import inf, nan
_names = {{}}
exec({reference!r}, _names)
_reference = _names[{entry_point!r}]
def _same(got, want):
    if isinstance(want, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(got) == len(want) and all(map(_same, got, want))
    if isinstance(want, float) or isinstance(got, float):
        try:
            return got == want or abs(got - want) <= {atol!r} + 1e-7 * abs(want)
        except TypeError:
            return False
    if type(want).__module__ == "re":  # a match: that there is one is what was asked
        return got is not None
    return got == want
_seen = 0
for _arguments in {inputs!r}:
    try:
        _want = _reference(*_copy.deepcopy(_arguments))
    except Exception:
        continue
    _seen += 1
    _got = {entry_point}(*_copy.deepcopy(_arguments))
    assert {condition}
if not _seen:
    pass
{asserts}
"""
_AGREE = "_same(_got, _want)"
# Any root will do: the reference's is one of several.
_ROOT = "abs(_names['poly'](_arguments[0], _got)) <= 1e-4"


def humaneval(row: Row) -> Problem:
    """``prompt``, ``test`` with a ``check(candidate)``, ``entry_point``."""
    prompt, entry_point = row.text("prompt"), row.text("entry_point")
    return _problem(
        row.name("humaneval", "task_id"),
        prompt,
        row.text("test"),
        entry_point,
        setup=_before(prompt, entry_point),
    )


def evalplus(row: Row) -> Problem:
    """HumanEval+ and MBPP+: inputs, and a reference that says what comes out."""
    entry_point, prompt = row.text("entry_point"), row.text("prompt")
    whole = defines(row.text("canonical_solution"), entry_point)
    reference = row.text("canonical_solution") if whole else prompt + row.text("canonical_solution")
    inputs = [*_inputs(row, "base_input"), *_inputs(row, "plus_input")]
    if not inputs:
        raise Unreadable("no inputs")
    test = _WIDER.format(
        reference=reference,
        entry_point=entry_point,
        inputs=inputs,
        atol=float(row.values.get("atol") or 0) or 1e-6,
        # Some references cannot take their inputs as JSON gives them; the file's asserts can.
        asserts=indent(str(row.values.get("assertion") or ""), "    "),
        condition=_ROOT if entry_point == "find_zero" else _AGREE,
    )
    setup = "" if whole else _before(prompt, entry_point)
    return _problem(row.name("evalplus", "task_id"), prompt, test, entry_point, setup=setup)


def mbpp(row: Row) -> Problem:
    """``text`` and asserts in ``test_list``.

    The first assert is shown: without it nobody knows what the function is called or takes. The
    others are not.
    """
    tests = row.values.get("test_list")
    if not isinstance(tests, list) or not all(isinstance(one, str) for one in tests) or not tests:
        raise Unreadable("no test_list")
    text = f"{row.text('text').strip()}\n\nFor example:\n{tests[0].strip()}"
    setup = row.values.get("test_setup_code") or ""
    return _problem(row.name("mbpp", "task_id"), text, "\n".join(tests), "", setup=setup)


def _before(prompt: str, entry_point: str) -> str:
    """Imports and helpers that a prompt defines: tests call them, a reply may leave them out."""
    return prompt.partition(f"def {entry_point}(")[0]


def defines(code: str, entry_point: str) -> bool:
    """Whether a solution defines the function itself, rather than go on from the prompt."""
    return f"def {entry_point}(" in code


def _inputs(row: Row, field: str) -> list[list[Any]]:
    value = row.values.get(field)
    if isinstance(value, str):  # some releases hold JSON text
        try:
            value = json.loads(value)
        except ValueError as error:
            raise Unreadable(f"{field} is no JSON") from error
    if value is None or isinstance(value, dict):
        return []
    if not isinstance(value, list) or not all(isinstance(one, list) for one in value):
        raise Unreadable(f"{field} is no list of arguments")
    return value


def _problem(name: str, text: str, test: str, entry_point: str, *, setup: str) -> Problem:
    tests = {"test_code": test, "entry_point": entry_point, "setup": setup}
    return Problem(name, "code", text, tests=json.dumps(tests))
