"""Where prompts, templates, recipes and bundled data lie.

A wheel carries them under ``tracelift_groups/_assets``; an editable install reads the checkout's
own top-level folders, so an edited template takes effect at once.
"""

from __future__ import annotations

from pathlib import Path

from tracelift_groups.errors import UserError

FOLDERS = ("prompts", "perturbations", "rm", "data")
_PACKAGE = Path(__file__).resolve().parent


def asset_root() -> Path:
    """Return the folder that holds ``prompts/``, ``perturbations/``, ``rm/`` and ``data/``.

    Raises:
        UserError: Neither packaged assets nor a checkout lie beside this module.
    """
    packaged = _PACKAGE / "_assets"
    if packaged.is_dir():
        return packaged
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "perturbations").is_dir():
        return checkout
    raise UserError(
        "the package's prompts and templates are missing",
        where=str(_PACKAGE),
        way_out="reinstall tracelift-groups",
    )


def asset(*parts: str) -> Path:
    """Return the path of one asset, e.g. ``asset("data", "seeds", "math.jsonl")``."""
    path = asset_root().joinpath(*parts)
    if not path.exists():
        raise UserError(f"no such asset: {'/'.join(parts)}", way_out="reinstall tracelift-groups")
    return path
