"""Folders of reward models, in whichever of the layouts that this package reads."""

from __future__ import annotations

from pathlib import Path

import torch

from tracelift_groups.rm.folder import Native, load_native
from tracelift_groups.rm.published import is_published, load_published


def load_any(folder: Path, *, dtype: torch.dtype | None = None) -> Native:
    """Load a native folder, or one in the published layout, which its config keys tell apart.

    Args:
        folder: What ``tlg train-rm`` or ``tlg export-rm`` wrote, or a published model.
        dtype: Of the backbone, by default as saved.

    Raises:
        UserError: Neither, or damaged.
    """
    if is_published(folder):
        return load_published(folder, dtype=dtype)
    return load_native(folder, dtype=dtype)
