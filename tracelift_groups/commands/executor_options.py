"""The options that say which frozen executor works from a reasoning."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--executor",
        required=True,
        metavar="URL|local:DIR",
        help="The frozen executor: an OpenAI-compatible endpoint, or a folder of transformers.",
    ),
    click.option("--executor-model", metavar="NAME", help="Its name at the endpoint."),
    click.option(
        "--executor-api",
        type=click.Choice(["chat", "completions"]),
        default="chat",
        show_default=True,
        help="Which of the two protocols.",
    ),
    click.option(
        "--executor-key-env",
        default="OPENAI_API_KEY",
        show_default=True,
        metavar="NAME",
        help="The environment variable that holds the endpoint's key.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=64,
        show_default=True,
        help="Most calls of the executor under way.",
    ),
    click.option(
        "--device", metavar="NAME", help="Of local models; by default the GPU where there is one."
    ),
)


def executor_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the executor's options to a command, which gets ``executor``, a ``ModelChoice``.

    The command also gets ``device``.
    """

    @functools.wraps(function)
    def command(
        *,
        executor: str,
        executor_model: str | None,
        executor_api: str,
        executor_key_env: str,
        concurrency: int,
        device: str | None,
        **others: Any,
    ) -> None:
        from tracelift_groups.commands.extras import require_extra
        from tracelift_groups.grpo.models import LOCAL, ModelChoice

        if executor.startswith(LOCAL):
            require_extra("train")
        choice = ModelChoice(
            executor,
            executor_model,
            api=executor_api,  # type: ignore[arg-type]  # click has checked it
            api_key_env=executor_key_env,
            concurrency=concurrency,
            device=device,
        )
        function(executor=choice, device=device, **others)

    decorated: Callable[..., None] = command
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
