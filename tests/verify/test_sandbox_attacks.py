"""Every attack in every circumstance: its verdict, and that it reached nothing."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sandbox_benign import PROGRAMS as BENIGN
from sandbox_contexts import CONTEXTS, run_session
from sandbox_session import FUNCTIONS, PROGRAMS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs run on Linux only")

_FAST = {"as-is", "docker-user"}
_ATTACKS = {f"program:{a.name}": a for a in PROGRAMS} | {f"function:{a.name}": a for a in FUNCTIONS}
_CONTEXTS = [
    pytest.param(context, id=context.name, marks=[] if context.name in _FAST else pytest.mark.slow)
    for context in CONTEXTS
]


@pytest.fixture(scope="module", autouse=True)
def _sessions_side_by_side():
    """The fast sessions wait more than they compute, so they share the time."""
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda name: run_session("attacks", name), sorted(_FAST)))


def _answer(corpus, context):
    session = run_session(corpus, context.name)
    if session.skipped:
        pytest.skip(session.skipped)
    refusal = session.answer.get("refused", "")
    assert "a program could" not in refusal, "a layer is there and does not hold"
    if refusal:
        pytest.skip(f"this machine lacks a layer: {refusal}")
    return session.answer


@pytest.mark.parametrize("context", _CONTEXTS)
@pytest.mark.parametrize("name", _ATTACKS)
def test_attack_fails(context, name):
    found = _answer("attacks", context)["results"][name]
    assert found["broken"] == []
    assert found["verdict"] in _ATTACKS[name].verdicts, found["detail"]


@pytest.mark.parametrize("context", _CONTEXTS)
@pytest.mark.parametrize("name", [program.name for program in BENIGN])
def test_legitimate_program_passes(context, name):
    found = _answer("benign", context)["results"][name]
    assert found["verdict"] == "pass", found["detail"]


@pytest.mark.parametrize("context", _CONTEXTS)
def test_tier_is_the_strongest_there_is(context):
    assert _answer("benign", context)["tier"] == context.tier


def test_names_are_unique():
    assert len(_ATTACKS) == len(PROGRAMS) + len(FUNCTIONS)
