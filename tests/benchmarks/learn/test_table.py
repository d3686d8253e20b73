from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.learn.table import Measured, lucky, mode_table, pair_table, verdict_table


def row(success: list[int], verdict: list[str], **more: Any) -> dict[str, Any]:
    filled = {"without": [0, 1, 0, 0], "rm": [0.5, 0.7, None, None], "length": [10, 20, 0, 10]}
    return {"success": success, "verdict": verdict, **filled, **more}


@pytest.fixture
def measured() -> Measured:
    wrong, leap = "unsound:wrong_answer", "unsound:unsupported"
    return Measured(
        start=row([1, 0, 0, 0], ["sound", wrong, wrong, wrong]),
        gold=row([1, 1, 1, 1], ["sound"] * 4),
        by_mode={
            "exec_only": [
                row([1, 1, 0, 0], ["sound", leap, wrong, wrong]),
                row([1, 1, 1, 1], ["sound", leap, leap, leap]),
            ],
            "tracelift": [row([1, 1, 1, 0], ["sound", "sound", "sound", wrong])] * 2,
        },
    )


def cells(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_lucky_is_right_without_being_sound(measured: Measured) -> None:
    assert lucky(measured.by_mode["exec_only"][1]) == [0, 1, 1, 1]


def test_modes_are_averaged_over_seeds_and_paired_with_the_start(measured: Measured) -> None:
    found = cells(mode_table(measured), "exec_only")
    # (2 + 4) of 8 are right, 2 of 8 sound, 4 of 8 right by other means; the start has 1 of 4.
    assert found[0].startswith("75.0 (")
    assert found[1].startswith("+50.0 (")
    assert found[2] == "50.0, 100.0"
    assert found[3].startswith("25.0 (")
    assert found[4].startswith("50.0 (")
    assert found[5:] == ["0.600", "10"]
    assert cells(mode_table(measured), "nobody")[0].startswith("25.0 (")
    assert cells(mode_table(measured), "gold reference")[0] == "100.0 (100.0 to 100.0)"


def test_an_interval_is_of_problems_not_of_runs(measured: Measured) -> None:
    # Problem 0 gains 0 in every run and seed: a draw of it alone is the lower end.
    assert cells(mode_table(measured), "tracelift")[1] == "+50.0 (+0.0 to +100.0)"


def test_differences_are_taken_problem_by_problem(measured: Measured) -> None:
    found = cells(pair_table(measured, "exec_only"), "tracelift")
    assert [one.partition(" ")[0] for one in found] == ["+0.0", "+50.0", "-50.0"]


def test_verdicts_are_counted_over_seeds(measured: Measured) -> None:
    text = verdict_table(measured)
    assert text.splitlines()[0] == "| | sound | unsound:unsupported | unsound:wrong_answer |"
    assert cells(text, "exec_only") == ["25.0", "50.0", "25.0"]
