"""A dataset's files: a configuration for each domain, the card, and how it all was made."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracelift_groups import store
from tracelift_groups.assets import asset
from tracelift_groups.audit.audit import audit
from tracelift_groups.audit.limits import load_limits
from tracelift_groups.errors import GateError, UserError
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.publish.sources import Source, source_of

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class Part(NamedTuple):
    """One run as a configuration of the dataset."""

    run: Path
    domain: str
    manifest: dict[str, Any]
    source: Source
    audit: dict[str, Any]
    audit_text: str


def stage_dataset(
    runs: Sequence[Path],
    repo_id: str,
    folder: Path,
    *,
    license_name: str | None = None,
    allow_failed_audit: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
) -> str:
    """Put what is to be uploaded into a folder, laid out as on the Hub.

    ``data/<domain>/<split>.parquet``, ``rejected/<domain>.jsonl``, ``manifests/<domain>.json``,
    ``audits/<domain>.json`` and ``README.md``. Equal runs give equal bytes.

    Returns:
        The card.

    Raises:
        UserError: No finished run, two of one domain, or texts that may not be given away.
        GateError: A run that is over a limit of the audit.
    """
    parts = [_part(run, license_name, allow_failed_audit, on_step) for run in runs]
    domains = [part.domain for part in parts]
    if len(set(domains)) < len(domains):
        raise UserError(
            "two runs of one domain", where=", ".join(map(str, runs)), way_out="push them apart"
        )
    parts.sort(key=lambda part: part.domain, reverse=True)  # math first, as most have it alone
    for part in parts:
        target = folder / "data" / part.domain
        target.mkdir(parents=True)
        for split, path in store.run_files(part.run).items():
            shutil.copyfile(path, target / f"{split}.parquet")
        for kind, text in (
            ("manifests", json.dumps(part.manifest, indent=2) + "\n"),
            ("audits", json.dumps(part.audit, indent=2) + "\n"),
        ):
            (folder / kind).mkdir(exist_ok=True)
            (folder / kind / f"{part.domain}.json").write_text(text, encoding="utf-8")
        rejected = part.run / store.REJECTED
        if rejected.is_file():
            (folder / "rejected").mkdir(exist_ok=True)
            shutil.copyfile(rejected, folder / "rejected" / f"{part.domain}.jsonl")
    card = render(parts, repo_id)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return card


def render(parts: Sequence[Part], repo_id: str) -> str:
    """Render ``data/hub_card.md.jinja``."""
    environment = Environment(
        loader=FileSystemLoader(asset("data")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, not HTML
        keep_trailing_newline=True,
    )
    total = sum(part.manifest["counts"]["groups"] for part in parts)
    licenses = sorted({part.source.license for part in parts})
    return environment.get_template("hub_card.md.jinja").render(
        parts=parts,
        repo_id=repo_id,
        licenses=licenses,
        size=next((name for most, name in _SIZES if total < most), "n>1M"),
        total=total,
        templates={
            template.id: template for part in parts for template in load_templates(part.domain)
        },
        commands={part.domain: rebuild_command(part.manifest) for part in parts},
    )


def rebuild_command(manifest: dict[str, Any]) -> str:
    """The command that builds the run again."""
    build = manifest["build"]
    words = ["tlg build --source", build["source"]["name"]]
    for file in build.get("inputs", []):
        words.append(f"--seeds {file['file']}")
    for name in ("engine", "reference", "rubric"):
        default = {"engine": "rule", "reference": "gold", "rubric": "template"}[name]
        if build.get(name, default) != default:
            words.append(f"--{name} {build[name]}")
    if "model" in build:
        words.append(f"--model {build['model']['name']}")
    if build["seed"]:
        words.append(f"--seed {build['seed']}")
    return " ".join([*words, "--out runs/mine"])


def _part(
    run: Path, license_name: str | None, allow_failed_audit: bool, on_step: Callable[[str], None]
) -> Part:
    store.run_files(run)
    manifest = store.read_manifest(run)
    assert manifest is not None  # run_files has looked
    source = source_of(manifest["build"]["source"]["name"], license_name, str(run))
    report, text = _audit(run, on_step)
    if not report["passed"] and not allow_failed_audit:
        raise GateError(
            f"{run} is over a limit of the audit: {'; '.join(report['failures'])}; nothing was "
            "uploaded (--allow-failed-audit uploads it, and the card says so)"
        )
    return Part(run, manifest["build"]["domain"], manifest, source, report, text)


def _audit(run: Path, on_step: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    """The run's audit: the one that lies there if it is of these very groups, else a new one."""
    digest = hashlib.sha256((run / store.MANIFEST).read_bytes()).hexdigest()
    known, text = store.read_json(run / store.AUDIT), run / store.AUDIT_TEXT
    if known is not None and known.get("manifest") == digest and text.is_file():
        return known, text.read_text(encoding="utf-8")
    on_step(f"auditing {run}")
    report = audit(list(groups_of(run)), load_limits(), recheck=100)
    return {**report.to_json(), "manifest": digest}, report.to_markdown()
