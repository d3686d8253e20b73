"""The templates of ``perturbations/``: what a kind of flaw is, who can make it, what it costs.

A kind is one file, ``perturbations/<domain>/<kind>.yaml``. Operators and postconditions are named
there and looked up in the engine; a name that the engine does not know is an error at load.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.records import Domain, Label, Record, Severity

Position = Literal["early", "middle", "late"]


class OperatorChoice(Record):
    """An operator of the rule engine and how often it is tried first, relative to the others."""

    name: str
    weight: float = Field(gt=0)
    does: str


class SeverityScale(Record):
    """How bad a flaw is: the share of ``measure`` up to which it is minor, and moderate.

    ``answer``: relative change of the final answer. ``steps``: share of the parent's derivation
    steps (for code: of its sentences) that are gone. ``tests``: share of the tests that fail.
    """

    measure: Literal["answer", "steps", "tests"]
    minor: float = Field(ge=0)
    moderate: float = Field(ge=0)

    def grade(self, share: float) -> Severity:
        """Return the severity of a share (0 = nothing changed)."""
        if share <= self.minor:
            return "minor"
        return "moderate" if share <= self.moderate else "severe"


class Move(Record):
    """A correction of labels under a condition; every condition that is named must hold."""

    severity: Severity | None = None
    position: Position | None = None
    answer_changed: bool | None = None
    propagation: Literal["propagated", "local"] | None = None
    labels: dict[str, int]


class RubricRule(Record):
    """Labels of a flawed trace, before and after what this one did."""

    labels: dict[str, Label]
    severity: SeverityScale
    moves: tuple[Move, ...] = ()


class Limits(Record):
    """How far a model's flaw may be from the trace that it was made from.

    ``changed``: share of its words that may be new, numbers aside. ``shortest``, ``longest``:
    its words relative to its parent's.
    """

    changed: float = Field(default=0.35, gt=0, le=1)
    shortest: float = Field(default=0.6, ge=0, le=1)
    longest: float = Field(default=1.4, ge=1)


class Example(Record):
    """A worked example; a test runs the postconditions on it."""

    problem: str
    before: str
    after: str
    solution: str | None = None
    """For code: the program, and what it is tested by."""
    tests: str | None = None


class Template(Record):
    """One kind of flaw."""

    id: str
    domain: Domain
    title: str
    definition: str
    applies_when: str
    operators: tuple[OperatorChoice, ...]
    postconditions: tuple[str, ...] = Field(min_length=1)
    rubric: RubricRule
    instruction: str
    limits: Limits = Limits()
    example: Example

    @model_validator(mode="after")
    def _labels_known(self) -> Template:
        known = set(self.rubric.labels)
        for move in self.rubric.moves:
            if unknown := set(move.labels) - known:
                raise ValueError(f"a move names unknown dimensions: {', '.join(sorted(unknown))}")
        return self


def load_template(path: Path) -> Template:
    """Load one template.

    Raises:
        UserError: Not YAML, an unknown or missing field, or a file name that is not the id.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        template = Template.model_validate(raw)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"not valid YAML: {error}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise UserError(f"{field}: {first['msg']}", where=str(path)) from error
    _check_names(template, path)
    if template.id != path.stem:
        raise UserError(
            f"id '{template.id}' is not the file's name", where=str(path), way_out="rename one"
        )
    return template


def _check_names(template: Template, path: Path) -> None:
    """Refuse operators and postconditions that the engine does not know."""
    operators, postconditions = _engine_names(template.domain)
    named = (
        ("operators", [choice.name for choice in template.operators], operators),
        ("postconditions", list(template.postconditions), postconditions),
    )
    for field, names, known in named:
        for name in set(names) - known:
            raise UserError(
                f"{field}: unknown name '{name}'",
                where=str(path),
                way_out=f"one of {', '.join(sorted(known))}",
            )


def _engine_names(domain: Domain) -> tuple[frozenset[str], frozenset[str]]:
    """The operators and postconditions that a domain's engine has."""
    if domain == "math":
        from tracelift_groups.perturb.math import evidence
        from tracelift_groups.perturb.math.operators import OPERATORS

        return frozenset(OPERATORS), frozenset(evidence.POSTCONDITIONS)
    from tracelift_groups.perturb.code import evidence as code_evidence
    from tracelift_groups.perturb.code.operators import OPERATOR_NAMES

    return OPERATOR_NAMES, frozenset(code_evidence.POSTCONDITIONS)


@lru_cache(maxsize=8)
def load_templates(domain: Domain, folder: Path | None = None) -> tuple[Template, ...]:
    """Load every template of a domain, by name."""
    folder = folder or asset("perturbations", domain)
    templates = tuple(load_template(path) for path in sorted(folder.glob("*.yaml")))
    if not templates:
        raise UserError("no template (*.yaml) here", where=str(folder))
    dimensions = {tuple(template.rubric.labels) for template in templates}
    if len(dimensions) > 1:
        raise UserError("templates name different rubric dimensions", where=str(folder))
    return templates


def dimensions_of(domain: Domain) -> tuple[str, ...]:
    """Return the rubric dimensions of a domain, in order."""
    return tuple(load_templates(domain)[0].rubric.labels)
