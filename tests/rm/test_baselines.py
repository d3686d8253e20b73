from __future__ import annotations

from pathlib import Path

import pytest

from tracelift_groups.rm.baselines import SIMPLE, BagOfWords, Text
from tracelift_groups.tables import read_groups


def test_length_either_way() -> None:
    texts = [Text("p", "four"), Text("p", "seven77")]
    assert SIMPLE["longer"](texts) == [4, 7]
    assert SIMPLE["shorter"](texts) == [-4, -7]


@pytest.mark.parametrize(
    ("problem", "reasoning", "points"),
    [
        ("She has 4 and 6.", "4 + 6 = 10.", 5),
        ("She has 4 and 6.", "It cannot be known.", 0),
        ("She has 4 and 6.", "4 - 6 = -2", 4),
        ("She has 4 and 6.", "6 / 4 = 1.5", 4),
        ("She has 4.5 and 6.", "6 / 4.5 = 1.5", 5),
        ("She has 4 and 6.", "So the answer is 6.", 4),
        ("She has 4 and 6.", "4 * 6 = 24, 24 + 1 = 25", 4),
        ("She has $1,200 and 3 more.", "1,200 * 3 = $3,600", 5),
        ("She has 4 and 6.", "6-4=2", 5),
    ],
)
def test_plausible_answers(problem: str, reasoning: str, points: int) -> None:
    assert SIMPLE["plausible answer"]([Text(problem, reasoning)]) == [points]


def test_bag_of_words_learns_what_words_tell(sample_run: Path) -> None:
    groups = list(read_groups(str(sample_run / "groups" / "train.parquet")))
    words = BagOfWords.fit(groups)
    traces = [trace for group in groups for trace in group.traces]
    score = words([Text("unseen", trace.text) for trace in traces])
    sound = [s for s, trace in zip(score, traces, strict=True) if trace.sound]
    flawed = [s for s, trace in zip(score, traces, strict=True) if not trace.sound]
    assert sum(sound) / len(sound) > sum(flawed) / len(flawed) + 0.1
    again = BagOfWords.fit(groups)([Text("", trace.text) for trace in traces])
    assert again == score
