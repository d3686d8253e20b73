"""``tlg serve-rm``: a reward model behind the ``/score`` protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_EXAMPLES = """
\b
Examples:
  tlg serve-rm models/rm
  RM_KEY=... tlg serve-rm models/rm --host 0.0.0.0 --port 8001 --api-key-env RM_KEY
  curl -s http://127.0.0.1:8001/score -H 'content-type: application/json' -d '{"items":
    [{"problem": "2 and 3?", "reasoning": "2 + 3 = 5.", "task_type": "math"}]}'

The answer is {"scores": [0.93]}, one number in [0, 1] an item, in order. GET /health answers
without a key. Mistakes are {"error": "..."} with status 400, 401, 413 or 422; 503 asks to come
again, 500 means that the model failed.
"""


@click.command(epilog=_EXAMPLES)
@click.argument("rm", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True)
@click.option("--api-key-env", metavar="NAME", help="Ask for the key in this environment variable.")
@click.option(
    "--max-batch",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="Items of one model call.",
)
@click.option(
    "--max-items",
    type=click.IntRange(1, 100_000),
    default=1024,
    show_default=True,
    help="Items of one request.",
)
@click.option("--device", help="cpu, cuda, cuda:1; by default the GPU where there is one.")
def command(
    rm: Path,
    host: str,
    port: int,
    api_key_env: str | None,
    max_batch: int,
    max_items: int,
    device: str | None,
) -> None:
    """Serve a reward model to trainers.

    Items of all clients are scored together. Stops on Ctrl-C or SIGTERM, when what was asked for
    is answered.
    """
    from tracelift_groups.commands.extras import require_extra

    require_extra("train", "serve")
    from tracelift_groups.rm.judge import key_from
    from tracelift_groups.rm.score import Scorer
    from tracelift_groups.rm.serve import Limits, make_app

    key = None if api_key_env is None else key_from(api_key_env)
    scorer = Scorer.load(rm, device=device)
    if key is None and not _is_loopback(host):
        click.echo(
            f"WARNING: anybody who can reach {host} may use this server; give --api-key-env",
            err=True,
        )
    app = make_app(
        lambda items: [one.score for one in scorer.score(items)],
        name=rm.name,
        limits=Limits(batch=max_batch, items=max_items),
        key=key,
    )
    _listen(app, host, port, name=str(rm))


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(app: Any, host: str, port: int, *, name: str) -> None:
    """Serve until a signal; uvicorn answers what is under way and then returns."""
    import signal
    import socket

    import uvicorn

    from tracelift_groups.errors import UserError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror})", way_out="use another --port"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"{name} on http://{shown}:{listener.getsockname()[1]}/score", err=True)
    # uvicorn raises the signal that stopped it once more when it is done, for handlers that were
    # there before; with the default one the process would be killed instead of ending well.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=30
    )
    uvicorn.Server(config).run(sockets=[listener])
