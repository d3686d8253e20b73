"""The options that say which model is asked and for what, shared by ``build`` and ``preview``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tracelift_groups.llm.opening import Script
    from tracelift_groups.llm.settings import ModelSettings

_OPTIONS = (
    click.option(
        "--engine",
        type=click.Choice(["rule", "llm", "auto"]),
        default="rule",
        show_default=True,
        help="Who makes twins and flaws: rules, a model, or rules where they certify and a model "
        "elsewhere.",
    ),
    click.option(
        "--reference",
        type=click.Choice(["gold", "generate"]),
        default="gold",
        show_default=True,
        help="The source's own reasoning, or a model's that the verifier or the tests confirm.",
    ),
    click.option(
        "--rubric",
        type=click.Choice(["template", "judge"]),
        default="template",
        show_default=True,
        help="Labels from the templates, or from judges.",
    ),
    click.option(
        "--model",
        "model_name",
        metavar="NAME",
        help="The model that writes, as the endpoint knows it; 'scripted' (or scripted:SEEDS_FILE) "
        "replies by rule, without any endpoint.",
    ),
    click.option("--base-url", metavar="URL", help="The endpoint; by default OpenAI's."),
    click.option(
        "--api",
        type=click.Choice(["chat", "completions"]),
        default="chat",
        show_default=True,
        help="Which of the two protocols.",
    ),
    click.option(
        "--api-key-env",
        default="OPENAI_API_KEY",
        show_default=True,
        metavar="NAME",
        help="The environment variable that holds the key.",
    ),
    click.option(
        "--judge",
        "judges",
        multiple=True,
        metavar="NAME",
        help="A model that judges (may be given repeatedly); by default the one that writes.",
    ),
    click.option(
        "--judge-samples",
        type=click.IntRange(1, 16),
        default=1,
        show_default=True,
        help="Rubric judgements of each judge for a trace.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(1, 64),
        default=4,
        show_default=True,
        help="References to ask for before a seed is given up.",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0, 2),
        default=0.7,
        show_default=True,
        help="Of the model that writes.",
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(min=16),
        default=4096,
        show_default=True,
        help="Most tokens of a reply.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=64,
        show_default=True,
        help="Most calls under way; the endpoint's 429 lowers it for a while.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=300.0,
        show_default=True,
        help="Seconds for one attempt at a call.",
    ),
    click.option(
        "--attempts",
        type=click.IntRange(1, 100),
        default=8,
        show_default=True,
        help="How often a call is tried before it is given up.",
    ),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Where answers are kept, so that none is paid twice; by default in the run folder.",
    ),
    click.option(
        "--prices",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="What models cost (YAML, as data/prices.yaml).",
    ),
    click.option(
        "--max-cost",
        type=click.FloatRange(min=0, min_open=True),
        metavar="USD",
        help="Stop once this command has spent so much; the same command goes on.",
    ),
    click.option(
        "--max-calls",
        type=click.IntRange(min=1),
        metavar="N",
        help="Stop once this command has made so many calls; the same command goes on.",
    ),
)


def model_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the model options to a command, which gets ``plan`` and ``model``.

    ``plan`` is a :class:`~tracelift_groups.plan.Plan`; ``model`` says where it is asked, and is
    None where no model is.
    """

    @functools.wraps(function)
    def command(
        *,
        engine: str,
        reference: str,
        rubric: str,
        model_name: str | None,
        base_url: str | None,
        api: str,
        api_key_env: str,
        judges: tuple[str, ...],
        judge_samples: int,
        samples: int,
        temperature: float,
        max_tokens: int,
        concurrency: int,
        timeout: float,
        attempts: int,
        cache: Path | None,
        prices: Path | None,
        max_cost: float | None,
        max_calls: int | None,
        **others: Any,
    ) -> None:
        from tracelift_groups.errors import UserError
        from tracelift_groups.llm.opening import SCRIPTED, Script
        from tracelift_groups.llm.settings import OPENAI_URL, ModelSettings
        from tracelift_groups.plan import Plan

        name, colon, file = (model_name or "").partition(":")
        scripted = name == SCRIPTED and base_url is None
        plan = Plan(
            engine=engine,  # type: ignore[arg-type]  # click has checked these
            reference=reference,  # type: ignore[arg-type]
            rubric=rubric,  # type: ignore[arg-type]
            model=SCRIPTED if scripted else model_name,
            api=api,  # type: ignore[arg-type]
            temperature=temperature,
            max_tokens=max_tokens,
            samples=samples,
            judges=judges,
            judge_samples=judge_samples,
        )
        model: ModelSettings | Script | None = None
        if scripted:
            if max_cost is not None:
                raise UserError(
                    "the scripted model costs nothing", where="--max-cost", way_out="drop it"
                )
            if colon and not Path(file).is_file():
                raise UserError(f"no such file: {file}", where="--model scripted:FILE")
            model = Script(Path(file) if colon else None, max_calls)
        elif plan.asks:
            model = ModelSettings(
                model=plan.author,
                base_url=base_url or OPENAI_URL,
                api=plan.api,
                api_key_env=api_key_env,
                timeout_s=timeout,
                concurrency=concurrency,
                attempts=attempts,
                cache=cache,
                prices=prices,
                max_cost=max_cost,
                max_calls=max_calls,
            )
        function(plan=plan, model=model, **others)

    decorated: Callable[..., None] = command
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
