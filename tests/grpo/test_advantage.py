from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelift_groups.grpo.advantage import advantages_G

values = st.floats(-10, 10, allow_nan=False).map(lambda x: round(x, 3))


def test_centred_by_hand() -> None:
    assert advantages_G([1.0, 0.0, 0.5, 0.5]) == [0.5, -0.5, 0.0, 0.0]


def test_standardised_by_hand() -> None:
    # mean 0.5; squares .25 + .25 + 0 + 0 over 3 = 1/6
    scale = math.sqrt(1 / 6) + 1e-4
    expected = [0.5 / scale, -0.5 / scale, 0.0, 0.0]
    assert advantages_G([1.0, 0.0, 0.5, 0.5], "standardised") == pytest.approx(expected)


def test_what_has_no_reward_takes_part_in_nothing() -> None:
    assert advantages_G([1.0, None, 0.0, None]) == [0.5, 0.0, -0.5, 0.0]
    assert advantages_G([1.0, None, 0.0], "standardised") == pytest.approx(
        [0.5 / (math.sqrt(0.5) + 1e-4), 0.0, -0.5 / (math.sqrt(0.5) + 1e-4)]
    )


@pytest.mark.parametrize("group", [[], [1.0], [None, None], [1.0, None], [0.3, 0.3, 0.3]])
def test_groups_that_teach_nothing(group: list[float | None]) -> None:
    assert advantages_G(group) is None
    assert advantages_G(group, "standardised") is None


@given(st.lists(st.one_of(st.none(), values), min_size=2, max_size=12))
def test_against_the_statistics_of_the_standard_library(group: list[float | None]) -> None:
    known = [one for one in group if one is not None]
    if len(known) < 2 or len(set(known)) == 1:
        assert advantages_G(group) is None
        return
    mean, std = statistics.fmean(known), statistics.stdev(known)
    for got, one in zip(advantages_G(group) or [], group, strict=True):
        assert got == pytest.approx(0.0 if one is None else one - mean, abs=1e-9)
    for got, one in zip(advantages_G(group, "standardised") or [], group, strict=True):
        expected = 0.0 if one is None else (one - mean) / (std + 1e-4)
        assert got == pytest.approx(expected, abs=1e-9)
