from __future__ import annotations

import numpy as np
import pytest

from tracelift_groups.rm.locate import Location, first_below, largest_drop, locate, process_f1


def traces() -> list[Location]:
    return [
        Location(np.array([0.9, 0.3, 0.2]), 1),
        Location(np.array([0.8, 0.7, 0.1]), 1),
        Location(np.array([0.7, 0.9, 0.8]), None),
        Location(np.array([0.4, 0.9, 0.9]), None),
    ]


def test_the_first_prefix_below_a_cut() -> None:
    assert first_below(traces(), 0.5).tolist() == [1, 2, -1, 0]
    assert first_below(traces(), 0.75).tolist() == [1, 1, 0, 0]


def test_the_largest_drop_of_a_trace_that_is_called_flawed() -> None:
    assert largest_drop(traces(), 0.5, 0.7).tolist() == [1, 2, -1, -1]
    low = [Location(np.array([0.1, 0.1]), 0)]  # the first step against the usual first prefix
    assert largest_drop(low, 0.5, 0.7).tolist() == [0]


def test_process_f1_by_hand() -> None:
    named, truth = np.array([1, 2, -1, 0]), np.array([1, 1, -1, -1])
    assert process_f1(named, truth) == (0.5, 0.5, 0.5)
    named = np.array([1, 1, -1, 0])
    assert process_f1(named, truth) == (1.0, 0.5, pytest.approx(2 / 3))
    assert process_f1(np.array([0, 0, 1, 1]), truth).f1 == 0.0


def test_a_cut_that_would_be_right_is_found() -> None:
    found = {(one.reading, one.threshold): one for one in locate(traces(), np.arange(4))}
    assert found["below", "at 0.5"].f1 == 0.5
    # Between 0.7 and 0.4 nothing is right for all; just above 0.7 both flawed ones are named.
    assert found["below", "best"].f1 >= 0.5
    assert found["drop", "at 0.5"][3:] == (0.5, 1.0, pytest.approx(2 / 3))
    assert ("drop", "held out") in found


def test_the_held_out_cut_comes_from_the_other_half() -> None:
    # Half 0 is told apart by any cut in (0.2, 0.4], half 1 by (0.6, 0.8]: each on the other errs.
    lots = [
        Location(np.array([0.9, 0.2]), 1),
        Location(np.array([0.9, 0.4]), None),
        Location(np.array([0.95, 0.6]), 1),
        Location(np.array([0.95, 0.8]), None),
    ]
    found = {(one.reading, one.threshold): one for one in locate(lots, np.array([0, 0, 1, 1]))}
    held_out = found["below", "held out"]
    assert (held_out.error_accuracy, held_out.correct_accuracy) == (0.5, 0.5)
    assert found["below", "best"].f1 == pytest.approx(2 / 3)
