"""`tlg doctor`: what works on this machine, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracelift_groups.errors import UserError

_HELP = """Say what works on this machine: isolation of programs, optional packages, GPU.

The Hugging Face Hub is asked only with --hub.

With --model, ask an endpoint a handful of tiny things: whether it keeps replies
to a JSON schema, samples, counts tokens.

With --serve-scripted, do nothing but serve the scripted model on this machine, in the OpenAI
protocol, until interrupted: an endpoint to try things with, as slow and as faulty as you like.
GET /stats beside it tells what reached it.

Example:

\b
  tlg doctor
  tlg doctor --json
  tlg doctor --model NAME --base-url http://localhost:8000/v1
  tlg doctor --serve-scripted --port 8123 --latency-ms 200 --faults 0.3
"""

_PACKAGES = {
    "numpy": "programs that use it run fast",
    "math_verify": "answers that are not numbers",
    "datasets": "reading and writing groups",
    "torch": "training",
    "transformers": "training",
    "accelerate": "training",
    "peft": "LoRA",
    "bitsandbytes": "QLoRA",
    "trl": "scaling out GRPO",
    "vllm": "fast generation",
    "ray": "build --backend ray",
    "wandb": "run logs",
}
_HUB_TIMEOUT_S = 5.0


def _packages() -> dict[str, str]:
    """Version of each optional package, "" for one that is missing; nothing is imported."""
    import importlib.metadata
    import importlib.util

    found = {}
    names = importlib.metadata.packages_distributions()
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            found[name] = ""
        else:
            found[name] = importlib.metadata.version(names[name][0]) if name in names else "yes"
    return found


def _gpus() -> list[str] | None:
    """Names and memory of the CUDA devices; None when torch is not installed or broken."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, OSError):
        return None
    gpus = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        gpus.append(f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    return gpus


def _hub() -> str:
    """Whether the Hub answers: "yes", or why not."""
    import os
    import urllib.error
    import urllib.request

    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=_HUB_TIMEOUT_S):
            return "yes"
    except urllib.error.HTTPError:
        return "yes"  # it answered
    except (OSError, ValueError) as error:
        return f"no: {error}"


def _print(report: dict[str, Any]) -> None:
    sandbox = report["sandbox"]
    click.echo(f"python      {report['python']}")
    click.echo(f"system      {report['system']}")
    verdict = sandbox["tier"] if sandbox["tier"] else f"REFUSED: {sandbox['refusal']}"
    click.echo(f"isolation   {verdict}")
    for name, state in sandbox["layers"].items():
        click.echo(f"  {name:<12}{state}")
    gpus = report["gpus"]
    shown = "unknown, torch is not installed" if gpus is None else "; ".join(gpus) or "none"
    click.echo(f"gpu         {shown}")
    click.echo("packages")
    for name, version in report["packages"].items():
        click.echo(f"  {name:<14}{version or 'missing':<14}{_PACKAGES[name]}")
    click.echo(f"hub         {report['hub'] or 'not asked (--hub)'}")
    if endpoint := report["endpoint"]:
        _print_endpoint(endpoint)


def _print_endpoint(endpoint: dict[str, Any]) -> None:
    click.echo(f"endpoint    {endpoint['model']} at {endpoint['url']}")
    replies = f"first in {endpoint['seconds']} s"
    if endpoint["failed"]:
        replies += f"; failed: {', '.join(endpoint['failed'])}"
    click.echo(f"  {'replies':<14}{replies}")
    click.echo(f"  {'JSON schemas':<14}{endpoint['schemas']}")
    greedy = "  GREEDY: asking again brings nothing new" if endpoint["samples"] == 1 else ""
    click.echo(f"  {'samples':<14}{endpoint['samples']} of 4 differ{greedy}")
    tokens = "counted" if endpoint["counts_tokens"] else "not counted: --max-cost cannot be kept"
    click.echo(f"  {'tokens':<14}{tokens}")
    if endpoint["refused"]:
        click.echo(f"  {'not taken':<14}{', '.join(endpoint['refused'])}")


def _serve(
    port: int, latency_ms: float, faults: float, fault_seed: int, seeds: Path | None
) -> None:
    """Serve the scripted model until told to stop."""
    from tracelift_groups.llm.scripted import ScriptedModel
    from tracelift_groups.llm.scripted.endpoint import Behaviour
    from tracelift_groups.llm.scripted.faults import Faults
    from tracelift_groups.llm.scripted.server import run

    behaviour = Behaviour(latency_s=latency_ms / 1000, faults=Faults(share=faults, seed=fault_seed))
    run(ScriptedModel(seeds), behaviour, say=click.echo, port=port)


@click.command("doctor", help=_HELP)
@click.option("--hub", is_flag=True, help="Ask whether the Hugging Face Hub can be reached.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--model", metavar="NAME", help="Ask this model a handful of tiny things.")
@click.option("--base-url", metavar="URL", help="Its endpoint; by default OpenAI's.")
@click.option(
    "--api-key-env",
    default="OPENAI_API_KEY",
    show_default=True,
    metavar="NAME",
    help="The environment variable that holds the key.",
)
@click.option("--serve-scripted", is_flag=True, help="Serve the scripted model, and nothing else.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the scripted model.  [default: one that is free]",
)
@click.option(
    "--latency-ms",
    type=click.FloatRange(min=0),
    default=0,
    help="Milliseconds that each of its replies takes.",
)
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0,
    help="Share of requests that meet with one of: 429, 500, no reply, a cut connection, a "
    "truncated, broken, empty or refused reply.",
)
@click.option(
    "--fault-seed",
    type=int,
    default=0,
    help="Draw other faults; the same seed draws the same again.",
)
@click.option(
    "--seeds",
    type=click.Path(path_type=Path, exists=True),
    help="Problems that it can solve besides the bundled ones: GSM8K's layout or ours.",
)
def command(
    hub: bool,
    as_json: bool,
    model: str | None,
    base_url: str | None,
    api_key_env: str,
    serve_scripted: bool,
    port: int,
    latency_ms: float,
    faults: float,
    fault_seed: int,
    seeds: Path | None,
) -> None:
    """Reports what works here."""
    if serve_scripted:
        _serve(port, latency_ms, faults, fault_seed, seeds)
    elif port or latency_ms or faults or fault_seed or seeds:
        raise UserError(
            "--port, --latency-ms, --faults, --fault-seed and --seeds are for the scripted model",
            way_out="add --serve-scripted",
        )
    elif base_url and not model:
        raise UserError("--base-url is for --model", way_out="add --model NAME")
    else:
        _report(hub, as_json, _endpoint(model, base_url, api_key_env) if model else None)


def _endpoint(model: str, base_url: str | None, api_key_env: str) -> dict[str, Any]:
    from tracelift_groups.llm.checkup import examine
    from tracelift_groups.llm.settings import OPENAI_URL, ModelSettings

    return examine(
        ModelSettings(model, base_url or OPENAI_URL, api_key_env=api_key_env, timeout_s=60.0)
    )


def _report(hub: bool, as_json: bool, endpoint: dict[str, Any] | None) -> None:
    import json
    import platform

    from tracelift_groups.verify.sandbox.diagnosis import diagnose

    found = diagnose()
    facts = found.facts
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{facts.system} {facts.kernel} {facts.machine}",
        "sandbox": {"tier": found.tier, "refusal": found.refusal, "layers": found.layers},
        "packages": _packages(),
        "gpus": _gpus(),
        "hub": _hub() if hub else "",
        "endpoint": endpoint,
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        _print(report)
