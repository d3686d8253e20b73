"""Files of reasoning whose correctness somebody judged: the real errors to be measured on.

Four layouts, each a reader that gives the same :class:`JudgedTrace`:

* ``traces`` - ours: ``problem`` (or ``question``), ``reasoning``, ``correct``; ``model`` where
  known. A closing sentence that only states the answer ("The answer is 5.") is taken off: traces
  are reasoning alone, in training as in use.
* ``processbench`` - ``problem``, ``steps``, ``label`` (first wrong step from 0, -1 for none),
  ``generator``; Zheng et al. 2024, dataset card of Qwen/ProcessBench.
* ``mr-gsm8k`` - ``question``, ``model_output_steps``, ``model_output_solution_correctness``
  (correct or wrong), ``model_output_solution_first_error_step`` (from 1, or N/A),
  ``question_type``; Zeng et al. 2023, README of dvlab-research/MR-GSM8K.
* ``prmbench`` - ``original_question``, ``original_process``, ``modified_question``,
  ``modified_process``, ``error_steps`` (from 1, empty for none), ``classification``; Song et al.
  2025, dataset card of hitsmy/PRMBench_Preview. A row gives two traces, the original and the
  modified process.

JSON Lines (``.gz`` too), Parquet, and ``.json`` files that hold one list, as ProcessBench and
MR-GSM8K are published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected
from tracelift_groups.seeds.rows import Row, malformed, missing, read_rows

_ANSWER_SENTENCE = re.compile(
    r"(?:(?<=[.!?\n])|^)\s*(?:(?:so|thus|therefore|hence)\b,?\s*)?"
    r"the (?:final )?answer is\b[^\n]*\s*$",
    re.IGNORECASE,
)


class JudgedTrace(NamedTuple):
    """A reasoning text with a verdict from outside."""

    problem: str
    reasoning: str
    correct: bool
    where: str
    """``file:line``."""
    steps: tuple[str, ...] = ()
    """The text's steps where they are judged one by one; joined with line breaks otherwise."""
    first_error: int | None = None
    """The first wrong step, from 0."""
    tag: str = ""
    """What the file distinguishes its traces by: model, question type, class of error."""


class _BadRowError(Exception):
    """What is wrong with a row, in words."""


def read_traces(path: Path, layout: str) -> Iterator[JudgedTrace | Rejected]:
    """Yield the traces of a file; a row that is none is a ``Rejected`` with file and line.

    Args:
        path: The file.
        layout: One of :data:`LAYOUTS`.

    Raises:
        UserError: No such file, or one that cannot be read at all.
    """
    if not path.is_file():
        raise UserError("no such file", where=str(path))
    read = LAYOUTS[layout]
    for row in read_rows(path):
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            yield from read(row)
        except _BadRowError as error:
            yield malformed(row.where, str(error))


def without_answer_sentence(reasoning: str) -> str:
    """Take off a closing sentence that states the answer, unless nothing else is there."""
    return _ANSWER_SENTENCE.sub("", reasoning).rstrip() or reasoning


def _traces(row: Row) -> Iterator[JudgedTrace]:
    correct = row.values.get("correct")
    if not isinstance(correct, bool):
        raise _BadRowError(f"field 'correct' is {correct!r}, not true or false")
    yield JudgedTrace(
        problem=_text(row, "problem", "question"),
        reasoning=without_answer_sentence(_text(row, "reasoning")),
        correct=correct,
        where=row.where,
        tag=row.text("model") or "",
    )


def _processbench(row: Row) -> Iterator[JudgedTrace]:
    steps = _steps(row, "steps")
    label = row.values.get("label")
    if isinstance(label, bool) or not isinstance(label, int) or not -1 <= label < len(steps):
        raise _BadRowError(f"field 'label' is {label!r}, not -1 or one of the {len(steps)} steps")
    yield _stepwise(
        row, _text(row, "problem"), steps, None if label == -1 else label, tag="generator"
    )


def _mr_gsm8k(row: Row) -> Iterator[JudgedTrace]:
    steps = _steps(row, "model_output_steps")
    verdict = row.text("model_output_solution_correctness")
    if verdict not in ("correct", "wrong"):
        raise _BadRowError(
            f"field 'model_output_solution_correctness' is {verdict!r}, not correct or wrong"
        )
    first_error = None
    if verdict == "wrong":
        value = row.text("model_output_solution_first_error_step") or ""
        if not value.isdecimal() or not 1 <= int(value) <= len(steps):
            raise _BadRowError(
                f"field 'model_output_solution_first_error_step' is {value!r}, "
                f"not one of the {len(steps)} steps"
            )
        first_error = int(value) - 1
    yield _stepwise(row, _text(row, "question"), steps, first_error, tag="question_type")


def _prmbench(row: Row) -> Iterator[JudgedTrace]:
    original = _steps(row, "original_process")
    modified = _steps(row, "modified_process")
    errors = row.values.get("error_steps")
    if not isinstance(errors, list) or not all(
        isinstance(step, int) and 1 <= step <= len(modified) for step in errors
    ):
        raise _BadRowError(
            f"field 'error_steps' is {errors!r}, not a list of the {len(modified)} steps"
        )
    yield _stepwise(row, _text(row, "original_question"), original, None, tag="classification")
    yield _stepwise(
        row,
        _text(row, "modified_question"),
        modified,
        min(errors) - 1 if errors else None,
        tag="classification",
    )


LAYOUTS: dict[str, Callable[[Row], Iterator[JudgedTrace]]] = {
    "traces": _traces,
    "processbench": _processbench,
    "mr-gsm8k": _mr_gsm8k,
    "prmbench": _prmbench,
}


def _stepwise(
    row: Row, problem: str, steps: tuple[str, ...], first_error: int | None, *, tag: str
) -> JudgedTrace:
    return JudgedTrace(
        problem=problem,
        reasoning="\n".join(steps),
        correct=first_error is None,
        where=row.where,
        steps=steps,
        first_error=first_error,
        tag=row.text(tag) or "",
    )


def _text(row: Row, *names: str) -> str:
    for name in names:
        if value := (row.text(name) or "").strip():
            return value
    raise _BadRowError(missing(row, names[0]).detail)


def _steps(row: Row, name: str) -> tuple[str, ...]:
    steps = row.values.get(name)
    if not isinstance(steps, list) or not steps:
        raise _BadRowError(f"field '{name}' is no list of steps")
    if not all(isinstance(step, str) and step.strip() for step in steps):
        raise _BadRowError(f"field '{name}' has a step that is empty or no text")
    return tuple(steps)
