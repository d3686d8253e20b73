"""What a run knows of its batches: a small JSON file, and one file of requests for each batch."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Api, Failed, FailureReason, Request, Schema
from tracelift_groups.llm.wire import Dialect
from tracelift_groups.store import write_atomically

STATE = "batches.json"
REQUESTS = "batches"


class Part(BaseModel):
    """One batch: its name here, and its names at the server as soon as they are known."""

    model_config = ConfigDict(extra="forbid")

    name: str
    model: str
    api: Api
    requests: int
    file_id: str | None = None
    batch_id: str | None = None


class Loss(BaseModel):
    """A request that came back without an answer, and how often."""

    model_config = ConfigDict(extra="forbid")

    reason: FailureReason
    detail: str
    times: int = 1

    def failed(self) -> Failed:
        """Return it as an answer."""
        return Failed(self.reason, self.detail)


class State(BaseModel):
    """The file ``batches.json``."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    parts: list[Part] = []
    losses: dict[str, Loss] = {}
    left_out: list[str] = []
    new_token_name: bool = False

    @property
    def dialect(self) -> Dialect:
        """What the server takes, as far as earlier batches told."""
        return Dialect(set(self.left_out), self.new_token_name)

    def learn(self, parameter: str) -> None:
        """Note that the server refused a parameter."""
        dialect = self.dialect
        dialect.learn(parameter)
        self.left_out, self.new_token_name = sorted(dialect.left_out), dialect.new_token_name


def read_state(folder: Path) -> State:
    """Read the state of a run folder; an empty one where there is none.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / STATE
    if not path.exists():
        return State()
    try:
        return State.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        detail = str(error).replace("\n", " ")[:200]
        raise UserError(
            f"not the record of batches ({detail})",
            where=str(path),
            way_out="restore it; without it, batches under way would be paid for twice",
        ) from error


def save_state(folder: Path, state: State) -> None:
    """Write the state, so that a crash leaves the old one or this one."""
    write_atomically(folder / STATE, state.model_dump_json(indent=2) + "\n")


class PartWriter:
    """Writes the requests of a batch to be.

    Args:
        folder: The run folder.
        model: The one model of the batch.
        api: Its protocol.
    """

    def __init__(self, folder: Path, model: str, api: Api) -> None:
        self.part = Part(name=secrets.token_hex(8), model=model, api=api, requests=0)
        self.path = part_path(folder, self.part)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = self.path.open("w", encoding="utf-8")
        self.sent_bytes = 0

    def add(self, request: Request, sent_bytes: int) -> None:
        """Append a request whose line in the batch takes so many bytes."""
        self._file.write(json.dumps(asdict(request)) + "\n")
        self.sent_bytes += sent_bytes
        self.part.requests += 1

    def close(self) -> None:
        """Make the file durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def part_path(folder: Path, part: Part) -> Path:
    """Return the file of a batch's requests."""
    return folder / REQUESTS / f"{part.name}.jsonl"


def part_requests(folder: Path, part: Part) -> Iterator[Request]:
    """Yield the requests of a batch."""
    with part_path(folder, part).open("rb") as lines:
        for line in lines:
            yield _request(line)


class PartReader:
    """The requests of a batch by key; only their places in the file are in memory."""

    def __init__(self, folder: Path, part: Part) -> None:
        self._path = part_path(folder, part)
        self._offsets: dict[str, int] = {}
        offset = 0
        with self._path.open("rb") as lines:
            for line in lines:
                self._offsets[_request(line).key] = offset
                offset += len(line)

    @property
    def keys(self) -> set[str]:
        """The keys of all requests."""
        return set(self._offsets)

    def get(self, key: str) -> Request | None:
        """Return the request of this key, or None."""
        if key not in self._offsets:
            return None
        with self._path.open("rb") as file:
            file.seek(self._offsets[key])
            return _request(file.readline())


def _request(line: bytes) -> Request:
    fields = json.loads(line)
    schema = fields.pop("schema")
    return Request(**fields, schema=Schema(**schema) if schema else None)


def remove_strays(folder: Path, state: State) -> None:
    """Remove files of requests that no batch was made of before the process ended."""
    known = {part_path(folder, part) for part in state.parts}
    for path in (folder / REQUESTS).glob("*.jsonl"):
        if path not in known:
            path.unlink()
