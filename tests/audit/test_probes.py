from __future__ import annotations

import random

from tracelift_groups.audit.probes import (
    TraceRow,
    bag_of_words_probes,
    length_probe,
    pair_accuracy,
)


def test_pair_accuracy_by_hand() -> None:
    rows = [
        TraceRow(0, "a", None), TraceRow(0, "b", None), TraceRow(0, "c", "x"),
        TraceRow(1, "d", None), TraceRow(1, "e", "x"), TraceRow(1, "f", "y"),
    ]  # fmt: skip
    result = pair_accuracy(rows, [3, 1, 2, 5, 5, 4])
    # group 0: 3 > 2 won, 1 < 2 lost; group 1: 5 = 5 half, 5 > 4 won
    assert result.pairs == 4
    assert result.overall == 0.625
    assert result.by_kind == {"x": 0.5, "y": 1.0}


def test_pairs_of_different_groups_do_not_count() -> None:
    rows = [TraceRow(0, "long sound", None), TraceRow(1, "x", "k")]
    assert length_probe(rows).pairs == 0


def test_longer_sound_traces_are_found() -> None:
    rows = [r for g in range(5) for r in (TraceRow(g, "aaaa", None), TraceRow(g, "aa", "k"))]
    assert length_probe(rows).overall == 1.0


def planted(marker: str, groups: int = 60) -> list[TraceRow]:
    draw = random.Random(0)
    rows = []
    for group in range(groups):
        for kind in (None, None, "k", "k"):
            words = draw.choices("some plain words that all of them use".split(), k=8)
            if kind:
                words.append(marker)
            rows.append(TraceRow(group, " ".join(words), kind))
    return rows


def test_a_marker_word_is_found_and_its_absence_is_chance() -> None:
    assert bag_of_words_probes(planted("oops")).words.overall > 0.99
    assert 0.4 < bag_of_words_probes(planted("")).words.overall < 0.6


def test_a_marker_sign_is_found_only_where_signs_count() -> None:
    result = bag_of_words_probes(planted("="))
    assert result.words_and_signs.overall > 0.99
    assert 0.4 < result.words.overall < 0.6


def test_too_few_groups_give_no_pairs() -> None:
    assert bag_of_words_probes(planted("oops", groups=4)).words.pairs == 0
