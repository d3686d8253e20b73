"""GSM8K, GSM-Hard (and what else PAL lays out like it), SVAMP and MATH500."""

from __future__ import annotations

from typing import Any

from tracelift_groups.grpo.benchmarks.row import Row, Unreadable
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.verify.math import gold_answer

PAL_TOLERANCE = 1e-3
"""GSM-Hard's golds come from floating point; PAL, its source, accepts what is that near."""


def gsm8k(row: Row) -> Problem:
    """``question`` and ``answer``, whose last line is ``#### N``."""
    gold = row.text("answer")
    return Problem(row.name("gsm8k"), "math", row.text("question"), gold_answer(gold))


def gsm_hard(row: Row) -> Problem:
    """``input`` and a number ``target``."""
    gold = _number(row.values.get("target"))
    return Problem(row.name("pal"), "math", row.text("input"), gold, tolerance=PAL_TOLERANCE)


def svamp(row: Row) -> Problem:
    """``Body`` and ``Question``, and a number ``Answer``."""
    body = row.text("Body").strip()
    stop = "" if body.endswith((".", "?", "!")) else "."
    text = f"{body}{stop} {row.text('Question').strip()}"
    gold = _number(row.values.get("Answer"))
    return Problem(row.name("svamp", "ID"), "math", text, gold, tolerance=PAL_TOLERANCE)


def math500(row: Row) -> Problem:
    """``problem`` and ``answer``, an expression in LaTeX."""
    gold = row.text("answer")
    return Problem(row.name("math500", "unique_id"), "math", row.text("problem"), gold)


def _number(value: Any) -> str:
    """A number as a gold answer: whole where it is whole.

    Raises:
        Unreadable: It is none.
    """
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise Unreadable("the answer is no number") from error
    if not number - number == 0:
        raise Unreadable("the answer is no number")
    return str(int(number)) if number == int(number) else f"{number:.12f}".rstrip("0")
