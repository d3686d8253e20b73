"""A model's files: the folder that ``tlg export-rm`` or ``tlg train-planner`` wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tracelift_groups.errors import UserError

_KEPT = (".safetensors", ".json", ".txt", ".model", ".jinja", ".yaml", ".md")
_NOT = ("metrics.jsonl", "samples.jsonl")


def stage_model(source: Path, repo_id: str, folder: Path, report: Path | None) -> str:
    """Copy what is to be uploaded; the report of ``tlg eval-rm`` goes into the card.

    Returns:
        The card.

    Raises:
        UserError: Not a model's folder, or one without a card.
    """
    if not (source / "config.json").is_file():
        raise UserError(
            "neither a run folder nor a model's", where=str(source), way_out="see tlg push --help"
        )
    card = source / "README.md"
    if not card.is_file():
        if not (source / "planner.json").is_file():
            raise UserError(
                "the folder has no card",
                where=str(source),
                way_out="push what tlg export-rm writes: it is checked after saving",
            )
        text = _planner_card(source, repo_id)
    else:
        text = card.read_text(encoding="utf-8").replace(
            f"# {source.resolve().name}", f"# {repo_id}"
        )
        text = text.replace(f'"{source.resolve().name}"', f'"{repo_id}"')
    if report is not None:
        if not report.is_file():
            raise UserError("no such file", where=str(report))
        text = f"{text.rstrip()}\n\n{report.read_text(encoding='utf-8').replace('# ', '## ', 1)}"
    for path in sorted(source.iterdir()):
        if path.is_file() and path.suffix in _KEPT and path.name not in _NOT:
            shutil.copyfile(path, folder / path.name)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return text


def _planner_card(source: Path, repo_id: str) -> str:
    info = json.loads((source / "planner.json").read_text(encoding="utf-8"))
    figures = "".join(
        f"| {name} | {info['first'][name]:.3f} | {info['last'][name]:.3f} |\n"
        for name in ("reward", "success", "uplift", "rm")
        if name in info.get("first", {}) and name in info.get("last", {})
    )
    table = f"\n| | first steps | last steps |\n|---|---|---|\n{figures}" if figures else ""
    return (
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        "tags: [reasoning, planner, grpo, tracelift-groups]\n---\n"
        f"# {repo_id}\n\nA planner: it writes the reasoning that an executor works from. "
        f"Trained with tracelift-groups {info['version']}, {info['steps']} steps over "
        f"{info['problems']} problems; `recipe.yaml` has every setting.\n{table}"
    )
