"""docs/planner.md names what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.grpo.tiny import PROBLEMS, make_planner, recipe_for, spaces
from tracelift_groups.grpo.recipe import load_planner_recipe
from tracelift_groups.grpo.train import train

PAGE = (ROOT / "docs" / "planner.md").read_text(encoding="utf-8")


def named(head: str) -> list[str]:
    """The names in the first column of a table."""
    rows = PAGE.partition(head)[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(.*?)`", row.split("|")[1])]


def test_keys_of_recipes() -> None:
    keys = named("| key | what it does |")
    assert len(keys) > 20
    section = ""
    for key in keys:
        name = key.partition("=")[0]
        section = section if name.startswith(".") else name.rpartition(".")[0]
        here: Any = load_planner_recipe("qwen2.5-1.5b-lora")
        for part in (f"{section}{name}" if name.startswith(".") else name).split("."):
            if part != "*":
                assert part in type(here).model_fields, key
                here = getattr(here, part)


def test_figures_of_a_step(tmp_path: Path) -> None:
    recipe = recipe_for(make_planner(tmp_path / "start"), steps=1, evaluate={"every": 1})
    train(PROBLEMS, PROBLEMS, recipe, spaces, tmp_path / "out")
    logged = json.loads((tmp_path / "out" / "metrics.jsonl").read_text())
    figures = named("| figure | what it says |")
    assert set(figures) - {"uplift", "baseline", "rm"} <= set(logged)  # needs an executor
    assert set(logged) <= {*figures, "step", "lr", "loss", "grad_norm"}


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((\.\./[^)]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
