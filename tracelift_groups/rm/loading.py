"""Folders of reward models, in whichever of the layouts that this package writes."""

from __future__ import annotations

from pathlib import Path

import torch

from tracelift_groups.rm.classifier import is_classifier, load_classifier
from tracelift_groups.rm.folder import Native, load_native
from tracelift_groups.rm.published import is_published, load_published


def load_any(folder: Path, *, dtype: torch.dtype | None = None) -> Native:
    """Load a native folder, a published one or a classifier, which their config keys tell apart.

    Args:
        folder: What ``tlg train-rm`` or ``tlg export-rm`` wrote, or a published model.
        dtype: Of the backbone, by default as saved.

    Raises:
        UserError: None of them, or damaged.
    """
    if is_published(folder):
        return load_published(folder, dtype=dtype)
    if is_classifier(folder):
        return load_classifier(folder, dtype=dtype)
    return load_native(folder, dtype=dtype)
