"""Groups from wherever they lie: a run folder, Parquet, or JSONL in the published layout."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from tracelift_groups.errors import UserError
from tracelift_groups.formats import read_tracelift
from tracelift_groups.hub import require_hub
from tracelift_groups.records import Group
from tracelift_groups.store import run_files
from tracelift_groups.tables import read_groups

_HUB = "hf:/datasets/"


def local_copy(source: Path) -> Path:
    """Return a source as a local path; ``hf://datasets/user/name[/config]`` is downloaded.

    Raises:
        UserError: The Hub or the dataset is out of reach.
    """
    name = source.as_posix().replace("hf://", "hf:/")
    if not name.startswith(_HUB):
        return source
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    parts = name.removeprefix(_HUB).split("/")
    if len(parts) not in (2, 3):
        raise UserError("not of the form hf://datasets/user/name", where=str(source))
    require_hub(f"the dataset {'/'.join(parts[:2])}", way_out="give a local copy")
    try:
        copy = snapshot_download("/".join(parts[:2]), repo_type="dataset")
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        said = str(error).strip().partition("\n")[0]
        raise UserError(f"no such dataset on the Hub ({said})", where=str(source)) from error
    return Path(copy, "data", parts[2]) if len(parts) == 3 else Path(copy)


def groups_of(source: Path, split: str | None = None) -> Iterator[Group]:
    """Yield the groups of a run folder or a file, one at a time.

    Args:
        source: A run folder, a ``.parquet`` file of groups, JSONL in the published layout, or
            ``hf://datasets/user/name``.
        split: Only the groups of this split.

    Raises:
        UserError: Nothing there that holds groups, or no such split.
    """
    source = local_copy(source)
    if source.is_dir():
        files = run_files(source)
        if split is not None and split not in files:
            raise UserError(
                f"no split '{split}'", where=str(source), way_out=f"one of {', '.join(files)}"
            )
        for name, path in files.items():
            if split in (None, name):
                yield from read_groups(str(path))
        return
    if not source.is_file():
        raise UserError("no such file or run folder", where=str(source))
    if source.suffix == ".parquet":
        groups = read_groups(str(source))
    elif source.name.endswith((".jsonl", ".jsonl.gz")):
        groups = read_tracelift(source)
    else:
        raise UserError("not a run folder, .parquet or .jsonl file", where=str(source))
    yield from (group for group in groups if split in (None, group.split))


def only_kinds(groups: Iterable[Group], kinds: Collection[str]) -> Iterator[Group]:
    """Yield the groups with their flaws of some kinds only; those without one are passed over."""
    for group in groups:
        kept = tuple(trace for trace in group.traces if trace.sound or trace.kind in kinds)
        if any(not trace.sound for trace in kept):
            yield group.model_copy(update={"traces": kept})
