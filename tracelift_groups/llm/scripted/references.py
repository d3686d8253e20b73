"""What the scripted model replies when a problem is to be solved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tracelift_groups.llm.scripted.flaws import code_flaw, math_flaw
from tracelift_groups.llm.scripted.reading import Asked
from tracelift_groups.llm.scripted.rewordings import reworded_plan, reworded_sum
from tracelift_groups.perturb.math.numbers import plain
from tracelift_groups.perturb.math.trace import Problem, parse_trace
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.reference import code, math
from tracelift_groups.seeds import SeedSource, gsm8k, jsonl
from tracelift_groups.seeds.rows import read_rows, row_files

# Of every so many references one is reworded rather than the source's own text.
_REWORDED_SHARE = 0.5
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def known_seeds(file: Path | None) -> dict[str, Seed]:
    """The bundled seeds and those of a file, by problem.

    Args:
        file: Rows in GSM8K's layout or in any that ``--source jsonl`` reads; a folder of them too.

    Raises:
        UserError: The file cannot be read.
    """
    found = [*SeedSource("sample"), *SeedSource("sample-code")]
    if file is not None:
        found += _of_file(file)
    return {key_of(seed.problem): seed for seed in found if isinstance(seed, Seed)}


def key_of(problem: str) -> str:
    """What a problem is looked up by: its words."""
    return " ".join(problem.split())


def _of_file(file: Path) -> Iterator[Seed | Rejected]:
    for path in row_files(file):
        for row in read_rows(path):
            if isinstance(row, Rejected):
                yield row
            elif "####" in (row.text("answer") or "") and row.text("question"):
                yield gsm8k.seed(row)
            elif jsonl.domain_of(row, {}) == "code":
                yield jsonl.code_seed(row, {})
            else:
                yield jsonl.seed(row, {})


def solution(asked: Asked, seed: Seed | None, bad: bool, rng: Random) -> dict[str, str]:
    """Solve a problem: the source's own reasoning where the seed is known.

    Args:
        asked: The prompt.
        seed: The problem's seed, or None for a problem that is not known.
        bad: Come to a wrong end.
        rng: What is drawn at random.
    """
    if seed is None or seed.reasoning is None:
        return _honest_plan(asked) if asked.domain == "code" else _honest_sum(asked)
    if seed.domain == "code":
        return _code_solution(seed, bad, rng)
    return _math_solution(seed, bad, rng)


def _math_solution(seed: Seed, bad: bool, rng: Random) -> dict[str, str]:
    text, answer = math.clean(seed.reasoning or ""), seed.answer or ""
    if bad:
        template = next(one for one in load_templates("math") if one.id == "arithmetic_error")
        text = math_flaw(template, seed.problem, text, rng) or text
        ends_on = parse_trace(text, Problem(seed.problem)).answer
        right = _number(answer)
        if ends_on is None or plain(ends_on) == right:
            return {"reasoning": text, "answer": f"{right}0"}
        return {"reasoning": text, "answer": plain(ends_on)}
    if rng.random() < _REWORDED_SHARE:
        text = reworded_sum(seed.problem, text, "", rng)
    return {"reasoning": text, "answer": answer}


def _number(answer: str) -> str:
    return answer.replace(",", "").strip()


def _code_solution(seed: Seed, bad: bool, rng: Random) -> dict[str, str]:
    text, program = code.clean(seed.reasoning or ""), seed.reference_solution or ""
    if bad:
        templates = [one for one in load_templates("code") if "program_fails" in one.postconditions]
        made = code_flaw(rng.choice(templates), text, program, rng)
        if made and made.program:
            return {"reasoning": made.text, "program": made.program}
        return {"reasoning": text, "program": _without_last_line(program)}
    if rng.random() < _REWORDED_SHARE:
        text = reworded_plan(text, program, "", rng)
    return {"reasoning": text, "program": program}


def _without_last_line(program: str) -> str:
    return "\n".join(program.rstrip().split("\n")[:-1]) + "\n"


def _honest_sum(asked: Asked) -> dict[str, str]:
    """Add up whatever the problem gives, and double it: true arithmetic, hardly ever the answer."""
    values = [quantity.value for quantity in Problem(asked.problem).quantities][:6]
    if not values:
        return {"reasoning": "The problem gives no number, so 1 + 1 = 2 is a guess.", "answer": "2"}
    total, lines = values[0], []
    for value in values[1:]:
        lines.append(
            f"Together that makes {plain(total)} + {plain(value)} = {plain(total + value)}."
        )
        total += value
    lines.append(f"Counted both ways this is {plain(total)} * 2 = {plain(total * 2)}.")
    return {"reasoning": "\n".join(lines), "answer": plain(total * 2)}


def _honest_plan(asked: Asked) -> dict[str, str]:
    """A plan that reads the input and says it back."""
    reasoning = (
        "The input is read once, from the first value to the last, and each value is looked at in "
        "turn.\nWhat was read last is what matters most, so it is kept in `last`.\n"
        "When nothing is left to read, `last` is the result."
    )
    names = _IDENTIFIER.findall(asked.entry_point)
    if not names:
        program = "last = ''\nwhile True:\n    try:\n        last = input()\n    except EOFError:\n"
        return {"reasoning": reasoning, "program": f"{program}        break\nprint(last)\n"}
    if len(names) == 1:
        program = f"def {names[0]}(*values):\n    last = values\n    return last\n"
    else:
        program = (
            f"class {names[0]}:\n    def {names[-1]}(self, *values):\n"
            "        last = values\n        return last\n"
        )
    return {"reasoning": reasoning, "program": program}
