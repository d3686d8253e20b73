"""A build in parts gives the bytes of a build in one piece, and a part amiss one line."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_bytes, write_jsonl
from tests.test_build import rows
from tracelift_groups.build import BuildOptions, build
from tracelift_groups.errors import UserError
from tracelift_groups.llm.opening import Script
from tracelift_groups.plan import Plan
from tracelift_groups.seeds import SeedSource
from tracelift_groups.shards import Shard, merge
from tracelift_groups.store import Journal

SCRIPTED = {"plan": Plan(engine="auto", rubric="judge", model="scripted"), "model": Script()}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("seeds") / "seeds.jsonl"
    some = rows()[:14]
    return write_jsonl(file, [*some, some[0], {"question": "Half a row?"}])


def options(seeds: Path, **more: Any) -> BuildOptions:
    return BuildOptions(source=SeedSource("gsm8k", file=seeds), **more)


def parts_of(seeds: Path, folder: Path, total: int, **more: Any) -> list[Path]:
    parts = []
    for number in range(1, total + 1):
        parts.append(folder / f"part{number}")
        build(options(seeds, shard=Shard(number, total), **more), parts[-1])
    return parts


@pytest.fixture(scope="module")
def parts(seeds: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return parts_of(seeds, tmp_path_factory.mktemp("parts"), 3)


@pytest.fixture(scope="module")
def whole(seeds: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "run"
    build(options(seeds), out)
    return run_bytes(out)


def copies(parts: list[Path], folder: Path) -> list[Path]:
    return [Path(shutil.copytree(part, folder / part.name)) for part in parts]


def told(parts: list[Path], out: Path) -> str:
    with pytest.raises(UserError) as error:
        merge(parts, out)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_every_seed_is_in_exactly_one_part(total: int) -> None:
    shards = [Shard(number, total) for number in range(1, total + 1)]
    found: Counter[int] = Counter()
    for number in range(1000):
        (holder,) = [shard.number for shard in shards if shard.holds(f"s-{number}")]
        found[holder] += 1
    assert max(found.values()) <= 2.5 * 1000 / total + 10


@pytest.mark.parametrize(
    ("text", "shard"), [("1/1", (1, 1)), (" 2/8 ", (2, 8)), ("8/8", (8, 8)), ("08/10", (8, 10))]
)
def test_how_a_part_is_written(text: str, shard: tuple[int, int]) -> None:
    assert Shard.parse(text) == shard
    assert Shard(2, 8).named == "2/8"


@pytest.mark.parametrize(
    "text", ["0/2", "3/2", "1/0", "1", "", "a/b", "-1/2", "1/2/3", "1.5/2", "1/9999999"]
)
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(UserError, match=r"--shard: '.*' is no shard - write 1/8"):
        Shard.parse(text)


def test_merged_parts_are_the_bytes_of_one_build(
    parts: list[Path], whole: dict[str, bytes], tmp_path: Path
) -> None:
    merge(parts, tmp_path / "run")
    assert run_bytes(tmp_path / "run") == whole
    merge(parts[::-1], tmp_path / "other")
    assert run_bytes(tmp_path / "other") == whole
    assert json.loads(whole["manifest.json"])["counts"]["rejected"] >= 2


def test_with_a_model_too(seeds: Path, tmp_path: Path) -> None:
    build(options(seeds, **SCRIPTED), tmp_path / "run")
    merge(parts_of(seeds, tmp_path, 2, **SCRIPTED), tmp_path / "merged")
    merged = run_bytes(tmp_path / "merged")
    assert merged == run_bytes(tmp_path / "run")
    manifest = json.loads(merged["manifest.json"])
    assert manifest["spent"]["model_calls"] > 0
    assert manifest["judges"]
    assert merged["rejected_traces.jsonl"]


def test_a_part_of_few_seeds_may_be_empty(seeds: Path, tmp_path: Path) -> None:
    few = write_jsonl(tmp_path / "few.jsonl", rows()[:2])
    build(options(few), tmp_path / "run")
    merge(parts_of(few, tmp_path, 4), tmp_path / "merged")
    assert run_bytes(tmp_path / "merged") == run_bytes(tmp_path / "run")


def test_a_second_merge_finds_the_first(parts: list[Path], tmp_path: Path) -> None:
    first = merge(parts, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert merge(parts, tmp_path / "run") == first
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}


def test_a_finished_part_is_found_and_not_made_again(
    seeds: Path, parts: list[Path], tmp_path: Path
) -> None:
    part = copies(parts, tmp_path)[0]
    before = run_bytes(part)
    build(options(seeds, shard=Shard(1, 3)), part)
    assert run_bytes(part) == before
    for other in (Shard(2, 3), None):
        with pytest.raises(UserError, match="other inputs or options"):
            build(options(seeds, shard=other), part)


def test_parts_that_are_missing_or_given_twice(parts: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert told(parts[:1], out) == "parts are missing: 2/3, 3/3 - build them first"
    twin = Path(shutil.copytree(parts[0], tmp_path / "again"))
    assert told([*parts, twin], out) == f"{twin}: is part 1/3, as is {parts[0]}"
    assert not out.exists()


def test_parts_of_another_build(seeds: Path, parts: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    other = tmp_path / "other"
    build(options(seeds, seed=1, shard=Shard(3, 3)), other)
    assert f"{other}: is a part of another build than {parts[0]}" in told([*parts[:2], other], out)
    halves = tmp_path / "half"
    build(options(seeds, shard=Shard(2, 2)), halves)
    assert f"{halves}: is a part of another build" in told([*parts, halves], out)
    assert not out.exists()


def test_a_part_that_is_not_finished(parts: list[Path], tmp_path: Path) -> None:
    broken = copies(parts, tmp_path)
    (broken[1] / "shard.json").unlink()
    assert f"{broken[1]}: no finished part of a build" in told(broken, tmp_path / "run")
    assert "no finished part" in told([tmp_path / "nowhere"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_result_does_not_take_the_place_of_a_part(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = copies(parts, tmp_path)
    before = run_bytes(tmp_path)
    monkeypatch.chdir(tmp_path)
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    for out in (mine[2], Path(mine[2].name), mine[0] / ".." / mine[2].name, link / mine[2].name):
        assert "is one of the parts" in told(mine, out)
    assert run_bytes(tmp_path) == before


def test_a_folder_that_holds_something_else_is_left_alone(
    seeds: Path, parts: list[Path], tmp_path: Path
) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.tex").write_text("words")
    assert "holds no build" in told(parts, thesis)
    assert (thesis / "chapter1.tex").read_text() == "words"
    build(options(seeds, seed=9), tmp_path / "run")
    before = run_bytes(tmp_path / "run")
    assert "other inputs or options" in told(parts, tmp_path / "run")
    assert run_bytes(tmp_path / "run") == before


def test_what_another_build_has_made_is_not_cleared(
    seeds: Path, parts: list[Path], tmp_path: Path
) -> None:
    """Neither one that is not finished nor a part of one, this build's own among them."""
    begun = tmp_path / "begun"
    begun.mkdir()
    journal = Journal(begun, {"another": "build"})
    journal.append(['{"id": "a", "rejected": {}}'])
    journal.close()
    elsewhere = Path(shutil.copytree(parts[0], tmp_path / "elsewhere"))
    for out in (begun, elsewhere):
        before = run_bytes(out)
        assert "other inputs or options" in told(parts, out)
        assert run_bytes(out) == before


def test_a_merge_that_was_killed_begins_anew(parts: list[Path], tmp_path: Path) -> None:
    merge(parts, tmp_path / "want")
    mark = json.loads((parts[0] / "shard.json").read_text())["build"]
    out = tmp_path / "out"
    out.mkdir()
    journal = Journal(out, mark)
    with (parts[0] / "journal.jsonl").open() as lines:
        journal.append([lines.readlines()[1].rstrip("\n")])
    journal.close()
    merge(parts, out)
    assert run_bytes(out) == run_bytes(tmp_path / "want")
