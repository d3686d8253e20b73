"""Which of the prompts a request holds, and what stands in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from tracelift_groups.perturb.template import Template, load_templates
from tracelift_groups.records import Domain

Stage = Literal["reference", "twin", "perturb", "pair", "judge"]

# How the files of prompts/ begin.
_OPENINGS: dict[str, Stage] = {
    "You make material for training": "perturb",
    "Reword the reasoning": "twin",
    "Two reasonings for the same problem": "pair",
    "Judge the reasoning": "judge",
    "Solve the problem, and write down the reasoning": "reference",
    "Plan a Python 3 program": "reference",
}
# What only the prompts about programs say.
_ABOUT_PROGRAMS = re.compile(
    r"\APlan a Python 3|program follows from it\.$|^program, and for the right reasons", re.M
)
_MANNER = re.compile(r"the same (?:results|program follows from it)\.\n- (.*)")
_ENTRY_POINT = re.compile(r"^The tests call `([^`\n]+)`\.$", re.M)
_DIMENSION = re.compile(r"^(\w+): ", re.M)


@dataclass(frozen=True)
class Asked:
    """A prompt that was recognised.

    Attributes:
        stage: Which one.
        domain: What the problem is about; a pair does not say.
        problem: The problem's text.
        texts: The reasoning that is asked about, or the two of a pair; none for a reference.
        template: For a flaw, its kind.
        program: For a flaw in a plan, the program that follows from the sound one.
        wants_program: Whether the reply is to hold a program.
        manner: For a twin, how it is to be reworded.
        entry_point: For a program, what the tests call; "" for standard input.
        dimensions: For a judge, what is scored.
    """

    stage: Stage
    problem: str
    domain: Domain = "math"
    texts: tuple[str, ...] = ()
    template: Template | None = None
    program: str | None = None
    wants_program: bool = False
    manner: str = ""
    entry_point: str = ""
    dimensions: tuple[str, ...] = field(default=())


def read_prompt(prompt: str) -> Asked | None:
    """Recognise a prompt of the model engine; None for any other text."""
    stage = next(
        (stage for opening, stage in _OPENINGS.items() if prompt.startswith(opening)), None
    )
    problem = _tagged("problem", prompt)
    if stage is None or problem is None:
        return None
    names = ("reasoning-a", "reasoning-b") if stage == "pair" else ("reasoning",)
    template = _templates().get(_tagged("kind", prompt) or "") if stage == "perturb" else None
    program = _tagged("program", prompt) if stage == "perturb" else None
    code = program is not None or _ABOUT_PROGRAMS.search(prompt) is not None
    manner, entry_point = _MANNER.search(prompt), _ENTRY_POINT.search(prompt)
    return Asked(
        stage=stage,
        domain=template.domain if template else "code" if code else "math",
        problem=problem,
        texts=tuple(_tagged(name, prompt) or "" for name in names) if stage != "reference" else (),
        template=template,
        program=program,
        wants_program='"program": "<' in prompt,
        manner=manner[1] if manner else "",
        entry_point=entry_point[1] if entry_point else "",
        dimensions=tuple(_DIMENSION.findall(_tagged("dimensions", prompt) or "")),
    )


def _tagged(name: str, prompt: str) -> str | None:
    match = re.search(rf"^<{name}>\n?(.*?)\n?</{name}>$", prompt, re.M | re.S)
    return match[1] if match else None


@lru_cache(maxsize=1)
def _templates() -> dict[str, Template]:
    return {one.id: one for one in (*load_templates("math"), *load_templates("code"))}
