"""``tlg eval-rm``: a reward model on groups, or on reasoning that somebody else judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tracelift_groups.records import Group
    from tracelift_groups.rm.baselines import Baseline
    from tracelift_groups.rm.traces import JudgedTrace

_EXAMPLES = """
\b
Examples:
  tlg eval-rm models/rm --on runs/gsm8k -o reports/gsm8k
  tlg eval-rm models/rm --on chains.jsonl --format traces --bag-of-words-from runs/gsm8k
  tlg eval-rm models/rm --on ProcessBench/gsm8k.json --format processbench --json
  tlg eval-rm http://127.0.0.1:8001 --on runs/gsm8k --api-key-env RM_KEY

A file of judged traces has one object a line:
{"problem": "...", "reasoning": "...", "correct": true}
"""
_FORMATS = ("groups", "traces", "processbench", "mr-gsm8k", "prmbench")
_TOLD = 10


@click.command(epilog=_EXAMPLES)
@click.argument("rm", metavar="RM")
@click.option(
    "--on",
    "on",
    type=click.Path(path_type=Path),
    required=True,
    help="A run folder, or a file of groups or judged traces.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(_FORMATS),
    help="What the file holds; by default groups for .parquet and traces for others.",
)
@click.option("--split", default="validation", show_default=True, help="Of a run folder.")
@click.option(
    "--bag-of-words-from",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Also report a bag of words fitted on this run's train split; --on RUN gives its own.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first groups or traces.")
@click.option("--api-key-env", metavar="NAME", help="Where RM is a URL: variable with its key.")
@click.option("--device", help="Where RM is a folder: cpu, cuda, cuda:1.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="Write REPORT.md and REPORT.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
def command(
    rm: str,
    on: Path,
    layout: str | None,
    split: str,
    bag_of_words_from: Path | None,
    limit: int | None,
    api_key_env: str | None,
    device: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure a reward model.

    RM is a folder that train-rm or export-rm wrote, or the URL of a server such as serve-rm. Its
    figures stand beside those of cheap scores: length both ways, how sane the final number is, and
    a bag of words.
    """
    from tracelift_groups.commands.counting import counting_reporter
    from tracelift_groups.commands.extras import require_extra
    from tracelift_groups.errors import UserError
    from tracelift_groups.rm.baselines import SIMPLE, BagOfWords
    from tracelift_groups.store import run_files, write_atomically

    require_extra("train")
    from tracelift_groups.rm.evaluate import (
        GroupReport,
        TraceReport,
        evaluate_groups,
        evaluate_traces,
    )
    from tracelift_groups.rm.judge import load_judge
    from tracelift_groups.rm.report import as_data, headline, markdown

    if out is not None and not out.parent.is_dir():
        raise UserError("no such folder", where=str(out.parent), way_out="make it first")
    kind = layout or ("groups" if on.is_dir() or on.suffix == ".parquet" else "traces")
    judge = load_judge(
        rm,
        key_env=api_key_env,
        device=device,
        on_done=counting_reporter(sys.stderr, "eval-rm: scored"),
    )
    baselines: dict[str, Baseline] = dict(SIMPLE)
    words_from = bag_of_words_from or (on if on.is_dir() else None)
    if words_from is not None and "train" in run_files(words_from):
        baselines[BagOfWords.name] = BagOfWords.fit(_groups(words_from, "train"))
    report: GroupReport | TraceReport
    about = {"model": rm, "data": str(on), "format": kind}
    if kind == "groups":
        groups = _groups(on, split)[:limit]
        if on.is_dir():
            about["split"] = split
        report = evaluate_groups(judge, groups, baselines)
    else:
        traces, bad = _judged(on, kind)
        about["rows passed over"] = str(bad)
        report = evaluate_traces(judge, traces[:limit], baselines)
    data = {**about, **as_data(report)}
    if out is not None:
        base = out.with_suffix("") if out.suffix in (".md", ".json") else out
        text = markdown(report, "Reward model evaluation", about)
        write_atomically(base.with_name(base.name + ".md"), text)
        write_atomically(base.with_name(base.name + ".json"), json.dumps(data, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(data))
    else:
        click.echo(headline(report))
        if out is not None:
            click.echo(f"in {base}.md and {base}.json")


def _groups(source: Path, split: str) -> list[Group]:
    from tracelift_groups.errors import UserError
    from tracelift_groups.store import run_files
    from tracelift_groups.tables import read_groups

    if source.is_dir():
        files = run_files(source)
        if split not in files:
            raise UserError(
                f"no split '{split}'", where=str(source), way_out=f"one of {', '.join(files)}"
            )
        source = files[split]
    elif not source.is_file():
        raise UserError("no such file or run folder", where=str(source))
    groups = list(read_groups(str(source)))
    if not groups:
        raise UserError("no group in it", where=str(source))
    return groups


def _judged(source: Path, layout: str) -> tuple[list[JudgedTrace], int]:
    """The traces of a file, and how many rows were passed over; the first are told."""
    from tracelift_groups.errors import UserError
    from tracelift_groups.records import Rejected
    from tracelift_groups.rm.traces import read_traces

    traces: list[JudgedTrace] = []
    bad = 0
    for found in read_traces(source, layout):
        if isinstance(found, Rejected):
            bad += 1
            if bad <= _TOLD:
                click.echo(f"{found.where}: {found.detail}", err=True)
        else:
            traces.append(found)
    if bad > _TOLD:
        click.echo(f"... and {bad - _TOLD} more rows passed over", err=True)
    if len({trace.correct for trace in traces}) < 2:
        raise UserError(
            f"{len(traces)} traces, not both sound and flawed ones",
            where=str(source),
            way_out=f"is the format {layout}?",
        )
    return traces, bad
