"""Templates: each shipped one loads, a new one is a file, a broken one is told by its field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.perturb.word_problems import BAKERY, BAKERY_TEXT, KINDS, template
from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.perturb.math.evidence import POSTCONDITIONS
from tracelift_groups.perturb.math.operators import OPERATORS
from tracelift_groups.perturb.template import (
    SeverityScale,
    dimensions_of,
    load_template,
    load_templates,
)
from tracelift_groups.prompts import render_prompt

SHIPPED = asset("perturbations", "math")
DIMENSIONS = (
    "problem_understanding",
    "solution_strategy",
    "step_coherence",
    "calculation_correctness",
    "answer_support",
)


def written(folder: Path, name: str = "new_kind", **changes: Any) -> Path:
    """A copy of a shipped template under another name, with fields replaced (None: taken out)."""
    raw = yaml.safe_load((SHIPPED / "wrong_operation.yaml").read_text())
    raw = {**raw, "id": name, **changes}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in raw.items() if value is not None}))
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as refusal:
        load_template(path)
    assert refusal.value.where == str(path)
    assert str(refusal.value).startswith(f"{path}: ")
    return refusal.value.what


def test_the_six_kinds_of_word_problems_are_shipped() -> None:
    assert KINDS == (
        "arithmetic_error",
        "missing_condition",
        "premature_answer",
        "unit_mismatch",
        "unsupported_leap",
        "wrong_operation",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_template_names_what_the_engine_knows(kind: str) -> None:
    one = load_template(SHIPPED / f"{kind}.yaml")
    assert one.domain == "math"
    assert {choice.name for choice in one.operators} <= set(OPERATORS)
    assert set(one.postconditions) <= set(POSTCONDITIONS)
    assert tuple(one.rubric.labels) == DIMENSIONS
    assert one.rubric.severity.minor < one.rubric.severity.moderate
    assert min(one.rubric.labels.values()) < 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_template_renders_as_a_prompt(kind: str) -> None:
    one = template(kind)
    prompt = render_prompt(
        "perturb",
        template=one,
        problem=BAKERY,
        trace=BAKERY_TEXT,
        program=None,
        wants_program=False,
    )
    for part in (
        one.title,
        one.definition,
        one.instruction,
        one.example.after,
        BAKERY,
        BAKERY_TEXT,
    ):
        assert part in prompt
    assert "{{" not in prompt


def test_dimensions_are_those_of_the_templates_in_order() -> None:
    assert dimensions_of("math") == DIMENSIONS


def test_a_new_kind_is_one_new_file(tmp_path: Path) -> None:
    written(tmp_path, "thirteenth")
    written(tmp_path, "another")
    assert [one.id for one in load_templates("math", tmp_path)] == ["another", "thirteenth"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no template"):
        load_templates("math", tmp_path)


def test_templates_with_different_dimensions_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "one")
    rubric = {"labels": {"taste": 1}, "severity": {"measure": "answer", "minor": 0, "moderate": 1}}
    written(tmp_path, "two", rubric=rubric)
    with pytest.raises(UserError, match="different rubric dimensions"):
        load_templates("math", tmp_path)


def test_an_id_unlike_the_files_name_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path).rename(tmp_path / "other.yaml")
    assert refused(path) == "id 'new_kind' is not the file's name"


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("id: [broken\ndomain: math\n")
    assert refused(path).startswith("not valid YAML: ")


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list\n"])
def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text(text)
    assert refused(path).startswith("(file): ")


_SEVERITY = {"measure": "answer", "minor": 0.1, "moderate": 0.5}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"title": None}, "title"),
        ({"domain": "physics"}, "domain"),
        ({"postconditions": []}, "postconditions"),
        ({"operators": [{"name": "x", "weight": 0, "does": "y"}]}, "operators.0.weight"),
        ({"operators": [{"name": "x", "weight": 1, "does": "y", "if": 1}]}, "operators.0.if"),
        ({"rubric": {"labels": {"a": 5}, "severity": _SEVERITY}}, "rubric.labels.a"),
        ({"rubric": {"labels": {"a": 1}, "severity": {**_SEVERITY, "measure": "mood"}}},
         "rubric.severity.measure"),
        ({"rubric": {"labels": {"a": 1}, "severity": _SEVERITY,
                     "moves": [{"severity": "awful", "labels": {"a": 1}}]}},
         "rubric.moves.0.severity"),
        ({"example": {"problem": "p", "before": "b"}}, "example.after"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    assert refused(written(tmp_path, **changes)).startswith(f"{field}: ")


def test_a_move_of_an_unknown_dimension_is_named(tmp_path: Path) -> None:
    rubric = {
        "labels": {"taste": 1},
        "severity": _SEVERITY,
        "moves": [{"severity": "minor", "labels": {"smell": 1}}],
    }
    assert "unknown dimensions: smell" in refused(written(tmp_path, rubric=rubric))


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0, "minor"), (0.25, "minor"), (0.26, "moderate"), (0.75, "moderate"), (0.76, "severe")],
)
def test_severity_is_graded_by_share(share: float, severity: str) -> None:
    scale = SeverityScale(measure="answer", minor=0.25, moderate=0.75)
    assert scale.grade(share) == severity
