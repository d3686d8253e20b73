"""Is the Hugging Face Hub within reach? Asked first: its clients wait long before they fail."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from tracelift_groups.errors import UserError

TIMEOUT_S = 2.0


def require_hub(what: str, *, way_out: str) -> None:
    """Fail in one line, within three seconds, where the Hub cannot be reached.

    Args:
        what: What is wanted from the Hub.
        way_out: What to do without it.

    Raises:
        UserError: Offline mode is set, or no connection comes about within the time limit.
    """
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "TRUE", "YES", "ON"):
            raise UserError(
                f"{what} needs the Hugging Face Hub, and {name} is set", way_out=way_out
            )
    from huggingface_hub.constants import ENDPOINT

    parts = urlsplit(ENDPOINT)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if proxy:  # names may resolve at the proxy only
        parts = urlsplit(proxy)
        port = parts.port or 3128
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT_S):
            return
    except OSError as error:
        raise UserError(
            f"{what} needs the Hugging Face Hub, which cannot be reached ({error})", way_out=way_out
        ) from error
