"""``tlg push``: groups or a model to the Hugging Face Hub."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click

_EXAMPLES = """
\b
Examples:
  tlg push runs/gsm8k me/gsm8k-groups --dry-run
  tlg push runs/gsm8k runs/ocr me/groups --private --tag v1
  tlg push exported/gsm8k-rm me/gsm8k-rm --report reports/gsm8k.md
"""


@click.command(epilog=_EXAMPLES)
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path), required=True)
@click.argument("repo_id")
@click.option("--private", is_flag=True, help="Of a repository that this makes.")
@click.option("--revision", metavar="BRANCH", help="A branch, made if need be.")
@click.option("--tag", help="Put on the commit.")
@click.option("--license", "license_name", help="Of problems of your own, if you may pass them on.")
@click.option("--allow-failed-audit", is_flag=True, help="The card will say so.")
@click.option(
    "--report", type=click.Path(path_type=Path), help="Of a model: eval-rm's .md, for its card."
)
@click.option("--dry-run", is_flag=True, help="List every file and print the card; upload nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    sources: tuple[Path, ...],
    repo_id: str,
    private: bool,
    revision: str | None,
    tag: str | None,
    license_name: str | None,
    allow_failed_audit: bool,
    report: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Upload run folders as one dataset (a configuration for each domain), or a model's folder.

    REPO_ID is user/name. Everything goes up in one commit; a second push of the same uploads
    nothing. The token is HF_TOKEN or what `hf auth login` stored. A run that is over a limit of
    the audit is refused, and so are texts whose licence does not let them be passed on.
    """
    from tracelift_groups.errors import UserError
    from tracelift_groups.publish.dataset import stage_dataset
    from tracelift_groups.publish.hub import push_folder, require_token, shown_files
    from tracelift_groups.publish.model import stage_model
    from tracelift_groups.store import MANIFEST

    if repo_id.count("/") != 1 or not all(repo_id.split("/")):
        raise UserError(f"{repo_id!r} is not of the form user/name", where="REPO_ID")
    if not dry_run:
        require_token()  # before the work
    for source in sources:
        if not source.is_dir():
            raise UserError("no such folder", where=str(source))
    is_dataset = all((source / MANIFEST).is_file() for source in sources)
    if not is_dataset and len(sources) > 1:
        raise UserError("several folders, not all of them runs", where=", ".join(map(str, sources)))
    with tempfile.TemporaryDirectory(prefix="tlg-push-") as name:
        folder = Path(name)
        if is_dataset:
            card = stage_dataset(
                sources,
                repo_id,
                folder,
                license_name=license_name,
                allow_failed_audit=allow_failed_audit,
                on_step=lambda step: click.echo(step, err=True) if sys.stderr.isatty() else None,
            )
        else:
            card = stage_model(sources[0], repo_id, folder, report)
        files = shown_files(folder)
        kind = "dataset" if is_dataset else "model"
        if dry_run:
            listed = [{"path": path, "bytes": size} for path, size in files]
            if as_json:
                click.echo(json.dumps({"kind": kind, "files": listed, "card": card}))
                return
            click.echo(f"a {kind}, {len(files)} files:")
            for path, size in files:
                click.echo(f"  {size:>12,}  {path}")
            click.echo(f"\n{card}")
            return
        done = push_folder(folder, repo_id, kind, private=private, revision=revision, tag=tag)
    outcome = {"url": done.url, "commit": done.commit, "changed": done.changed, "files": len(files)}
    told = (
        f"{len(files)} files in one commit" if done.changed else "the Hub has all of this already"
    )
    click.echo(json.dumps(outcome) if as_json else f"{told}: {done.url} ({done.commit[:12]})")
