"""`tlg doctor`: what works on this machine, and what is missing."""

from __future__ import annotations

from typing import Any

import click

_HELP = """Say what works on this machine: isolation of programs, optional packages, GPU.

The Hugging Face Hub is asked only with --hub.

Example:

\b
  tlg doctor
  tlg doctor --json
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


@click.command("doctor", help=_HELP)
@click.option("--hub", is_flag=True, help="Ask whether the Hugging Face Hub can be reached.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(hub: bool, as_json: bool) -> None:
    """Reports what works here."""
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
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        _print(report)
