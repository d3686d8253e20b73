from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tracelift_groups.assets import FOLDERS, asset, asset_root
from tracelift_groups.errors import UserError
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.prompts import render_prompt


def tracked(folder: str) -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", folder], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return set(done.stdout.split())


@pytest.mark.parametrize("folder", FOLDERS)
def test_asset_folders_hold_no_python(folder: str) -> None:
    assert not list((asset_root() / folder).rglob("*.py"))


def test_an_asset_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="no such asset: data/nope"):
        asset("data", "nope")


@pytest.mark.slow
def test_the_wheel_carries_every_tracked_asset_and_nothing_else_at_top_level(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in FOLDERS:
        for name in tracked(folder):
            assert f"tracelift_groups/_assets/{name}" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tracelift_groups"}


@pytest.mark.parametrize("template", load_templates("math"), ids=lambda template: template.id)
def test_every_template_renders_as_a_prompt(template: object) -> None:
    text = render_prompt(
        "perturb",
        template=template,
        problem="How many?",
        trace="1 + 1 = 2",
        program=None,
        wants_program=False,
    )
    assert template.title in text  # type: ignore[attr-defined]
    assert "How many?" in text


def test_modules_stay_small() -> None:
    """A module over 400 lines is split where the data splits."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "tracelift_groups").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_imports_point_one_way() -> None:
    """records <- stages <- build <- commands: no stage imports what is built on it."""
    above = {
        "perturb": ("groups", "build", "store", "commands", "formats", "tables", "seeds"),
        "seeds": ("perturb", "groups", "build", "store", "commands", "formats"),
        "audit": ("build", "commands", "groups"),
    }
    for stage, forbidden in above.items():
        for path in (ROOT / "tracelift_groups" / stage).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for name in forbidden:
                assert f"from tracelift_groups.{name}" not in text, f"{path} imports {name}"
    records = (ROOT / "tracelift_groups" / "records.py").read_text(encoding="utf-8")
    assert "from tracelift_groups" not in records
