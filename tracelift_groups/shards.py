"""A build in parts, for batch schedulers: each makes some of the groups, and a merge the run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tracelift_groups import store
from tracelift_groups.errors import UserError
from tracelift_groups.finish import finish
from tracelift_groups.llm.prices import Price
from tracelift_groups.records import Rejected


class Shard(NamedTuple):
    """Part ``number`` of ``total``, from 1."""

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``.

        Raises:
            UserError: It is no part of a whole.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if match and 1 <= int(match[1]) <= int(match[2]):
            return cls(int(match[1]), int(match[2]))
        raise UserError(
            f"'{text}' is no shard", where="--shard", way_out="write 1/8, 2/8 and so on to 8/8"
        )

    @property
    def named(self) -> str:
        """As it is written."""
        return f"{self.number}/{self.total}"

    def holds(self, seed_id: str) -> bool:
        """Whether a seed is in this part: by a hash, so that the order of the input is nothing."""
        digest = hashlib.sha256(f"shard:{seed_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.total == self.number - 1


def write_shard(
    out: Path,
    shard: Shard,
    mark: dict[str, Any],
    screened: Sequence[Rejected],
    isolation: str | None,
    prices: Mapping[str, Price],
    *,
    batch: bool,
) -> dict[str, Any]:
    """Mark a part as finished; what it made stays in its journal."""
    held = {
        "build": mark,
        "shard": shard.named,
        "sandbox": isolation,
        "prices": {model: price.model_dump(mode="json") for model, price in prices.items()},
        "batch": batch,
        "screened": [one.model_dump() for one in screened],
    }
    store.write_atomically(out / store.SHARD, json.dumps(held) + "\n")
    return held


def merge(shards: Sequence[Path], out: Path) -> dict[str, Any]:
    """Make one run folder of all parts of a build: the same bytes as a build in one piece.

    Raises:
        UserError: A part is missing, not finished, given twice or of another build, or ``out``
            holds something else.
    """
    if out.resolve() in {path.resolve() for path in shards}:
        # Its journal would be merged into itself, without end.
        raise UserError("is one of the parts", where=str(out), way_out="use another --out")
    parts = {path: _read(path) for path in shards}
    first = parts[shards[0]]
    count = int(first["shard"].rpartition("/")[2])
    by_name: dict[str, Path] = {}
    for path, part in parts.items():
        if part["build"] != first["build"] or part["shard"].rpartition("/")[2] != str(count):
            raise UserError(
                f"is a part of another build than {shards[0]}",
                where=str(path),
                way_out="merge parts that were made with the same options and inputs",
            )
        if other := by_name.get(part["shard"]):
            raise UserError(f"is part {part['shard']}, as is {other}", where=str(path))
        by_name[part["shard"]] = path
    if missing := [f"{n}/{count}" for n in range(1, count + 1) if f"{n}/{count}" not in by_name]:
        raise UserError(f"parts are missing: {', '.join(missing)}", way_out="build them first")
    if done := store.read_manifest(out):
        if done["build"] == first["build"]:
            return done
        raise store.other_build(out)
    if (out / store.SHARD).exists():
        raise store.other_build(out)
    return _merged(list(by_name.values()), parts, out)


def _merged(
    paths: Sequence[Path],
    parts: Mapping[Path, dict[str, Any]],
    out: Path,
) -> dict[str, Any]:
    first = parts[paths[0]]
    mark = first["build"]
    store.prepare(out, resume=True)
    store.Journal(out, mark).close()  # refuses what another build has made; a merge begins anew
    store.prepare(out, resume=False)
    journal = store.Journal(out, mark)
    try:
        for path in paths:
            part = store.Journal(path, mark)
            try:
                for batch in part.batches():
                    journal.append(batch)
            finally:
                part.close()
        isolations = sorted({part["sandbox"] for part in parts.values() if part["sandbox"]})
        manifest = finish(
            out,
            journal,
            [Rejected.model_validate(one) for one in first["screened"]],
            mark,
            isolation="; ".join(isolations) or None,
            prices={name: Price.model_validate(one) for name, one in first["prices"].items()},
            batch=first["batch"],
        )
    finally:
        journal.close()
    journal.path.unlink()
    return manifest


def _read(path: Path) -> dict[str, Any]:
    held = store.read_json(path / store.SHARD)
    if held is None:
        raise UserError(
            "no finished part of a build (no shard.json)",
            where=str(path),
            way_out="make it with tlg build --shard, and let it finish",
        )
    return held
