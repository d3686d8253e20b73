"""Files and batches of the OpenAI protocol; a batch is done once it was asked about often."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tracelift_groups.llm.request import Api
from tracelift_groups.llm.scripted.chance import chance
from tracelift_groups.llm.scripted.completions import Refusal

APIS: Mapping[str, Api] = {"/v1/chat/completions": "chat", "/v1/completions": "completions"}
_DAY_S = 86_400


class Line(NamedTuple):
    """A request of a batch."""

    custom_id: str
    body: dict[str, Any]


@dataclass
class _File:
    name: str
    purpose: str
    content: bytes
    created: int = field(default_factory=lambda: int(time.time()))


@dataclass
class _Batch:
    endpoint: str
    input_file: str
    metadata: dict[str, str] | None
    lines: list[Line]
    errors: list[dict[str, Any]]
    status: str = "validating"
    polls: int = 0
    completed: int = 0
    failed: int = 0
    output_file: str | None = None
    error_file: str | None = None
    created: int = field(default_factory=lambda: int(time.time()))


Answered = Callable[[dict[str, Any], Api], dict[str, Any]]
"""Answers the body of one request of a batch; raises Refusal where that fails."""


class Batches:
    """The files and batches of a server.

    Args:
        answer: Answers one request.
        polls: How often a batch is asked about until it is done.
        expired: Share of the requests that are not answered in time; a batch with one expires.
    """

    def __init__(self, answer: Answered, polls: int, expired: float) -> None:
        self._answer, self._polls, self._expired = answer, polls, expired
        self._files: dict[str, _File] = {}
        self._batches: dict[str, _Batch] = {}

    def upload(self, content_type: str, body: bytes) -> dict[str, Any]:
        """Keep a file that was sent as a form.

        Raises:
            Refusal: 400, where it is no form or lacks the file or what it is for.
        """
        fields: dict[str, tuple[str, bytes]] = {}
        mark = re.search(r'boundary="?([^";]+)', content_type)
        for part in body.split(b"--" + mark[1].encode())[1:-1] if mark else ():
            head, _, content = part.partition(b"\r\n\r\n")
            names = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode()))
            fields[names.get("name", "")] = names.get("filename", ""), content[:-2]
        if "file" not in fields or "purpose" not in fields:
            raise Refusal(400, "a file is sent as a form with 'file' and 'purpose'")
        name, content = fields["file"]
        return self._shown_file(self._keep(_File(name, fields["purpose"][1].decode(), content)))

    def _keep(self, file: _File) -> str:
        name = f"file-{len(self._files) + 1:06}"
        self._files[name] = file
        return name

    def file(self, name: str) -> dict[str, Any]:
        """Describe a file.

        Raises:
            Refusal: 404.
        """
        self._file(name)
        return self._shown_file(name)

    def content(self, name: str) -> bytes:
        """What a file holds.

        Raises:
            Refusal: 404.
        """
        return self._file(name).content

    def _file(self, name: str) -> _File:
        if name not in self._files:
            raise Refusal(404, f"no such file: {name}")
        return self._files[name]

    def _shown_file(self, name: str) -> dict[str, Any]:
        file = self._files[name]
        return {
            "id": name,
            "object": "file",
            "bytes": len(file.content),
            "created_at": file.created,
            "filename": file.name,
            "purpose": file.purpose,
            "status": "processed",
        }

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a batch; one whose file cannot be read fails.

        Raises:
            Refusal: 400 or 404, for an endpoint or file that is not there.
        """
        endpoint, file = str(body.get("endpoint")), str(body.get("input_file_id"))
        if endpoint not in APIS:
            raise Refusal(400, f"no batches for the endpoint {endpoint}")
        lines, errors = _read_lines(self._file(file).content, endpoint)
        name = f"batch-{len(self._batches) + 1:06}"
        batch = _Batch(endpoint, file, body.get("metadata"), lines, errors)
        batch.status = "failed" if errors else "validating"
        self._batches[name] = batch
        return self._shown(name)

    def retrieve(self, name: str) -> dict[str, Any]:
        """Ask about a batch, which moves it on.

        Raises:
            Refusal: 404.
        """
        batch = self._batch(name)
        if batch.status == "cancelling":
            batch.status = "cancelled"
        elif batch.status in ("validating", "in_progress"):
            batch.polls += 1
            batch.status = "in_progress"
            if batch.polls >= self._polls:
                self._finish(batch)
        return self._shown(name)

    def cancel(self, name: str) -> dict[str, Any]:
        """Stop a batch that is under way.

        Raises:
            Refusal: 404, or 400 for one that has come to an end.
        """
        batch = self._batch(name)
        if batch.status not in ("validating", "in_progress", "cancelling"):
            raise Refusal(400, f"a batch that is {batch.status} cannot be cancelled")
        batch.status = "cancelling"
        return self._shown(name)

    def _batch(self, name: str) -> _Batch:
        if name not in self._batches:
            raise Refusal(404, f"no such batch: {name}")
        return self._batches[name]

    def _finish(self, batch: _Batch) -> None:
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        batch.status = "completed"
        for number, line in enumerate(batch.lines):
            row: dict[str, Any] = {"id": f"batch_req_{number:06}", "custom_id": line.custom_id}
            if chance("expired", line.custom_id, line.body) < self._expired:
                message = "This request could not be executed before the completion window expired."
                error = {"code": "batch_expired", "message": message}
                failed.append({**row, "response": None, "error": error})
                batch.status = "expired"
                continue
            try:
                status, body = 200, self._answer(line.body, APIS[batch.endpoint])
            except Refusal as refusal:
                status, body = refusal.status, refusal.body
            response = {"status_code": status, "request_id": row["id"], "body": body}
            row |= {"response": response, "error": None}
            (done if status == 200 else failed).append(row)
        batch.completed, batch.failed = len(done), len(failed)
        batch.output_file = self._written(done, "output")
        batch.error_file = self._written(failed, "error")

    def _written(self, rows: list[dict[str, Any]], name: str) -> str | None:
        """Keep rows as a file; none, where there are none."""
        if not rows:
            return None
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        return self._keep(_File(f"{name}.jsonl", "batch_output", text.encode()))

    def _shown(self, name: str) -> dict[str, Any]:
        batch = self._batches[name]
        ended = int(time.time()) if batch.status == "completed" else None
        counts = {"total": len(batch.lines), "completed": batch.completed, "failed": batch.failed}
        return {
            "id": name,
            "object": "batch",
            "endpoint": batch.endpoint,
            "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
            "input_file_id": batch.input_file,
            "completion_window": "24h",
            "status": batch.status,
            "output_file_id": batch.output_file,
            "error_file_id": batch.error_file,
            "created_at": batch.created,
            "expires_at": batch.created + _DAY_S,
            "completed_at": ended,
            "request_counts": counts,
            "metadata": batch.metadata,
        }


def _read_lines(content: bytes, endpoint: str) -> tuple[list[Line], list[dict[str, Any]]]:
    """The requests of a file, and what is wrong with it."""
    lines: list[Line] = []
    errors: list[dict[str, Any]] = []
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(text)
            if row["method"] != "POST" or row["url"] != endpoint:
                raise ValueError(f"the url is not {endpoint}")
            lines.append(Line(str(row["custom_id"]), dict(row["body"])))
        except (ValueError, KeyError, TypeError) as error:
            errors.append({"code": "invalid_json_line", "line": number, "message": str(error)})
    if len({line.custom_id for line in lines}) < len(lines):
        errors.append({"code": "duplicate_custom_id", "line": None, "message": "a custom_id twice"})
    if not content.strip():
        errors.append({"code": "empty_file", "line": None, "message": "the file is empty"})
    return lines, errors
