"""A key that is planted in the environment, and a server that says it back wherever it can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.llm.conftest import KEY
from tests.llm.fake_server import Call, FakeServer, Send, chat

# Everything is logged, at the most talkative, and whatever goes wrong shows its traceback.
SCRIPT = """
import asyncio, logging, sys, traceback
from pathlib import Path
logging.basicConfig(level=logging.DEBUG, filename="log.txt")
from tracelift_groups.llm import batch as batches
from tracelift_groups.llm.batch import BatchSession
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.client import Endpoint, Patience
from tracelift_groups.llm.request import Request
from tracelift_groups.llm.session import Session, Waiting
from tracelift_groups.llm.settings import ModelSettings

async def main(settings):
    endpoint = Endpoint(settings, cache=None, patience=Patience(0.001, 0.001))
    async with Session(endpoint, cache=Cache(Path("cache"))) as session:
        for answer in await session.ask_all([Request("t", "m", "a"), Request("t", "m", "b")]):
            print(answer)
        print(session.account.summary())

def batch(settings):
    with BatchSession(settings, Path("run"), cache=Cache(Path("cache"))) as session:
        try:
            asyncio.run(session.ask_all([Request("t", "m", "c")]))
        except Waiting:
            session.submit()

batches._HTTP_ATTEMPTS = 1
settings = ModelSettings("m", base_url=sys.argv[1], attempts=2, timeout_s=5)
print(settings, settings.shown_url)
for step in (lambda: asyncio.run(main(settings)), lambda: batch(settings)):
    try:
        step()
    except BaseException:
        traceback.print_exc()
print("ran to the end")
"""

PASSWORD, TOKEN = "pass-word-0123456789", "query-token-0123456789"


def secrets(login: bool) -> list[str]:
    return [KEY, PASSWORD, TOKEN] if login else [KEY]


def said_back(call: Call) -> str:
    password = PASSWORD if TOKEN in call.path else ""
    return f"{call.path} {call.headers.get('authorization')} {KEY} {password}"


ECHOES = {
    "reply": lambda call: Send(chat(said_back(call))),
    "refusal": lambda call: Send(chat(None, refusal=said_back(call))),
    "400": lambda call: Send({"error": {"message": "x" * 285 + said_back(call)}}, 400),
    "500": lambda call: Send(said_back(call).encode(), 500),
    "401": lambda call: Send({"error": {"message": said_back(call)}}, 401),
    "404": lambda call: Send({"detail": said_back(call)}, 404),
    "header": lambda call: Send(chat("x"), headers={"x-echo": said_back(call)}),
    "redirect": lambda call: Send(b"", 307, headers={"location": f"/v1/x?k={KEY}"}),
    "no JSON": lambda call: Send(said_back(call).encode()),
}


@pytest.mark.parametrize(
    ("echo", "login"),
    [*((echo, False) for echo in ECHOES), ("reply", True), ("500", True), ("header", True)],
)
def test_no_secret_is_written_or_printed(
    server: FakeServer, tmp_path: Path, echo: str, login: bool
) -> None:
    server.script = ECHOES[echo]
    url = server.url
    if login:
        url = url.replace("http://", f"http://user:{PASSWORD}@") + f"?token={TOKEN}"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url],
        cwd=tmp_path,
        env={**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug"},
        capture_output=True,
        check=False,
    )
    assert b"ran to the end" in done.stdout, done.stderr.decode()
    assert server.calls
    assert (tmp_path / "log.txt").stat().st_size > 1000
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    written[Path("stdout")], written[Path("stderr")] = done.stdout, done.stderr
    for path, content in written.items():
        for secret in secrets(login):
            assert secret.encode() not in content, path
    assert b"Traceback" not in done.stderr or b"UserError" in done.stderr


def test_the_cache_holds_no_secret_when_unpacked(server: FakeServer, tmp_path: Path) -> None:
    import sqlite3
    import zlib

    server.script = ECHOES["reply"]
    subprocess.run(
        [sys.executable, "-c", SCRIPT, server.url],
        cwd=tmp_path,
        env={**os.environ, "OPENAI_API_KEY": KEY},
        capture_output=True,
        check=True,
    )
    with sqlite3.connect(tmp_path / "cache") as db:
        rows = db.execute("SELECT request, answer FROM calls").fetchall()
    db.close()
    assert len(rows) == 2
    for row in rows:
        for packed in row:
            text = zlib.decompress(packed)
            assert KEY.encode() not in text
        assert b"[redacted]" in zlib.decompress(row[1])
