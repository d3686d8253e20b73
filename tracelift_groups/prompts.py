"""Prompts for model calls: Jinja files of ``prompts/``, rendered with nothing left undefined."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateSyntaxError

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError

_SUFFIX = ".jinja"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(asset("prompts")),
        undefined=StrictUndefined,
        autoescape=False,  # the reader is a model, not a browser
        trim_blocks=True,
        lstrip_blocks=True,
    )


def prompt_source(name: str) -> str:
    """Return the text of a prompt: ``prompts/<name>.jinja``, or a file whose path ends in .jinja.

    Raises:
        UserError: No such file.
    """
    path = Path(name) if name.endswith(_SUFFIX) else Path(asset("prompts", f"{name}{_SUFFIX}"))
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"no such prompt ({error.strerror})",
            where=name,
            way_out=f"name one of prompts/ or give the path of a {_SUFFIX} file",
        ) from error


@lru_cache(maxsize=32)
def _template(name: str) -> Template:
    if not name.endswith(_SUFFIX):
        return _environment().get_template(f"{name}{_SUFFIX}")
    try:
        return _environment().from_string(prompt_source(name))
    except TemplateSyntaxError as error:
        raise UserError(f"line {error.lineno}: {error.message}", where=name) from error


def render_prompt(name: str, **values: object) -> str:
    """Render a prompt of ``prompts/`` by name, or a ``.jinja`` file by its path.

    Raises:
        UserError: No such file, or no template.
        jinja2.UndefinedError: The prompt uses a value that was not given.
    """
    return _template(name).render(**values).strip()
