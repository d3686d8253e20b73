"""``tlg eval-planner``: what a planner's reasoning changes for a frozen executor, on benchmarks."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelift_groups.commands.executor_options import executor_options

if TYPE_CHECKING:
    from tracelift_groups.grpo.benchmarks import Benchmark
    from tracelift_groups.grpo.evaluate import Outcome, Protocol
    from tracelift_groups.grpo.models import ModelChoice
    from tracelift_groups.grpo.settings import RewardSettings

_EXAMPLES = """
\b
Examples:
  tlg eval-planner --planner local:planners/mine --executor local:models/executor \\
      --on runs/gsm8k -o report
  tlg eval-planner --planner http://localhost:8002/v1 --planner-model mine \\
      --executor http://localhost:8000/v1 --executor-model Qwen/Qwen3-4B \\
      --on gsm8k/test.jsonl --on HumanEval.jsonl.gz -o report
"""
FORMAT_NAMES = "auto gsm8k gsm-hard svamp math500 humaneval evalplus mbpp livecodebench run".split()


@click.command(epilog=_EXAMPLES)
@click.option("--planner", required=True, metavar="URL|local:DIR", help="Who writes reasoning.")
@click.option("--planner-model", metavar="NAME", help="Its name at the endpoint.")
@click.option(
    "--planner-key-env",
    default="OPENAI_API_KEY",
    show_default=True,
    metavar="NAME",
    help="The environment variable that holds that endpoint's key.",
)
@executor_options
@click.option(
    "--on",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A benchmark file (.json, .jsonl, .gz) or a run folder; may be given repeatedly.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(FORMAT_NAMES),
    default="auto",
    show_default=True,
    help="Of the files; by default told from their rows. HumanEval+ and MBPP+ are evalplus.",
)
@click.option("--limit", type=click.IntRange(min=1), help="The first problems of each only.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 2),
    default=0.0,
    show_default=True,
    help="Of the planner.",
)
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Most tokens of a reasoning (512; code 1024)."
)
@click.option("--prompt", default="planner", show_default=True, help="Or a .jinja file's path.")
@click.option("--prefill", is_flag=True, help="The planner goes on from the opening tag.")
@click.option(
    "--repeats",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Executor runs with the reasoning, and without.",
)
@click.option(
    "--executor-temperature",
    type=click.FloatRange(0, 2),
    help="By default 0 for one run and 0.5 for several.",
)
@click.option("--executor-max-tokens", type=click.IntRange(min=1), help="64; programs 1024.")
@click.option("--executor-prompt", default="executor", show_default=True, help="Or a .jinja path.")
@click.option("--examples", "shown", type=int, default=5, show_default=True, help="In the report.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where replies are kept; by default beside the report. The same command goes on.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Write OUT.json and OUT.md as well."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    planner: str,
    planner_model: str | None,
    planner_key_env: str,
    executor: ModelChoice,
    device: str | None,
    files: tuple[Path, ...],
    layout: str,
    limit: int | None,
    temperature: float,
    max_tokens: int | None,
    prompt: str,
    prefill: bool,
    repeats: int,
    executor_temperature: float | None,
    executor_max_tokens: int | None,
    executor_prompt: str,
    shown: int,
    cache: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure how often an executor succeeds with a planner's reasoning, and without it.

    GSM8K, GSM-Hard, SVAMP, MATH500, HumanEval(+), MBPP(+) and LiveCodeBench files are recognised
    by their rows; of a run folder the validation split is taken. Success comes with the paired
    difference of both sides and its interval. Failed calls are left out and counted; a planner
    that gives no usable reasoning has not helped.
    """
    from tracelift_groups.commands.extras import require_extra
    from tracelift_groups.errors import UserError
    from tracelift_groups.grpo.benchmarks import read_benchmark
    from tracelift_groups.grpo.evaluate import Protocol, markdown
    from tracelift_groups.grpo.models import LOCAL, ModelChoice
    from tracelift_groups.grpo.settings import RewardSettings
    from tracelift_groups.store import write_atomically

    if planner.startswith(LOCAL):
        require_extra("train")
    if out is not None and not out.parent.is_dir():
        raise UserError("no such folder", where=str(out.parent), way_out="make it first")
    benchmarks = [_limited(read_benchmark(path, layout), limit) for path in files]
    usual, plain = Protocol(), RewardSettings()
    protocol = Protocol(
        temperature=temperature,
        max_tokens_math=max_tokens or usual.max_tokens_math,
        max_tokens_code=max_tokens or usual.max_tokens_code,
        prompt=prompt,
        prefill=prefill,
        repeats=repeats,
    )
    warm = 0.0 if repeats == 1 else plain.temperature
    settings = RewardSettings(
        temperature=warm if executor_temperature is None else executor_temperature,
        max_tokens_math=executor_max_tokens or plain.max_tokens_math,
        max_tokens_code=executor_max_tokens or plain.max_tokens_code,
        executor_prompt=executor_prompt,
    )
    chosen = ModelChoice(
        planner,
        planner_model,
        api_key_env=planner_key_env,
        concurrency=executor.concurrency,
        device=device,
    )
    base = out.with_suffix("") if out is not None and out.suffix in (".md", ".json") else out
    kept = cache or (base.with_name(f"{base.name}.sqlite") if base else None)
    found = asyncio.run(_run(benchmarks, chosen, executor, settings, protocol, kept))
    about = {"planner": planner_model or planner, "executor": executor.name or executor.spec}
    reports = _reports(benchmarks, found)
    data = {**about, "protocol": vars(protocol), "executor_temperature": settings.temperature}
    data |= {"benchmarks": reports, "examples": _examples(benchmarks, found, shown)}
    if base is not None:
        write_atomically(base.with_name(f"{base.name}.json"), json.dumps(data, indent=2) + "\n")
        write_atomically(base.with_name(f"{base.name}.md"), markdown(reports, about))
    click.echo(json.dumps(data) if as_json else _headline(reports))
    if base is not None and not as_json:
        click.echo(f"in {base}.md and {base}.json")


def _limited(benchmark: Benchmark, limit: int | None) -> Benchmark:
    if benchmark.dropped:
        rows = ", ".join(f"{count} {reason}" for reason, count in benchmark.dropped.items())
        click.echo(f"{benchmark.name}: rows left out: {rows}", err=True)
    return benchmark._replace(problems=benchmark.problems[:limit])


async def _run(
    benchmarks: list[Benchmark],
    planner: ModelChoice,
    executor: ModelChoice,
    settings: RewardSettings,
    protocol: Protocol,
    cache: Path | None,
) -> list[list[Outcome]]:
    from tracelift_groups.commands.counting import counting_reporter
    from tracelift_groups.grpo.evaluate import run_benchmark
    from tracelift_groups.grpo.executor import Executor
    from tracelift_groups.grpo.verifier import Verifier

    found = []
    async with planner.open(cache) as writes, executor.open(cache) as works:
        with Verifier() as verifier:
            runner = Executor(works, verifier, settings)
            for one in benchmarks:
                report = counting_reporter(sys.stderr, f"eval-planner: {one.name}")
                width = max(8, executor.concurrency)
                found.append(
                    await run_benchmark(one, writes, runner, protocol, width=width, on_done=report)
                )
    return found


def _reports(benchmarks: list[Benchmark], found: list[list[Outcome]]) -> dict[str, dict[str, Any]]:
    """A report for each benchmark, and over all of their problems together."""
    from tracelift_groups.grpo.evaluate import report_of

    reports = {
        one.name: {"format": one.format, "dropped": dict(one.dropped), **report_of(outcomes)}
        for one, outcomes in zip(benchmarks, found, strict=True)
    }
    if len(found) > 1:
        reports["micro average"] = report_of([one for outcomes in found for one in outcomes])
    return reports


def _examples(
    benchmarks: list[Benchmark], found: list[list[Outcome]], count: int
) -> dict[str, list[dict[str, Any]]]:
    from tracelift_groups.grpo.evaluate import examples

    pairs = zip(benchmarks, found, strict=True)
    return {one.name: examples(outcomes, count) for one, outcomes in pairs}


def _headline(reports: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, one in reports.items():
        if one["uplift"] is None:
            lines.append(f"{name}: nothing is known of its {one['problems']} problems")
            continue
        value, low, high = (100 * part for part in one["uplift"])
        lines.append(
            f"{name}: {100 * one['with_reasoning'][0]:.1f} % with reasoning, "
            f"{100 * one['without_reasoning'][0]:.1f} % without, uplift {value:+.1f} "
            f"({low:+.1f} {high:+.1f}) on {one['problems'] - one['invalid']} problems"
        )
        unusable = {kind: n for kind, n in one["formats"].items() if kind != "ok"}
        odd = [f"{n} {kind}" for kind, n in unusable.items()]
        odd += [f"{one['leaked']} leaked"] if one["leaked"] else []
        odd += [f"{one['invalid']} invalid"] if one["invalid"] else []
        lines += [f"  {', '.join(odd)}"] if odd else []
    return "\n".join(lines)
