"""Every answer that was paid for, by what was asked: an SQLite file.

Several processes may use one file. An answer is committed before anybody sees it, so a process
killed at any moment loses only the calls under way. Write-ahead logging with ``synchronous =
NORMAL``: a commit survives the end of the process without waiting for the disk; a power cut may
lose the last few, never the file.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Usage

# Failures that are the model's answer. Another attempt at "unavailable" may succeed, and a
# "bad_request" ends with a newer server or client.
STORED_FAILURES = frozenset({"truncated", "refused", "empty", "too_long"})

_APPLICATION = 0x746C6763  # "tlgc"
_VERSION = 1
_BUSY_MS = 30_000
_OPENING_ATTEMPTS = 100  # two processes that make the file at once: SQLite refuses one of them
_TABLES = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    task TEXT NOT NULL,
    request BLOB NOT NULL,
    answer BLOB NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    stored_at INTEGER NOT NULL
);
CREATE TABLE facts (
    endpoint TEXT NOT NULL, model TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (endpoint, model, name)
);
"""


class Cache:
    """Answers by :attr:`Request.key`, and what was found out about endpoints.

    Args:
        path: The file; made, with its folder, where there is none.

    Raises:
        UserError: The file is damaged, belongs to something else, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._mendable():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # SQLite serialises the use of one connection by several threads itself.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def get(self, key: str) -> Answer | None:
        """Return the answer to the request of this key, or None."""
        with self._mendable():
            row = self._db.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone()
            return None if row is None else _answer(json.loads(zlib.decompress(row[0])))

    def put(self, request: Request, answer: Answer) -> Answer:
        """Store an answer, committed on return.

        Returns:
            The answer to use: the one that another process stored first, or this one. One that
            says nothing about the model is not stored.
        """
        if isinstance(answer, Failed) and answer.reason not in STORED_FAILURES:
            return answer
        row = (
            request.key,
            request.model,
            request.task,
            _packed(asdict(request)),
            _packed(asdict(answer)),
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            int(time.time()),
        )
        with self._mendable():
            done = self._db.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
            )
        return answer if done.rowcount else self.get(request.key) or answer

    def fact(self, endpoint: str, model: str, name: str) -> str | None:
        """Return what was found out about a model at an endpoint, or None."""
        with self._mendable():
            row = self._db.execute(
                "SELECT value FROM facts WHERE endpoint = ? AND model = ? AND name = ?",
                (endpoint, model, name),
            ).fetchone()
        return None if row is None else str(row[0])

    def put_fact(self, endpoint: str, model: str, name: str, value: str) -> None:
        """Remember something about a model at an endpoint."""
        with self._mendable():
            self._db.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", (endpoint, model, name, value)
            )

    def __len__(self) -> int:
        with self._mendable():
            return int(self._db.execute("SELECT count(*) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _open(self) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        for attempt in range(_OPENING_ATTEMPTS):
            try:
                self._check_owner()  # before anything is written to a file of somebody else
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if attempt == _OPENING_ATTEMPTS - 1 or "locked" not in str(error):
                    raise
                time.sleep(0.01)
        try:
            if self._is_empty():
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
        finally:
            self._db.execute("COMMIT")
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _is_empty(self) -> bool:
        return not self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]

    def _check_owner(self) -> None:
        if self._is_empty():
            return
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            what = "not a cache of model replies"
        elif version != _VERSION:
            what = f"a cache of version {version}, and this program reads version {_VERSION}"
        else:
            return
        raise UserError(what, where=str(self.path), way_out="use another --cache")

    @contextmanager
    def _mendable(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, zlib.error, ValueError) as error:
            raise UserError(
                f"the cache of model replies cannot be used ({error})",
                where=str(self.path),
                way_out="use another --cache, or move the file away if it is damaged",
            ) from error


def _packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value, sort_keys=True).encode())


def _answer(fields: dict[str, object]) -> Answer:
    usage = fields.pop("usage")
    assert isinstance(usage, dict)
    kind = Failed if "reason" in fields else Reply
    return kind(**fields, usage=Usage(**usage))  # type: ignore[arg-type]
