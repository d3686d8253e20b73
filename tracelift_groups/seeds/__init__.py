"""Seeds: problems with gold answers or tests, from the Hub, from files, or bundled.

Each source yields :class:`~tracelift_groups.records.Seed` for a usable row and
:class:`~tracelift_groups.records.Rejected` for one that is not; a run goes on over bad rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds import gsm8k, gsm_symbolic, jsonl, opencodereasoning
from tracelift_groups.seeds.rows import Row, read_rows, row_files

SOURCES = ("gsm8k", "gsm-symbolic", "opencodereasoning", "jsonl", "sample", "sample-code")

_BUNDLED = {"sample": "math.jsonl", "sample-code": "code.jsonl"}
_OCR_SPLITS = {"split_0": ("split_0",), "split_1": ("split_1",), "all": ("split_0", "split_1")}


@dataclass(frozen=True)
class SeedSource:
    """Where seeds come from; iterating again reads again, in the same order."""

    name: str
    file: Path | None = None
    """A JSONL (``.gz`` too) or Parquet file, or a folder of them; None for the Hub."""
    fields: dict[str, str] = field(default_factory=dict)
    """For ``jsonl``: our field to the file's column."""
    hub_split: str | None = None
    """None for the usual: ``train``; ``all`` of opencodereasoning."""
    limit: int | None = None
    """At most so many rows (opencodereasoning: seeds and rejected ones)."""
    tests: Path | None = None
    """For ``opencodereasoning``: tests to join, a file or folder."""
    statements: Path | None = None
    """For ``opencodereasoning``: statements to join, a file or folder."""
    responses: int = 1
    """For ``opencodereasoning``: seeds of one question."""
    bare: bool = False
    """For ``jsonl``: rows need no reasoning, nor a program, since a model writes them."""
    draw: int = 0
    """For ``gsm-symbolic``: the seed that its problems are drawn with."""

    def __post_init__(self) -> None:
        """Check what can be checked before anything is read.

        Raises:
            UserError: An unknown source, a missing file, or options that do not go together.
        """
        if self.name not in SOURCES:
            raise UserError(f"unknown source '{self.name}'", way_out=f"one of {', '.join(SOURCES)}")
        if self.name == "jsonl" and self.file is None:
            raise UserError("the jsonl source needs a file", way_out="pass --seeds FILE")
        if self.name in _BUNDLED and self.file is not None:
            raise UserError(
                f"the {self.name} source brings its own seeds", way_out="drop --seeds, or use jsonl"
            )
        if self.name == gsm_symbolic.NAME and (self.file or self.hub_split):
            raise UserError(
                f"the {self.name} source draws its problems and reads no data",
                way_out="drop --seeds and --hub-split, or use jsonl",
            )
        if self.fields and self.name != "jsonl":
            raise UserError("--map is for --source jsonl", way_out="drop --map")
        self._check_opencodereasoning()
        for path, option in (
            (self.file, "--seeds"),
            (self.tests, "--tests"),
            (self.statements, "--statements"),
        ):
            if path is not None and not path.exists():
                raise UserError("no such file", where=str(path), way_out=f"check {option}")

    def _check_opencodereasoning(self) -> None:
        if self.name == opencodereasoning.NAME:
            if self.responses < 1:
                raise UserError(f"{self.responses} responses a question", way_out="--responses 1")
            if self.hub_split not in (None, *_OCR_SPLITS):
                raise UserError(
                    f"{self.name} has no split '{self.hub_split}'",
                    where="--hub-split",
                    way_out=f"one of {', '.join(_OCR_SPLITS)}",
                )
            return
        for option, given in (
            ("--tests", self.tests is not None),
            ("--statements", self.statements is not None),
            ("--responses", self.responses != 1),
        ):
            if given:
                raise UserError(
                    f"{option} is for --source {opencodereasoning.NAME}", way_out=f"drop {option}"
                )

    @property
    def path(self) -> Path | None:
        """The file or folder with the seeds; None for the Hub."""
        if self.name in _BUNDLED:
            return asset("data", "seeds", _BUNDLED[self.name])
        return self.file

    @property
    def files(self) -> tuple[Path, ...]:
        """Every local file that is read: seeds, then statements, then tests.

        Raises:
            UserError: A folder holds no file that can be read.
        """
        given = [path for path in (self.path, self.statements, self.tests) if path is not None]
        return tuple(file for path in given for file in row_files(path))

    @property
    def options(self) -> dict[str, Any]:
        """All that changes the seeds and is no file's content, for the fingerprint of a build."""
        options: dict[str, Any] = {
            "name": self.name,
            "limit": self.limit,
            "map": self.fields,
            "hub_split": None if self.path else self._hub_split,
        }
        if self.name == opencodereasoning.NAME:
            options["responses"] = self.responses
            joined = {"statements": self.statements, "tests": self.tests}
            options["joined"] = [name for name, path in joined.items() if path is not None]
        if self.name == gsm_symbolic.NAME:
            options |= {"limit": self._rows, "hub_split": None, "draw": self.draw}
            options["generator"] = gsm_symbolic.generator_version()
        return options

    @property
    def domain(self) -> Literal["math", "code"]:
        """What the seeds are about; a jsonl source is looked into, up to a row that tells.

        Raises:
            UserError: The file cannot be read.
        """
        if self.name != "jsonl":
            return "math" if self.name in ("gsm8k", gsm_symbolic.NAME, "sample") else "code"
        for row in self._file_rows():
            if isinstance(row, Row) and (found := jsonl.domain_of(row, self.fields)):
                return found
        return "math"

    @property
    def _hub_split(self) -> str:
        return self.hub_split or ("all" if self.name == opencodereasoning.NAME else "train")

    @property
    def _rows(self) -> int | None:
        """The limit, also where none is given and the source has no end."""
        if self.name == gsm_symbolic.NAME and self.limit is None:
            return gsm_symbolic.DEFAULT_LIMIT
        return self.limit

    def __iter__(self) -> Iterator[Seed | Rejected]:
        if self.name == opencodereasoning.NAME:
            return self._opencodereasoning()
        if self.name == gsm_symbolic.NAME:
            return islice(gsm_symbolic.seeds(self.draw), self._rows)
        return islice(self._plain(), self.limit)

    def _file_rows(self) -> Iterator[Row | Rejected]:
        assert self.path is not None
        columns = opencodereasoning.COLUMNS if self.name == opencodereasoning.NAME else None
        for file in row_files(self.path):
            yield from read_rows(file, columns=columns)

    def _plain(self) -> Iterator[Seed | Rejected]:
        """One item for each row."""
        if self.path is None:
            yield from gsm8k.from_hub(self._hub_split)
            return
        domain = self.domain
        for row in self._file_rows():
            if isinstance(row, Rejected):
                yield row
            elif self.name in ("gsm8k", "sample"):
                yield gsm8k.seed(row, self.name)
            elif domain == "code":
                yield jsonl.code_seed(row, self.fields, self.name, bare=self.bare)
            else:
                yield jsonl.seed(row, self.fields, bare=self.bare)

    def _opencodereasoning(self) -> Iterator[Seed | Rejected]:
        """First the useless rows of the joined files, then the seeds, which ``limit`` is for."""
        from tracelift_groups.seeds import opencodereasoning_hub
        from tracelift_groups.seeds.opencodereasoning_join import Joins

        with closing(Joins(self.statements, self.tests)) as joins:
            yield from joins.load()
            rows = (
                opencodereasoning_hub.rows(_OCR_SPLITS[self._hub_split])
                if self.path is None
                else self._file_rows()
            )
            made = opencodereasoning.seeds(rows, joins, self.responses)
            yield from islice(made, self.limit)
