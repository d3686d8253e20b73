from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score

from tracelift_groups.rm import metrics


def array(*values: float) -> metrics.Floats:
    return np.array(values, dtype=np.float64)


# Group 0: sound .9 and .5, flawed .7 (above one of two) and .5 (one above, one tie).
# Group 1: sound .2, flawed .8. Group 2: sound only.
SCORE = array(0.9, 0.5, 0.7, 0.5, 0.2, 0.8, 0.4)
SOUND = np.array([True, True, False, False, True, False, True])
GROUP = np.array([0, 0, 0, 0, 1, 1, 2])


def test_pair_accuracy_by_hand() -> None:
    wins = metrics.pair_wins(SCORE, SOUND, GROUP)
    assert wins.won_N.tolist() == [0, 0, 1, 1.5, 0, 0, 0]
    assert wins.of_N.tolist() == [0, 0, 2, 2, 0, 1, 0]
    assert metrics.ratio(wins, GROUP).value == pytest.approx(2.5 / 5)


def test_group_top_1_by_hand() -> None:
    wins = metrics.top_wins(SCORE, SOUND, GROUP)
    assert (wins.won_N.sum(), wins.of_N.sum()) == (1.0, 2.0)  # a group of sound traces says nothing


def test_ties_on_top_share_the_win() -> None:
    score, sound = array(0.9, 0.9, 0.9, 0.1), np.array([True, False, False, True])
    wins = metrics.top_wins(score, sound, np.zeros(4, dtype=np.int64))
    assert wins.won_N.sum() == pytest.approx(1 / 3)


def test_groups_need_not_stand_together() -> None:
    shuffled = np.random.default_rng(1).permutation(len(SCORE))
    wins = metrics.pair_wins(SCORE[shuffled], SOUND[shuffled], GROUP[shuffled])
    assert (wins.won_N.sum(), wins.of_N.sum()) == (2.5, 5.0)


@pytest.mark.parametrize("seed", range(5))
def test_tau_auc_and_spearman_agree_with_scipy_and_sklearn(seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.integers(0, 8, 40).astype(float)  # coarse, so that there are ties
    second = np.round(first + random.normal(0, 3, 40))
    sound = random.random(40) < 0.4
    assert metrics.kendall_tau(first, second) == pytest.approx(
        stats.kendalltau(first, second).statistic
    )
    assert metrics.spearman(first, second) == pytest.approx(
        stats.spearmanr(first, second).statistic
    )
    assert metrics.auc(first, sound) == pytest.approx(roc_auc_score(sound, first))
    weight = random.integers(0, 4, 40).astype(float)
    assert metrics.auc(first, sound, weight) == pytest.approx(
        roc_auc_score(sound, first, sample_weight=weight)
    )


def test_tau_is_a_mean_over_groups_with_an_order() -> None:
    total = array(1.0, 1.0, 0.5, 0.2, 1.0, 0.3, 1.0)
    wins = metrics.group_tau(SCORE, total, GROUP)
    by_hand = stats.kendalltau(SCORE[:4], total[:4]).statistic
    assert wins.won_N.sum() == pytest.approx(by_hand - 1)
    assert wins.of_N.sum() == 2


def test_what_is_constant_orders_nothing() -> None:
    flat = array(1, 1, 1)
    assert metrics.kendall_tau(flat, array(1, 2, 3)) == 0.0
    assert metrics.spearman(flat, array(1, 2, 3)) == 0.0
    assert np.isnan(metrics.auc(flat, np.array([True, True, True])))


def test_calibration_by_hand() -> None:
    score, sound = array(0.1, 0.15, 0.95, 1.0), np.array([False, True, True, True])
    bins = metrics.calibration_bins(score, sound)
    assert [(one.low, one.traces, one.share_sound) for one in bins] == [
        (0.1, 2, 0.5),
        (0.9, 2, 1.0),
    ]
    assert metrics.expected_calibration_error(bins) == pytest.approx((2 * 0.375 + 2 * 0.025) / 4)


def test_saturation_counts_above_095() -> None:
    assert metrics.saturation(array(0.95, 0.951, 1.0, 0.2)) == 0.5


def test_best_threshold_by_trying_all() -> None:
    random = np.random.default_rng(3)
    score = np.round(random.random(60), 1)
    sound = random.random(60) < score
    found = metrics.best_threshold(score, sound)
    tried = [np.mean((score < cut) == ~sound) for cut in np.arange(-0.05, 1.2, 0.1)]
    assert found.accuracy == pytest.approx(max(tried))
    assert found.f1 == pytest.approx(f1_score(~sound, score < found.threshold))


def test_a_score_without_information_calls_all_of_them_the_majority() -> None:
    sound = np.array([True, True, True, False])
    found = metrics.best_threshold(array(0.3, 0.3, 0.3, 0.3), sound)
    assert (found.threshold, found.accuracy) == (0.3, 0.75)
    assert metrics.best_threshold(array(0.3, 0.3), np.array([False, False])).accuracy == 1.0


def test_held_out_threshold_cuts_each_half_where_the_other_says() -> None:
    # Halves by problem: problem 5 and problem 9 cut at 0.35 and 0.65.
    score = array(0.3, 0.4, 0.6, 0.7)
    sound = np.array([False, True, False, True])
    cluster = np.array([9, 9, 5, 5])
    found = metrics.held_out_threshold(score, sound, cluster)
    assert metrics.halves(cluster).tolist() == [0, 0, 1, 1]
    assert (found.threshold, found.accuracy) == (pytest.approx(0.5), 0.5)
    assert metrics.best_threshold(score, sound).accuracy == 0.75


def test_intervals_are_clustered_and_repeatable() -> None:
    random = np.random.default_rng(0)
    cluster = np.repeat(np.arange(50), 20)
    won = np.repeat((random.random(50) < 0.7).astype(float), 20)  # all alike within a problem
    wins = metrics.Wins(won, np.ones(1000))
    found = metrics.ratio(wins, cluster)
    assert found == metrics.ratio(wins, cluster)
    assert found != metrics.ratio(wins, cluster, seed=1)
    p = won.mean()
    half = 1.96 * np.sqrt(p * (1 - p) / 50)  # 50 independent draws, not 1000
    assert found.low == pytest.approx(p - half, abs=0.03)
    assert found.high == pytest.approx(p + half, abs=0.03)


def test_the_interval_of_an_auc_agrees_with_resampling_by_hand() -> None:
    random = np.random.default_rng(2)
    cluster = np.repeat(np.arange(30), 4)
    # Alike within a problem, so that resampling traces instead would give half the width.
    sound = np.repeat(random.random(30) < 0.5, 4)
    score = sound + np.repeat(random.normal(0, 1, 30), 4) + random.normal(0, 0.1, 120)
    found = metrics.auc_estimate(score, sound, cluster)
    drawn = []
    for _ in range(1000):
        rows = np.concatenate([np.flatnonzero(cluster == c) for c in random.integers(0, 30, 30)])
        drawn.append(roc_auc_score(sound[rows], score[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.value == pytest.approx(roc_auc_score(sound, score))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))


def test_nothing_to_measure_is_nan() -> None:
    nothing = metrics.ratio(metrics.Wins(np.zeros(3), np.zeros(3)), np.arange(3))
    assert np.isnan(nothing.value)


def test_a_single_problem_has_no_other_half() -> None:
    found = metrics.held_out_threshold(array(0.1, 0.2), np.array([False, True]), np.array([3, 3]))
    assert np.isnan(found.accuracy)
