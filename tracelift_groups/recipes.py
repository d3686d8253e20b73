"""Recipes: YAML files read into frozen models, unknown keys refused, ``key=value`` overrides.

Shipped recipes lie in ``rm/``; the first comment line of each is the command that runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError


class Section(BaseModel):
    """A mapping in a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")


M = TypeVar("M", bound=Section)


def read_recipe(shape: type[M], name: str, overrides: Sequence[str], *folder: str) -> M:
    """Read a recipe by shipped name (``tiny``) or path, and apply ``dotted.key=value`` overrides.

    Values are read as YAML: ``optim.lr=1e-4``, ``lora=null``, ``loss.ranking.form=listwise``.

    Args:
        shape: What it must be.
        name: Name or path.
        overrides: From a command line.
        folder: Where the shipped ones of this shape lie, in the assets.

    Raises:
        UserError: No such recipe, no YAML, an unknown key or a value out of range.
    """
    path = find_recipe(name, *folder)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"not YAML: {error}", where=str(path)) from error
    if not isinstance(raw, dict):
        raise UserError("a recipe is a mapping of keys", where=str(path))
    for override in overrides:
        _override(raw, override)
    return validated(shape, raw, str(path))


def validated(shape: type[M], raw: object, where: str) -> M:
    """Validate what a recipe file holds.

    Raises:
        UserError: Names the file and the field.
    """
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "recipe"
        unknown = first["type"] == "extra_forbidden"
        known = _known_keys(shape, first["loc"][:-1]) if unknown else ""
        raise UserError(f"{field}: {first['msg']}", where=where, way_out=known) from error


def find_recipe(name: str, *folder: str) -> Path:
    """Return the file of a recipe: a path that exists, else a shipped one of that name.

    Raises:
        UserError: Neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in sorted(asset(*folder).glob("*.yaml"))}
    bare = path.name.removesuffix(".yaml")  # not the stem: names hold dots
    if bare in shipped and str(path.parent) in (".", "/".join(folder)):
        return shipped[bare]
    raise UserError("no such recipe", where=name, way_out=f"a path, or one of {', '.join(shipped)}")


def dump_recipe(recipe: BaseModel) -> str:
    """Write a recipe as YAML, every key spelt out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UserError("an override is key=value", where=override)
    *parents, last = key.split(".")
    here = raw
    for parent in parents:
        if not isinstance(here.get(parent), dict):
            here[parent] = {}
        here = here[parent]
    try:
        here[last] = yaml.safe_load(value)  # 1e-4 stays text there; pydantic reads it
    except yaml.YAMLError as error:
        raise UserError("the value is not YAML", where=override) from error


def _known_keys(shape: type[BaseModel], location: tuple[int | str, ...]) -> str:
    here: Any = shape
    for name in location:
        annotation = here.model_fields[str(name)].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        here = next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return f"known keys: {', '.join(here.model_fields)}"
