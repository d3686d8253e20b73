"""Prompts for model calls: Jinja files of ``prompts/``, rendered with nothing left undefined."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracelift_groups.assets import asset


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(asset("prompts")),
        undefined=StrictUndefined,
        autoescape=False,  # the reader is a model, not a browser
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_prompt(name: str, **values: object) -> str:
    """Render ``prompts/<name>.jinja``.

    Raises:
        jinja2.UndefinedError: The prompt uses a value that was not given.
    """
    return _environment().get_template(f"{name}.jinja").render(**values).strip()
