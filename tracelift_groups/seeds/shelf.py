"""Texts by key, on disk: statements and tests of many thousand problems, in little memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable


class Shelf:
    """A temporary database that vanishes when it is closed."""

    def __init__(self) -> None:
        # The empty name is SQLite's for a private file that it deletes itself.
        self._db = sqlite3.connect("")
        self._db.execute("create table texts (number integer primary key, text text not null)")
        self._db.execute(
            "create table keys (key text primary key, number integer not null) without rowid"
        )

    def put(self, keys: Iterable[str], text: str) -> None:
        """Keep a text under several keys; a key that is taken keeps what it has."""
        number = self._db.execute("insert into texts (text) values (?)", (text,)).lastrowid
        self._db.executemany(
            "insert or ignore into keys values (?, ?)", [(key, number) for key in keys]
        )

    def get(self, keys: Iterable[str]) -> str | None:
        """The text under the first of the keys that has one."""
        query = "select text from keys join texts using (number) where key = ?"
        for key in keys:
            if found := self._db.execute(query, (key,)).fetchone():
                return str(found[0])
        return None

    def close(self) -> None:
        """Delete it."""
        self._db.close()
