"""What a server's refusal tells the user to mend, in one line."""

from __future__ import annotations

from tracelift_groups.errors import UserError
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.llm.wire import Trouble, Turn

GOES_ON = "the same command goes on from here"


def mistake(trouble: Trouble, settings: ModelSettings, wanted: str, path: str) -> UserError | None:
    """Return what to raise for an error that another attempt cannot mend, or None.

    Args:
        trouble: What the server said.
        settings: Of the endpoint.
        wanted: What was asked for, such as ``model 'gpt-5'``.
        path: Where it was asked for.
    """
    where, variable = settings.shown_url, settings.api_key_env
    match trouble.turn:
        case Turn.KEY:
            # What the server says is left out: it may quote a part of the key.
            what = f"refuses the key in {variable}" if settings.key() else "wants a key"
            way_out = f"set {variable}, or name another with --api-key-env"
            return UserError(f"the server {what}", where=where, way_out=way_out)
        case Turn.MONEY:
            way_out = f"when there is credit again, {GOES_ON}"
            return UserError(f"no credit ({trouble.detail})", where=where, way_out=way_out)
        case Turn.NOT_FOUND:
            what = f"no {wanted} at {path} ({trouble.detail})"
            return UserError(what, where=where, way_out="check --model and --base-url")
        case Turn.OPTION:
            return UserError(trouble.detail, where=where, way_out="give another --max-tokens")
        case _:
            return None
