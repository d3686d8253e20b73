"""OpenCodeReasoning: many responses to each question, of which some become seeds.

Columns, all of them text: ``id`` (of the question, shared by its responses), ``input`` (the
statement, or "-" in split_1), ``output`` (a response with ``<think>…</think>`` and a program),
``solution`` (its program), ``dataset``, ``split`` and in split_1 ``index`` (where the question is
from), and ``source``, ``license``, ``difficulty``, which are not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds.examples import examples
from tracelift_groups.seeds.opencodereasoning_join import Joins, NoStatementError
from tracelift_groups.seeds.responses import fenced_program, take_apart, without_code
from tracelift_groups.seeds.rows import Row, missing
from tracelift_groups.seeds.testcases import bind, read_tests

AUTHOR = "DeepSeek-R1"
NAME = "opencodereasoning"
COLUMNS = ("id", "input", "output", "solution", "dataset", "split", "index")


def seeds(
    rows: Iterable[Row | Rejected], joins: Joins, responses: int = 1
) -> Iterator[Seed | Rejected]:
    """Yield the first usable responses to each question, in the order of the rows.

    A response that cannot be used is rejected, and the next one to its question is tried. A
    question without a statement is rejected once. Responses beyond the number that is asked for
    are passed over. What is kept in memory is a number for each question.

    Args:
        rows: The rows.
        joins: Where statements and tests come from.
        responses: Seeds of one question; from the second on, their variant is "2", "3", …
    """
    taken = Counter[str]()
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        question = (row.text("id") or "").strip()
        if not question:
            yield missing(row, "id")
            continue
        if taken[question] >= responses:
            continue
        try:
            problem = joins.statement(row)
        except NoStatementError as error:
            taken[question] = responses
            yield _reject(row, "no_statement", f"question {question}: {error}")
            continue
        made = _seed(row, problem, joins)
        if isinstance(made, Seed):
            taken[question] += 1
            number = taken[question]
            yield made if number == 1 else made.model_copy(update={"variant": str(number)})
        else:
            yield made


def _seed(row: Row, problem: str, joins: Joins) -> Seed | Rejected:
    """Turn a response into a seed."""
    output = row.text("output") or ""
    if not output.strip():
        return missing(row, "output")
    parts = take_apart(output)
    if parts is None:
        return _reject(row, "no_think", "no </think> in 'output'", problem)
    reasoning = without_code(parts.thinking)
    if not reasoning:
        return _reject(row, "no_think", "nothing but code between the tags", problem)
    program = row.text("solution") or ""
    program = fenced_program(program) or program
    if not program.strip():
        program = fenced_program(parts.reply) or ""
    if not program.strip():
        return _reject(row, "no_code", "no 'solution', no fenced program in 'output'", problem)
    tests = joins.tests(row, problem) or _example_tests(problem)
    return Seed(
        source=NAME,
        domain="code",
        problem=problem,
        reasoning=reasoning,
        reference_solution=program,
        tests=bind(tests, program),
        author=AUTHOR,
        where=row.where,
    )


def _example_tests(problem: str) -> str | None:
    return read_tests([example._asdict() for example in examples(problem)])


def _reject(row: Row, reason: str, detail: str, problem: str | None = None) -> Rejected:
    return Rejected(seed_id=None, where=row.where, reason=reason, detail=detail, problem=problem)
