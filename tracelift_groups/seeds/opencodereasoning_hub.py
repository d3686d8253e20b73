"""OpenCodeReasoning and the sets its questions are from, streamed from the Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.hub import require_hub
from tracelift_groups.seeds.rows import Row

HUB_ID = "nvidia/OpenCodeReasoning"
SPLITS = ("split_0", "split_1")

# A statement of open-r1/codeforces is spread over these columns.
PARTS = ("description", "input_format", "output_format", "examples", "note")


class _SourceSet(NamedTuple):
    """A set on the Hub and the columns of a statement.

    ``converted`` names the folder of the Hub's own Parquet copy, for sets that come with a script
    (which ``datasets`` 4 and later refuse to run).
    """

    repository: str
    columns: tuple[str, ...]
    converted: str | None = None


_SOURCE_SETS = {
    "apps": _SourceSet("codeparrot/apps", ("question",), converted="all"),
    "taco": _SourceSet("BAAI/TACO", ("question",), converted="ALL"),
    "code_contests": _SourceSet("deepmind/code_contests", ("description",)),
    "open-r1/codeforces": _SourceSet("open-r1/codeforces", PARTS),
}


def rows(splits: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of the data set's splits, in its order; nothing is kept on disk.

    Raises:
        UserError: The Hub is out of reach (said within three seconds), or the stream breaks off.
    """
    way_out = "pass --seeds FILE with its Parquet files"
    require_hub(f"the data set {HUB_ID}", way_out=way_out)
    for split in splits:
        stream = _stream(f"{HUB_ID}/{split}", HUB_ID, split, split=split, streaming=True)
        for number, values in enumerate(stream):
            yield Row(values, f"{HUB_ID}/{split}:{number}")


def statements(dataset: str, split: str) -> Iterator[tuple[int, str]]:
    """Yield index and statement of every row of a source set's split that has one.

    Args:
        dataset: The set, as OpenCodeReasoning names it.
        split: Its split.

    Raises:
        UserError: No such set, the Hub is out of reach, or the stream breaks off.
    """
    source = _SOURCE_SETS.get(dataset)
    if source is None or not re.fullmatch(r"\w+", split):
        raise UserError("no set that statements can be had from", way_out="pass --statements FILE")
    require_hub(f"the statements of {source.repository}", way_out="pass --statements FILE")
    what, columns = f"{source.repository}/{split}", list(source.columns)
    if source.converted:
        folder = f"hf://datasets/{source.repository}@refs%2Fconvert%2Fparquet/{source.converted}"
        files = f"{folder}/{split}/*.parquet"
        stream = _stream(
            what, "parquet", data_files=files, split="train", columns=columns, streaming=True
        )
    else:
        stream = _stream(what, source.repository, split=split, columns=columns, streaming=True)
    for index, values in enumerate(stream):
        if text := composed(values):
            yield index, text


def composed(values: Mapping[str, Any]) -> str | None:
    """The statement of a source set's row: one column, or put together from several.

    The order and headings are those of the questions that OpenCodeReasoning was made from.
    """
    text = values.get("question") or values.get("description")
    if not isinstance(text, str) or not text.strip():
        return None
    parts = [text]
    for heading, name in (("Input", "input_format"), ("Output", "output_format")):
        if values.get(name):
            parts += [heading, str(values[name])]
    given = values.get("examples") or []
    if given:
        parts.append("Examples")
    for example in given:
        for heading, name in (("Input", "input"), ("Output", "output")):
            if isinstance(example, dict) and name in example:
                parts += [heading, str(example[name])]
    if values.get("note"):
        parts += ["Note", str(values["note"])]
    return "\n\n".join(parts).strip()


def _stream(what: str, *arguments: str, **options: Any) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset

    number = 0
    try:
        for values in load_dataset(*arguments, **options):
            yield dict(values)
            number += 1
    except Exception as error:  # the libraries below raise whatever the network made of it
        first_line = str(error).partition("\n")[0][:200]
        raise UserError(
            f"reading {what} broke off at row {number}: {type(error).__name__}: {first_line}",
            way_out="try again, or download it and pass the files",
        ) from error
