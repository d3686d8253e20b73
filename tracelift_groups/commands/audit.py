"""``tlg audit``: can something cheap tell sound from flawed?"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tracelift_groups.audit.audit import Report

_EXAMPLES = """
\b
Examples:
  tlg audit runs/gsm8k
  tlg audit runs/gsm8k --against gsm8k/test.jsonl --recheck all
  tlg audit published.jsonl -o audits
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--split", help="Only the groups of this split; then no leak is looked for.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    multiple=True,
    help="An evaluation file that no problem may repeat (may be given repeatedly).",
)
@click.option(
    "--recheck",
    default="100",
    show_default=True,
    metavar="N|all|none",
    help="Groups whose certificates are derived again; programs are run for that.",
)
@click.option("--limits", type=click.Path(path_type=Path), help="Limits, as data/audit.yaml.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of audit.json and audit.md; by default the run folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    source: Path,
    split: str | None,
    against: tuple[Path, ...],
    recheck: str,
    limits: Path | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Probe groups for shortcuts, duplicates, leaks and labels; exit 1 over a limit.

    SOURCE is a run folder, a .parquet file of groups or a .jsonl file in the published layout.
    Probes order the sound and flawed traces of a group by something that has nothing to do with
    the reasoning, fitted on other problems. Of more than 1,500 groups a sample is probed.
    """
    from tracelift_groups.audit.audit import audit
    from tracelift_groups.audit.limits import load_limits
    from tracelift_groups.errors import GateError, UserError
    from tracelift_groups.groupfiles import groups_of
    from tracelift_groups.store import AUDIT, AUDIT_TEXT, MANIFEST, write_atomically

    chosen = load_limits(limits)
    report = audit(
        list(groups_of(source, split)),
        chosen,
        seed=seed,
        against=against,
        recheck=_count(recheck),
        on_step=_progress(),
    )
    folder = out or (source if source.is_dir() else None)
    if folder is not None:
        if not folder.is_dir():
            raise UserError("no such folder", where=str(folder), way_out="make it first")
        data = report.to_json()
        if source.is_dir() and (source / MANIFEST).is_file():  # so that a push knows it is of these
            data["manifest"] = hashlib.sha256((source / MANIFEST).read_bytes()).hexdigest()
        write_atomically(folder / AUDIT, json.dumps(data, indent=2) + "\n")
        write_atomically(folder / AUDIT_TEXT, report.to_markdown())
    click.echo(json.dumps(report.to_json()) if as_json else _summary(report, folder))
    if not report.passed:
        raise GateError(f"over the limit: {'; '.join(report.failures)}")


def _count(text: str) -> int | None:
    from tracelift_groups.errors import UserError

    if text == "all":
        return None
    if text == "none":
        return 0
    if not text.isdecimal():
        raise UserError("not a number, all or none", where=f"--recheck {text}")
    return int(text)


def _progress() -> Callable[[str], None]:
    began = time.monotonic()
    terminal = sys.stderr.isatty()

    def on_step(step: str) -> None:
        if terminal:
            seconds = time.monotonic() - began
            sys.stderr.write(f"\r\x1b[Kaudit: {step.replace('_', ' ')}, {seconds:.0f} s")
            sys.stderr.flush()

    return on_step


def _summary(report: Report, folder: Path | None) -> str:
    lines = [f"{report.balance['groups']} groups of {report.domain}, {report.probed} probed"]
    for name, one in report.probes.items():
        value, low, high = one.overall
        limit = report.limits.overall.get(name)
        shown = "" if limit is None else f"  limit {limit:.2f}"
        note = f"  {one.note}" if one.note else ""
        lines.append(
            f"  {name.replace('_', ' '):18}{value:.3f} ({low:.3f} {high:.3f}){shown}{note}"
        )
    if not report.probes:
        lines.append("  too few groups to probe")
    lines += [
        f"  {one.name.replace('_', ' ')}: {one.found} of {one.checked}" for one in report.findings
    ]
    lines.append("within all limits" if report.passed else "over a limit")
    if folder is not None:
        lines.append(f"in {folder}/audit.md and {folder}/audit.json")
    return "\n".join(lines)
