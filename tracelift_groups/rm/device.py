"""The device that a command line names."""

from __future__ import annotations

import torch

from tracelift_groups.errors import UserError


def device_named(name: str | None) -> torch.device:
    """Return a device that works here; by default the GPU where there is one.

    Raises:
        UserError: No such device, or none that this torch can use.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    # A torch without CUDA asserts, one without a GPU raises RuntimeError, "meta" has no values.
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        said = str(error).partition("\n")[0]
        raise UserError(f"no such device here ({said})", where=f"--device {name}") from error
    return device
