from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Tlg, write_jsonl
from tracelift_groups.assets import asset_root
from tracelift_groups.errors import UserError
from tracelift_groups.records import Seed
from tracelift_groups.seeds import SOURCES, SeedSource


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", [{}])


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("opencodereasoning", {"responses": 0}, "--responses 1"),
        ("opencodereasoning", {"hub_split": "train"}, "one of split_0, split_1, all"),
        ("opencodereasoning", {"tests": Path("gone")}, "gone: no such file - check --tests"),
        ("opencodereasoning", {"statements": Path("gone")}, "check --statements"),
        ("opencodereasoning", {"fields": {"problem": "q"}}, "--map is for"),
        ("gsm8k", {"tests": Path(__file__)}, "--tests is for --source opencodereasoning"),
        ("sample", {"statements": Path(__file__)}, "--statements is for"),
        ("gsm8k", {"responses": 2}, "--responses is for"),
        ("sample-code", {"file": Path(__file__)}, "the sample-code source brings its own seeds"),
        ("gsm-symbolic", {"file": Path(__file__)}, "draws its problems and reads no data"),
        ("gsm-symbolic", {"hub_split": "test"}, "draws its problems and reads no data"),
    ],
)
def test_options_that_do_not_go_together(name: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        SeedSource(name, **more)


def test_files_are_all_that_is_read(file: Path) -> None:
    other = write_jsonl(file.with_name("other.jsonl"), [{}])
    source = SeedSource("opencodereasoning", file, statements=other, tests=file.parent)
    assert source.files == (file, other, other, file)
    assert SeedSource("opencodereasoning", tests=other).files == (other,)
    assert SeedSource("gsm8k").files == ()
    assert [path.name for path in SeedSource("sample").files] == ["math.jsonl"]


def test_options_tell_apart_whatever_changes_the_seeds(file: Path) -> None:
    sources = [
        SeedSource("gsm8k"),
        SeedSource("gsm8k", limit=3),
        SeedSource("gsm8k", hub_split="test"),
        SeedSource("gsm8k", file),
        SeedSource("jsonl", file),
        SeedSource("jsonl", file, fields={"problem": "q"}),
        SeedSource("opencodereasoning"),
        SeedSource("opencodereasoning", hub_split="split_0"),
        SeedSource("opencodereasoning", responses=2),
        SeedSource("opencodereasoning", file),
        SeedSource("opencodereasoning", file, tests=file),
        SeedSource("opencodereasoning", file, statements=file),
    ]
    marks = [repr(source.options) for source in sources]
    assert len(set(marks)) == len(marks)
    assert SeedSource("gsm8k").options == SeedSource("gsm8k", hub_split="train").options


def test_every_source_but_jsonl_has_a_domain_of_its_own() -> None:
    domains = {name: SeedSource(name).domain for name in SOURCES if name != "jsonl"}
    assert domains == {
        "gsm8k": "math",
        "gsm-symbolic": "math",
        "sample": "math",
        "opencodereasoning": "code",
        "sample-code": "code",
    }


def test_the_bundled_code_seeds_are_usable() -> None:
    if not (asset_root() / "data" / "seeds" / "code.jsonl").is_file():
        pytest.skip("no bundled code seeds")
    seeds = list(SeedSource("sample-code"))
    assert seeds
    for seed in seeds:
        assert isinstance(seed, Seed), seed
        assert (seed.source, seed.domain) == ("sample-code", "code")
        assert seed.tests
        assert seed.reference_solution
    assert len({seed.seed_id for seed in seeds if isinstance(seed, Seed)}) == len(seeds)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "gsm8k", "--tests", "x"], "--tests is for --source opencodereasoning"),
        (["--source", "opencodereasoning", "--responses", "0"], "Invalid value for '--responses'"),
        (["--source", "opencodereasoning", "--hub-split", "x"], "one of split_0, split_1, all"),
        (["--source", "opencodereasoning", "--seeds", "gone"], "gone: no such file"),
    ],
)
def test_the_commands_pass_the_options_on(tlg: Tlg, arguments: list[str], words: str) -> None:
    done = tlg("preview", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
