from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.tables import from_row, read_groups, to_row, write_groups


def test_groups_survive_parquet(sample_run: Path, tmp_path: Path) -> None:
    groups = list(read_groups(str(sample_run / "groups" / "train.parquet")))
    path = tmp_path / "again.parquet"
    dumped = [group.model_dump() for group in groups]
    assert write_groups(str(path), dumped, dimensions_of("math")) == len(groups)
    assert list(read_groups(str(path))) == groups


def test_row_and_group_are_inverse(sample_run: Path) -> None:
    group = next(iter(read_groups(str(sample_run / "groups" / "train.parquet"))))
    assert from_row(to_row(group.model_dump())) == group


def test_no_groups_still_make_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    assert write_groups(str(path), [], dimensions_of("math")) == 0
    assert list(read_groups(str(path))) == []


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("hello")
    with pytest.raises(UserError, match="not a Parquet file"):
        list(read_groups(str(path)))


def test_a_row_that_is_no_group_is_named(sample_run: Path, tmp_path: Path) -> None:
    table = pq.read_table(sample_run / "groups" / "train.parquet")
    roles = table.to_pylist()
    roles[1]["traces"][0]["role"] = "twin"
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.Table.from_pylist(roles, schema=table.schema), path)
    with pytest.raises(UserError, match=r"row 2 is no group.*exactly one reference"):
        list(read_groups(str(path)))
    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(UserError, match="row 1 is no group"):
        list(read_groups(str(path)))
