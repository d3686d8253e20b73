"""The README shows what is really printed: every figure and line of its blocks is found again."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import GSM8K_TRAIN, ROOT, Tlg

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found, f"no block {name}"
    return found[1].replace("```diff\n", "").replace("```text\n", "").replace("```", "").strip("\n")


def test_the_preview_is_the_printed_one(tlg: Tlg) -> None:
    printed = tlg("preview", "--source", "sample", "--groups", 2).stdout
    assert block("preview") in printed


def test_the_preview_of_a_program_is_the_printed_one(tlg: Tlg) -> None:
    printed = tlg("preview", "--source", "sample-code", "--groups", 1, "--kind", "off_by_one")
    if "cannot be isolated" in printed.stderr:
        pytest.skip(printed.stderr)
    assert block("preview-code") in printed.stdout


def test_the_commands_exist(tlg: Tlg) -> None:
    from tracelift_groups.cli import COMMANDS

    named = set(re.findall(r"`?tlg ([a-z-]+)", README))
    assert named <= set(COMMANDS)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not GSM8K_TRAIN.is_file(), reason="../shared/data is not here")
def test_the_result_is_the_real_one(tlg: Tlg, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("gsm8k") / "run"
    done = tlg("build", "--source", "gsm8k", "--seeds", GSM8K_TRAIN, "--out", out)
    assert done.returncode == 0, done.stderr
    for line in block("result").splitlines():
        assert line in done.stdout or line.startswith("  in ")
    manifest = json.loads((out / "manifest.json").read_text())
    counts, probes = manifest["counts"], manifest["probes"]
    share = {kind: n / counts["groups"] for kind, n in counts["groups_with_kind"].items()}
    assert counts["groups"] >= 6400
    assert counts["groups"] + counts["rejected"] == counts["seeds_read"] == 6743
    for kind in ("arithmetic_error", "wrong_operation", "premature_answer"):
        assert share[kind] >= 0.95
    assert share["unsupported_leap"] >= 0.8
    assert share["missing_condition"] >= 0.8
    assert share["unit_mismatch"] >= 0.45
    assert 0.4 <= probes["length"]["overall"] <= 0.6
    assert probes["bag_of_words"]["overall"] <= 0.65
