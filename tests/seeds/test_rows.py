from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import write_jsonl
from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected
from tracelift_groups.seeds.rows import Row, read_rows, row_files

ROWS = [
    {"a": f"text {n}", "b": n, "tests": {"input": ["1"], "output": [str(n)]}} for n in range(200)
]


def test_parquet_and_jsonl_give_the_same_rows(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet", row_group_size=70)
    write_jsonl(tmp_path / "rows.jsonl", list(ROWS))
    from_parquet = list(read_rows(tmp_path / "rows.parquet"))
    from_jsonl = list(read_rows(tmp_path / "rows.jsonl"))
    assert [row.values for row in from_parquet if isinstance(row, Row)] == ROWS
    assert [row.values for row in from_jsonl if isinstance(row, Row)] == ROWS
    assert from_parquet[199].where == "rows.parquet:200"


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    first = next(read_rows(tmp_path / "rows.parquet", columns=["b", "gone"]))
    assert isinstance(first, Row)
    assert first.values == {"b": 0}


@pytest.mark.parametrize("cut", [10, -20])
def test_a_broken_parquet_file_is_one_clear_line(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(UserError, match=r"rows\.parquet: not a Parquet file") as caught:
        list(read_rows(file))
    assert "\n" not in str(caught.value)


def test_a_broken_archive_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-12])
    with pytest.raises(UserError, match="cannot be read"):
        list(read_rows(file))


def test_bytes_lists_and_objects_are_no_text() -> None:
    row = Row({"a": b"x", "b": [1], "c": {}, "d": 3, "e": True}, "here")
    assert [row.text(name) for name in "abcdef"] == [None, None, None, "3", None, None]


def test_a_number_beyond_what_json_reads_is_a_rejection(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": ' + "9" * 5000 + '}\n{"a": 1}\n')
    first, second = read_rows(file)
    assert isinstance(first, Rejected)
    assert isinstance(second, Row)


def test_a_folder_stands_for_its_files_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in (
        "b/2.parquet",
        "b/1.parquet",
        "a.jsonl",
        "c.jsonl.gz",
        "b/.cache/x.parquet",
        "README.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({}))
    found = [str(file.relative_to(tmp_path)) for file in row_files(tmp_path)]
    assert found == ["a.jsonl", "b/1.parquet", "b/2.parquet", "c.jsonl.gz"]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \.parquet"):
        row_files(tmp_path)
