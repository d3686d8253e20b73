"""Benchmark files of the field as problems: recognised by what their rows hold.

Readers give a problem's statement, and what decides whether it is solved; gold answers and
expected outputs never become part of a statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.benchmarks.code import evalplus, humaneval, mbpp
from tracelift_groups.grpo.benchmarks.livecodebench import livecodebench
from tracelift_groups.grpo.benchmarks.math import gsm8k, gsm_hard, math500, svamp
from tracelift_groups.grpo.benchmarks.row import Row, Unreadable
from tracelift_groups.grpo.problem import Problem, read_problems
from tracelift_groups.records import Rejected
from tracelift_groups.seeds.rows import read_rows


class Format(NamedTuple):
    """How a file is recognised and read.

    Attributes:
        fields: Its rows have all of these; the format with most that fit is taken.
        read: Makes a problem of a row, or raises :class:`Unreadable`.
    """

    fields: frozenset[str]
    read: Callable[[Row], Problem]


FORMATS: Mapping[str, Format] = {
    "gsm8k": Format(frozenset({"question", "answer"}), gsm8k),
    "gsm-hard": Format(frozenset({"input", "target"}), gsm_hard),
    "svamp": Format(frozenset({"Body", "Question", "Answer"}), svamp),
    "math500": Format(frozenset({"problem", "answer"}), math500),
    "humaneval": Format(frozenset({"prompt", "entry_point", "test"}), humaneval),
    "evalplus": Format(
        frozenset({"prompt", "entry_point", "canonical_solution", "base_input", "plus_input"}),
        evalplus,
    ),
    "mbpp": Format(frozenset({"text", "test_list"}), mbpp),
    "livecodebench": Format(
        frozenset({"question_content", "public_test_cases", "private_test_cases"}), livecodebench
    ),
}


class Benchmark(NamedTuple):
    """A file's problems.

    Attributes:
        name: Of the file, without its endings.
        format: Which of :data:`FORMATS`, or ``run``.
        problems: In the file's order.
        dropped: Rows that became no problem, by reason.
    """

    name: str
    format: str
    problems: list[Problem]
    dropped: Counter[str]


def read_benchmark(path: Path, format_name: str = "auto") -> Benchmark:
    """Read a benchmark file, or the validation split of a run folder.

    Args:
        path: JSON, JSONL or either of them gzipped; or a run folder.
        format_name: One of :data:`FORMATS`, ``run``, or ``auto`` to tell it from the first row.

    Raises:
        UserError: No such file, rows of no known format, or not one problem.
    """
    if path.is_dir():
        return Benchmark(path.name, "run", read_problems(path, "validation"), Counter())
    if not path.is_file():
        raise UserError("no such file or run folder", where=str(path))
    problems: list[Problem] = []
    dropped: Counter[str] = Counter()
    chosen = None if format_name == "auto" else FORMATS[format_name]
    for number, found in enumerate(read_rows(path)):
        if isinstance(found, Rejected):
            dropped[found.reason] += 1
            continue
        if chosen is None:
            format_name = recognise(found.values, str(path))
            chosen = FORMATS[format_name]
        try:
            problems.append(chosen.read(Row(found.values, number)))
        except Unreadable as error:
            dropped[str(error)] += 1
    if not problems:
        why = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "it is empty"
        raise UserError(f"no problem in it ({why})", where=str(path))
    return Benchmark(path.name.partition(".")[0], format_name, problems, dropped)


def recognise(row: Mapping[str, Any], where: str) -> str:
    """Return the format whose fields a row has, the most particular one.

    Raises:
        UserError: None fits.
    """
    fitting = [name for name, one in FORMATS.items() if one.fields <= row.keys()]
    if not fitting:
        raise UserError(
            f"rows with {', '.join(sorted(row))} are of no known format",
            where=where,
            way_out=f"name it with --format: {', '.join(FORMATS)}",
        )
    return max(fitting, key=lambda name: len(FORMATS[name].fields))
