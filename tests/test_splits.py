from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import write_jsonl
from tracelift_groups.errors import UserError
from tracelift_groups.splits import assign_splits, masked, overlapping


def story(topic: str, n: int) -> str:
    return (
        f"Anna collects {n} {topic} in the morning and then gives {n // 2} of her {topic} to a "
        f"friend who lives next to the {topic} shop. How many {topic} does she keep?"
    )


def problems(count: int) -> list[tuple[str, str]]:
    draw = random.Random(4)
    words = ["".join(draw.choices("abcdefghij", k=7)) for _ in range(count)]
    return [
        (f"p-{word}", f"Why would {word} ever {word * 2} without {word * 3}?") for word in words
    ]


def test_about_a_tenth_is_held_out() -> None:
    split = assign_splits(problems(1000), 0)
    held_out = sum(name == "validation" for name in split.values())
    assert 70 <= held_out <= 130


def test_near_duplicates_share_a_split() -> None:
    same = [(f"s{n}", story("apples", n)) for n in range(10, 60)]
    split = assign_splits([*same, *problems(200)], 0)
    assert len({split[name] for name, _ in same}) == 1
    seeds = {assign_splits([*same, *problems(20)], seed)["s10"] for seed in range(30)}
    assert seeds == {"train", "validation"}


def test_the_order_does_not_matter_and_the_seed_does() -> None:
    items = problems(200)
    shuffled = random.Random(1).sample(items, len(items))
    assert assign_splits(items, 0) == assign_splits(shuffled, 0)
    assert assign_splits(items, 0) != assign_splits(items, 1)


def test_a_small_run_has_both_splits() -> None:
    for seed in range(20):
        assert set(assign_splits(problems(10)[:4], seed).values()) == {"train", "validation"}
    assert assign_splits([("only", "one problem")], 0).keys() == {"only"}


def test_numbers_are_masked() -> None:
    assert masked("Pay $1,200.50 for 3") == "pay $0 for 0"


def test_overlap_with_other_numbers_is_found_and_named(tmp_path: Path) -> None:
    rows = [{"Body": "Something else entirely."}, {"question": story("coins", 99)}]
    file = write_jsonl(tmp_path / "test.jsonl", rows)
    found = overlapping([story("bikes", 4), story("coins", 12)], [file])
    assert list(found) == [1]
    assert found[1].where == "test.jsonl:2"


def test_an_evaluation_file_without_problems_is_refused(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "test.jsonl", [{"label": 1}])
    with pytest.raises(UserError, match="no row has a problem"):
        overlapping(["x"], [file])
    with pytest.raises(UserError, match="no such file"):
        overlapping(["x"], [tmp_path / "gone.jsonl"])
