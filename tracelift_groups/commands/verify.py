"""`tlg verify`: replies to verdicts."""

from __future__ import annotations

from pathlib import Path

import click

_HELP = """Judge replies: mathematics by exact comparison, programs by running them in isolation.

FILE holds one JSON object a line:

\b
  {"id": "a", "domain": "math", "reply": "... \\\\boxed{72}", "answer": "72"}
  {"id": "b", "domain": "code", "reply": "...", "tests": [{"input": "3\\n", "output": "9\\n"}]}
  {"id": "c", "domain": "code", "reply": "...", "test_code": "assert add(1, 2) == 3",
   "entry_point": "add", "setup": ""}

The output holds one object for each, in the same order, with the keys id, verdict, valid, passed,
total and detail. A row that cannot be judged has valid = false: leave it out, it is no zero.

Example, to be pasted into a shell:

\b
  echo '{"id": 1, "domain": "math", "reply": "#### 5", "answer": "5"}' > replies.jsonl
  tlg verify replies.jsonl -o verdicts.jsonl
"""


@click.command("verify", help=_HELP)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File of verdicts; written when all rows are done.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Rows in progress at the same time.  [default: processors at hand]",
)
@click.option(
    "--sandbox-url",
    metavar="URL",
    help="Run programs on a server that speaks SandboxFusion's protocol.",
)
@click.option(
    "--unsafe-local-exec",
    is_flag=True,
    help="Run programs even where they cannot be isolated. Only for programs that you trust.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    file: Path,
    output: Path,
    workers: int | None,
    sandbox_url: str | None,
    unsafe_local_exec: bool,
    as_json: bool,
) -> None:
    """Verifies a file of replies."""
    import os
    import sys

    from tracelift_groups.verify.batch import RowVerifier, verify_file
    from tracelift_groups.verify.code import CodeVerifier
    from tracelift_groups.verify.math import MathVerifier
    from tracelift_groups.verify.progress import Progress
    from tracelift_groups.verify.sandbox.remote import RemotePool

    count = workers or len(os.sched_getaffinity(0) if sys.platform == "linux" else [0])

    def make_code() -> CodeVerifier:
        remote = RemotePool(sandbox_url) if sandbox_url else None
        return CodeVerifier(count, unsafe=unsafe_local_exec, runner=remote)

    verifier = RowVerifier(make_code, lambda: MathVerifier(count))
    progress = Progress("verify")
    try:
        summary = verify_file(file, output, verifier, workers=count, on_row=progress.row)
    finally:
        progress.close()
        verifier.close()
    if as_json:
        import json

        click.echo(json.dumps(summary._asdict()))
        return
    counts = ", ".join(f"{name} {n}" for name, n in summary.verdicts.items())
    isolation = f"; isolation: {summary.isolation}" if summary.isolation else ""
    click.echo(f"{summary.rows} rows: {counts}; invalid {summary.invalid}{isolation} -> {output}")
