"""Every measure by hand on maps of 4 x 4, and what must hold whatever the map."""

from __future__ import annotations

import numpy as np
import pytest

from fieldmark.trust.dummies import centred, edges
from fieldmark.trust.faithfulness import area, cell_of, hidden, mufidelity, order, pooled, set_sums, step_counts
from fieldmark.trust.imputation import impute
from fieldmark.trust.stability import entropy, gini, max_sensitivity
from fieldmark.trust.statistics import correlation, difference, interval, ranks, spearman

pytestmark = pytest.mark.no_framework

MAP = np.arange(16, dtype=float).reshape(4, 4)  # the last pixel is the most important one


def test_cells_are_the_means_of_what_lies_in_them() -> None:
    assert pooled(MAP[None], (2, 2))[0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert cell_of(4, 2).tolist() == [0, 0, 1, 1]
    assert cell_of(7, 3).tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_the_most_important_cells_are_hidden_first() -> None:
    first = order(np.array([0.1, 0.7, 0.3, 0.9]), np.zeros(4))
    assert first.tolist() == [3, 1, 2, 0]
    assert hidden(first, np.array([0, 1, 3, 4])).astype(int).tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 1, 1, 1],
        [1, 1, 1, 1],
    ]


def test_a_blank_map_is_ordered_as_the_random_one() -> None:
    chance = np.array([0.2, 0.9, 0.4, 0.1])
    assert order(np.zeros(4), chance).tolist() == order(chance, np.zeros(4)).tolist() == [1, 2, 0, 3]
    assert order(np.array([0.0, 0.0, 1.0, 0.0]), chance).tolist() == [2, 1, 0, 3]


def test_area_under_a_curve_by_hand() -> None:
    counts = step_counts(16, 4)
    assert counts.tolist() == [0, 4, 8, 12, 16]
    assert area(np.array([1.0, 0.6, 0.4, 0.2, 0.0]), counts) == pytest.approx((0.8 + 0.5 + 0.3 + 0.1) / 4)
    assert area(np.array([0.0, 0.0, 1.0]), np.array([0, 1, 10])) == pytest.approx(0.45)  # unequal steps
    assert area(np.full(5, 0.3), counts) == pytest.approx(0.3)


def test_sums_over_sets_and_mufidelity_by_hand() -> None:
    segments = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
    sets = np.array([[True, False, False, False], [False, True, True, False], [False, False, False, True]])
    sums = set_sums(MAP, segments, sets)
    assert sums.tolist() == [10.0, 18.0 + 42.0, 50.0]
    assert mufidelity(sums, np.array([0.1, 0.9, 0.5])) == pytest.approx(1.0)
    assert mufidelity(sums, np.array([0.1, 0.5, 0.9])) == pytest.approx(0.5)  # 1 - 6 * 2 / (3 * 8)
    assert mufidelity(sums, np.array([0.9, 0.1, 0.5])) == pytest.approx(-1.0)
    assert mufidelity(np.zeros(3), np.array([0.9, 0.1, 0.5])) == 0.0


def test_ranks_share_their_mean_where_values_are_equal() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0.0, 2.5, 1.0]
    assert ranks(np.array([[1, 1, 1], [3, 2, 1]])).tolist() == [[1, 1, 1], [2, 1, 0]]
    assert spearman(MAP.ravel(), np.exp(MAP.ravel())) == pytest.approx(1.0)
    assert correlation(MAP.ravel(), np.exp(MAP.ravel())) < 0.9
    assert spearman(MAP.ravel(), np.zeros(16)) == 0.0
    assert np.isnan(spearman(MAP.ravel(), np.full(16, np.nan)))


def test_gini_by_hand() -> None:
    assert gini(np.ones((1, 4, 4)))[0] == pytest.approx(0.0)
    one = np.zeros((1, 4, 4))
    one[0, 1, 2] = -3
    assert gini(one)[0] == pytest.approx(1 - 1 / 16)
    assert gini(np.array([[[1.0, 3.0], [0.0, 0.0]]]))[0] == pytest.approx((1 * 1 + 3 * 3) / (4 * 4))
    assert gini(np.zeros((1, 4, 4)))[0] == 0.0


def test_max_sensitivity_by_hand() -> None:
    maps = np.zeros((2, 4, 4))
    maps[0, 0, 0], maps[1, 0, 0] = 3.0, 5.0
    moved = np.stack([maps, maps])
    moved[0, 0, 1, 1] = 4.0  # |difference| 4 of 3
    moved[1, 0, 0, 0] = 4.0  # 1 of 3: not the largest
    assert max_sensitivity(maps, moved).tolist() == [pytest.approx(4 / 3), 0.0]
    assert max_sensitivity(np.zeros((1, 4, 4)), np.ones((1, 1, 4, 4)))[0] == np.inf
    assert max_sensitivity(np.zeros((1, 4, 4)), np.zeros((1, 1, 4, 4)))[0] == 0


def test_entropy_by_hand() -> None:
    assert entropy(np.ones((1, 4, 4)))[0] == 0.0
    half = np.repeat([0.0, 1.0], 8).reshape(1, 4, 4)
    assert entropy(half)[0] == pytest.approx(np.log(2))
    assert entropy(MAP[None], bins=16)[0] == pytest.approx(np.log(16))
    assert np.isnan(entropy(np.full((1, 4, 4), np.nan))[0])


def test_imputation_by_hand() -> None:
    """One hidden pixel in the middle is 1/6 of each near and 1/12 of each far neighbour; in a corner of three."""
    picture = MAP[None, ..., None]
    gone = np.zeros((1, 4, 4), bool)
    gone[0, 1, 1] = gone[0, 3, 3] = True
    found = impute(picture, gone, close=1e-7)[0, ..., 0]
    near, far = 1 + 4 + 6 + 9, 0 + 2 + 8 + 10
    assert found[1, 1] == pytest.approx(near / 6 + far / 12, abs=1e-5)
    assert found[3, 3] == pytest.approx(((11 + 14) / 6 + 10 / 12) / (2 / 6 + 1 / 12), abs=1e-5)
    assert np.array_equal(found[~gone[0]], MAP[~gone[0]])


def test_imputation_solves_its_equations_whatever_is_hidden() -> None:
    rng = np.random.default_rng(0)
    pictures, gone = rng.normal(size=(3, 13, 10, 2)), rng.random((3, 13, 10)) < 0.8
    gone[2] = True
    found = impute(pictures, gone, close=1e-6, sweeps=5000)
    for picture, hole, filled in zip(pictures[:2], gone, found, strict=False):
        assert np.allclose(filled[~hole], picture[~hole], atol=1e-6)
        for y, x in zip(*np.nonzero(hole), strict=True):
            weights, total = 0.0, np.zeros(2)
            for dy, dx in [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]:
                if 0 <= y + dy < 13 and 0 <= x + dx < 10:
                    weight = 1 / 12 if dy and dx else 1 / 6
                    weights, total = weights + weight, total + weight * filled[y + dy, x + dx]
            assert np.allclose(filled[y, x], total / weights, atol=1e-3)
    assert np.allclose(found[2], pictures[2].mean(axis=(0, 1)), atol=1e-6)  # nothing left to go by


def test_the_edge_detector_by_hand_and_the_middle() -> None:
    step = np.repeat([0.0, 0.0, 1.0, 1.0], 4).reshape(1, 4, 4)  # from dark above to light below
    assert edges(step)[0].tolist() == [[0] * 4, [4] * 4, [4] * 4, [0] * 4]
    assert edges(np.swapaxes(step, 1, 2))[0].tolist() == [[0, 4, 4, 0]] * 4
    assert centred(4, 0.25) == pytest.approx(np.exp(-0.5 * np.array([1.5, 0.5, 0.5, 1.5]) ** 2))


def test_intervals_cover_the_mean_and_are_paired() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=200)
    a, b = images + 0.1 + 0.01 * rng.normal(size=200), images
    assert difference(a, b).low > 0.09  # each image with itself
    assert interval(a).low < interval(b).high  # apart they overlap
    covered = [interval(rng.normal(size=30)) for _ in range(200)]
    assert 0.88 < np.mean([each.low <= 0 <= each.high for each in covered]) <= 0.99
    one = interval(np.array([0.4, np.nan]))
    assert (one.mean, one.n) == (0.4, 1)
    assert np.isnan(one.low)
    assert interval(np.array([])).n == 0
