"""The run folder: a journal while it is built, Parquet and a manifest when it is done.

``journal.jsonl`` begins with the build's fingerprint and then holds one line per finished seed.
A shard of a build keeps its journal, with ``shard.json`` in the place of the manifest.
It is only ever appended to; a torn last line (a crash while writing) is cut off on resume. The
manifest is written last and atomically: a folder with a manifest is complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.records import Group, Rejected, RejectedTrace

JOURNAL = "journal.jsonl"
MANIFEST = "manifest.json"
GROUPS = "groups"
REJECTED = "rejected.jsonl"
REJECTED_TRACES = "rejected_traces.jsonl"
CARD = "README.md"
AUDIT, AUDIT_TEXT = "audit.json", "audit.md"
VIEW = "view.html"
SHARD = "shard.json"
REQUESTS = "requests.sqlite"
"""Answers of models. No build removes it: they are paid for."""
BATCHES = "batches.json"


class Journal:
    """Finished seeds of a build, by seed id, on disk; only offsets are kept in memory."""

    def __init__(self, folder: Path, fingerprint: dict[str, Any]) -> None:
        self.path = folder / JOURNAL
        self.offsets: dict[str, int] = {}
        self.rejected_ids: set[str] = set()
        head = (json.dumps({"fingerprint": fingerprint}, sort_keys=True) + "\n").encode()
        if self.path.exists():
            self._recover(head)
        if not self.path.exists():
            self.path.write_bytes(head)
            _sync_folder(folder)
        self._file = self.path.open("ab")

    def _recover(self, head: bytes) -> None:
        """Read what is there; cut a torn last line off; refuse another build's journal."""
        good = 0
        with self.path.open("rb") as lines:
            first = lines.readline()
            if not first.endswith(b"\n"):
                self.path.unlink()  # the crash came before the first line was written
                return
            if first != head and not lines.read(1):
                self.path.unlink()  # another build's, which made nothing
                return
            if first != head:
                raise UserError(
                    "the folder holds an unfinished build with other inputs or options",
                    where=str(self.path.parent),
                    way_out="use another --out, or --resume never to start over",
                )
            good = len(first)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._index(line, good)
                good += len(line)
        if good < self.path.stat().st_size:
            with self.path.open("r+b") as torn:
                torn.truncate(good)

    def _index(self, line: bytes, offset: int) -> None:
        # The line begins {"id": "...", "group" or "rejected": ...}; no need to parse all of it.
        name, kind = _line_head(line)
        self.offsets[name] = offset
        if kind == "rejected":
            self.rejected_ids.add(name)

    def __contains__(self, seed_id: str) -> bool:
        return seed_id in self.offsets

    def append(self, lines: list[str]) -> None:
        """Append finished seeds and make them durable together."""
        for line in lines:
            data = (line + "\n").encode()
            self._index(data, self._file.tell())
            self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def groups(self, ids: list[str]) -> Iterator[dict[str, Any]]:
        """Yield dumped groups by seed id, in the order of ``ids``; they were checked when made."""
        for line in self._lines(ids):
            yield line["group"]

    def rejections(self) -> Iterator[Rejected]:
        """Yield the rejected seeds."""
        for line in self._lines(sorted(self.rejected_ids)):
            yield Rejected.model_validate(line["rejected"])

    def group_ids(self) -> list[str]:
        """Ids of the seeds that became groups, sorted."""
        return sorted(set(self.offsets) - self.rejected_ids)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield all there is of every finished seed, by seed id."""
        yield from self._lines(sorted(self.offsets))

    def batches(self, size: int = 500) -> Iterator[list[str]]:
        """Yield the lines as they stand, some at a time."""
        with self.path.open(encoding="utf-8") as file:
            next(file)
            while batch := [line.rstrip("\n") for line in islice(file, size)]:
                yield batch

    def _lines(self, ids: list[str]) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as file:
            for name in ids:
                file.seek(self.offsets[name])
                yield json.loads(file.readline())


def journal_line(
    seed_id: str,
    result: Group | Rejected,
    rejected_traces: Iterable[RejectedTrace] = (),
    spent: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    """Write one finished seed as a line of the journal.

    Args:
        seed_id: The seed.
        result: What became of it.
        rejected_traces: What a model wrote in vain.
        spent: Calls and tokens, by model.
    """
    kind = "group" if isinstance(result, Group) else "rejected"
    more = ""
    if drafts := [trace.model_dump() for trace in rejected_traces]:
        more += f', "rejected_traces": {json.dumps(drafts, ensure_ascii=False)}'
    if spent:
        more += f', "spent": {json.dumps(spent)}'
    return f'{{"id": {json.dumps(seed_id)}, "{kind}": {result.model_dump_json()}{more}}}'


def _line_head(line: bytes) -> tuple[str, str]:
    decoder = json.JSONDecoder()
    text = line[:400].decode(errors="replace")
    name, end = decoder.raw_decode(text, text.index(":") + 2)
    kind, _ = decoder.raw_decode(text, end + 2)
    return name, kind


def prepare(folder: Path, *, resume: bool) -> None:
    """Make the run folder; with ``resume`` false, remove what an earlier build left.

    Raises:
        UserError: The folder holds something that no build wrote, or cannot be written.
    """
    ours = {JOURNAL, MANIFEST, GROUPS, REJECTED, REJECTED_TRACES, CARD, SHARD}
    ours |= {AUDIT, AUDIT_TEXT, VIEW}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        if there and not there & {JOURNAL, MANIFEST, SHARD, REQUESTS}:
            raise UserError(
                "the folder is not empty and holds no build",
                where=str(folder),
                way_out="use another --out",
            )
        if not resume:
            for name in sorted(there & ours):
                path = folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise UserError(
            f"cannot write here ({error.strerror})", where=str(folder), way_out="use another --out"
        ) from error


def other_build(folder: Path) -> UserError:
    """What to say where a folder holds a finished build that is not the one asked for."""
    return UserError(
        "the folder holds a finished build with other inputs or options",
        where=str(folder),
        way_out="use another --out, or --resume never to start over",
    )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a complete run, or None."""
    return read_json(folder / MANIFEST)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file that was written whole, or None where there is no file."""
    if not path.is_file():
        return None
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, whole."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def run_files(run: Path) -> dict[str, Path]:
    """Return the Parquet files of a complete run, or of a copy of a pushed dataset, by split.

    Raises:
        UserError: No such folder, or one that holds neither.
    """
    if not run.is_dir():
        raise UserError("no such run folder", where=str(run), way_out="make one with tlg build")
    files = _parquet_files(run / GROUPS)
    if (run / MANIFEST).is_file() and files:
        return files
    if not files and (pushed := _pushed_files(run)):
        return pushed
    raise UserError(
        "not a complete run folder (no manifest.json or no groups)",
        where=str(run),
        way_out="finish it with the same tlg build command",
    )


def _parquet_files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.parquet"))}


def _pushed_files(folder: Path) -> dict[str, Path]:
    """The splits of a pushed dataset with one configuration, or of one configuration's folder.

    Raises:
        UserError: There are several configurations.
    """
    configurations = [one for one in sorted((folder / "data").glob("*")) if _parquet_files(one)]
    if len(configurations) > 1:
        names = ", ".join(str(one) for one in configurations)
        raise UserError("several configurations", where=str(folder), way_out=f"one of {names}")
    return _parquet_files(configurations[0] if configurations else folder)
