"""Seeds: problems with gold answers, from the Hub, from files, or bundled.

Each source yields :class:`~tracelift_groups.records.Seed` for a usable row and
:class:`~tracelift_groups.records.Rejected` for one that is not; a run goes on over bad rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds import gsm8k, jsonl
from tracelift_groups.seeds.rows import read_rows

SOURCES = ("gsm8k", "jsonl", "sample")


@dataclass(frozen=True)
class SeedSource:
    """Where seeds come from; iterating again reads again, in the same order."""

    name: str
    file: Path | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """For ``jsonl``: our field to the file's column."""
    hub_split: str = "train"
    limit: int | None = None

    def __post_init__(self) -> None:
        """Check what can be checked before anything is read.

        Raises:
            UserError: An unknown source, a missing file, or options that do not go together.
        """
        if self.name not in SOURCES:
            raise UserError(f"unknown source '{self.name}'", way_out=f"one of {', '.join(SOURCES)}")
        if self.name == "jsonl" and self.file is None:
            raise UserError("the jsonl source needs a file", way_out="pass --seeds FILE")
        if self.name == "sample" and self.file is not None:
            raise UserError(
                "the sample source brings its own seeds", way_out="drop --seeds, or use jsonl"
            )
        if self.fields and self.name != "jsonl":
            raise UserError("--map is for --source jsonl", way_out="drop --map")
        if self.file is not None and not self.file.is_file():
            raise UserError("no such file", where=str(self.file), way_out="check --seeds")

    @property
    def path(self) -> Path | None:
        """The file that is read; None for the Hub."""
        return asset("data", "seeds", "math.jsonl") if self.name == "sample" else self.file

    def __iter__(self) -> Iterator[Seed | Rejected]:
        for number, item in enumerate(self._all()):
            if self.limit is not None and number >= self.limit:
                return
            yield item

    def _all(self) -> Iterator[Seed | Rejected]:
        path = self.path
        if path is None:
            yield from gsm8k.from_hub(self.hub_split)
            return
        for row in read_rows(path):
            if isinstance(row, Rejected):
                yield row
            elif self.name == "jsonl":
                yield jsonl.seed(row, self.fields)
            else:
                yield gsm8k.seed(row, self.name)
