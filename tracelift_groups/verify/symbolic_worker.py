"""The process that runs `math-verify`: a warm parent that forks, and can kill, the one at work.

Its input is a line of JSON, `[gold, answer, seconds]`, its output `true`, `false`, `"timeout"` or
`"crashed"`. The library's own time limit uses SIGALRM, works in main threads only and cancels the
caller's alarm; it is switched off here.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
from typing import NamedTuple

_MEMORY_BYTES = 2 << 30
_CPU_S = 3600
_ROUNDED_DIGITS = 12


def _agree(gold: str, answer: str) -> bool:
    from math_verify import LatexExtractionConfig, parse, verify

    config = [LatexExtractionConfig()]
    left = parse(f"${gold}$", config, parsing_timeout=0, fallback_mode="no_fallback")
    right = parse(f"${answer}$", config, parsing_timeout=0, fallback_mode="no_fallback")
    if not left or not right:
        return False
    return bool(verify(left, right, float_rounding=_ROUNDED_DIGITS, timeout_seconds=None))


class _Child(NamedTuple):
    pid: int
    requests: int
    replies: int


def _serve(requests: int, replies: int) -> None:
    with open(requests, "rb") as lines:
        for line in lines:
            gold, answer = json.loads(line)
            try:
                agreed = _agree(gold, answer)
            except Exception:
                agreed = False  # what cannot be parsed or compared is not shown to be equal
            os.write(replies, b"1" if agreed else b"0")


def _confine() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses it
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))


def _fork() -> _Child:
    request_read, request_write = os.pipe()
    reply_read, reply_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(request_write)
        os.close(reply_read)
        try:
            _confine()
            _serve(request_read, reply_write)
        finally:
            os._exit(0)
    os.close(request_read)
    os.close(reply_write)
    return _Child(pid, request_write, reply_read)


def _end(child: _Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    os.close(child.requests)
    os.close(child.replies)


def _ask(child: _Child, gold: str, answer: str, seconds: float) -> bool | str:
    try:
        os.write(child.requests, json.dumps([gold, answer]).encode() + b"\n")
    except BrokenPipeError:
        return "crashed"
    poll = select.poll()
    poll.register(child.replies, select.POLLIN)
    if not poll.poll(seconds * 1000):
        return "timeout"
    reply = os.read(child.replies, 1)
    return "crashed" if not reply else reply == b"1"


def main() -> None:
    """Serves requests until standard input ends."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _agree("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}")  # imports and warms the caches
    child = _fork()
    print("ready", flush=True)
    for line in sys.stdin:
        gold, answer, seconds = json.loads(line)
        outcome = _ask(child, gold, answer, seconds)
        if isinstance(outcome, str):
            _end(child)
            child = _fork()
        print(json.dumps(outcome), flush=True)
    _end(child)


if __name__ == "__main__":
    main()
