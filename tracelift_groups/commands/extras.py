"""Optional packages: asked for before they are imported, so that a missing one is one line."""

from __future__ import annotations

from importlib.util import find_spec

from tracelift_groups.errors import UserError

PACKAGES = {
    "train": ("torch", "transformers", "accelerate", "peft", "safetensors"),
    "serve": ("starlette", "uvicorn"),
}


def require_extra(*extras: str) -> None:
    """Check that the packages of some extras are installed, without importing them.

    Raises:
        UserError: Names the packages and the extra that brings them.
    """
    for extra in extras:
        missing = [name for name in PACKAGES[extra] if find_spec(name) is None]
        if missing:
            raise UserError(
                f"this needs {', '.join(missing)}",
                way_out=f'pip install "tracelift-groups[{extra}]"',
            )
