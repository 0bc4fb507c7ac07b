"""Superpixels, and the two methods that fit a linear model to hiding them: closed forms, exact Shapley values, sums."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.explainers.perturbation import grid_segments
from fieldmark.explainers.superpixel_methods import coalitions, lime_fit, shapley_fit
from fieldmark.explainers.superpixels import segment_images, segment_means, slic
from tests.support import linear

every_backend = pytest.mark.every_backend

SIZE = (12, 9)
QUARTERS = grid_segments(SIZE, (2, 2))


def curved(images: np.ndarray) -> np.ndarray:
    """Two scores in which the quarters of an image act together."""
    q = np.stack([images[:, k == QUARTERS].mean(axis=(1, 2)) for k in range(4)], axis=1)
    return np.stack([q[:, 0] * q[:, 1] - q[:, 2] ** 2 + np.maximum(q[:, 3], q[:, 0]), q.prod(axis=1)], axis=1)


def photographs(n: int = 2) -> np.ndarray:
    return np.random.default_rng(1).random((n, *SIZE, 3)).astype(np.float32)


def shapley(value: Any, count: int) -> np.ndarray:
    """The values by their definition, from a function of a set."""
    found = np.zeros(count)
    for player in range(count):
        others = [other for other in range(count) if other != player]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for chosen in combinations(others, size):
                found[player] += weight * (value({*chosen, player}) - value(set(chosen)))
    return found


# Kernel SHAP


def test_kernel_shap_of_few_segments_is_exact() -> None:
    images = photographs()
    found = fm.KernelSHAP(segments=QUARTERS, fill=0.2)(fm.Classifier(curved), images, [0, 1])
    for image, maps in zip(images, found.maps, strict=True):
        for target in (0, 1):

            def value(shown: set[int], image: np.ndarray = image, target: int = target) -> float:
                covered = np.where(np.isin(QUARTERS, list(shown))[..., None], image, np.float32(0.2))
                return float(curved(covered[None])[0, target])

            expected = shapley(value, 4)
            assert np.allclose(maps[target], expected[QUARTERS], atol=1e-6)
    assert found.provenance["exact"]
    assert found.provenance["segments"] == [4, 4]
    assert found.provenance["passes"] == 14 + 2 + 1


@pytest.mark.parametrize("samples", [pytest.param(60, marks=every_backend), 1022])
def test_kernel_shap_of_a_linear_model_is_what_each_segment_adds(samples: int) -> None:
    classifier, weights, images = linear.model()
    segments = np.arange(12).reshape(4, 3) % 10
    found = fm.KernelSHAP(samples=samples, segments=segments, fill=0.5)(classifier, images, [0, 2])
    shares = linear.shares(weights, images - 0.5, [0, 2])
    expected = np.stack([shares[..., segments == k].sum(axis=-1) for k in range(10)], axis=-1)
    assert np.allclose(found.maps, expected[..., segments], atol=1e-4)


@pytest.mark.parametrize("paired", [True, False])
def test_values_add_up_to_what_the_image_gains_over_the_fill_however_few_the_samples(paired: bool) -> None:
    images = photographs()
    segments = grid_segments(SIZE, (5, 4))
    found = fm.KernelSHAP(samples=30, segments=segments, fill="mean", paired=paired)(fm.Classifier(curved), images, 0)
    fill = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
    gain = curved(images)[:, 0] - curved(fill)[:, 0]
    first = np.unique(segments, return_index=True)[1]
    assert np.allclose(found.maps[:, 0].reshape(2, -1)[:, first].sum(axis=1), gain, atol=1e-6)
    assert not found.provenance["exact"]


def test_one_segment_gets_all() -> None:
    found = fm.KernelSHAP(segments=np.zeros(SIZE, int), fill=0)(fm.Classifier(curved), photographs(1), 0)
    assert np.allclose(found.maps, curved(photographs(1))[0, 0] - curved(np.zeros((1, *SIZE, 3)))[0, 0], atol=1e-6)


def test_pairs_cancel_noise() -> None:
    rng = np.random.default_rng(0)
    alone, two, three = rng.normal(size=9), rng.normal(size=(9, 9)) / 3, rng.normal(size=(9, 9, 9)) / 9

    def score(shown: np.ndarray) -> np.ndarray:
        z = shown * 1.0
        return z @ alone + np.einsum("ni,ij,nj->n", z, two, z) + np.einsum("ni,nj,nk,ijk->n", z, z, z, three)

    def values(samples: int, paired: bool, seed: int) -> np.ndarray:
        shown, weights = coalitions(9, samples, paired, np.random.default_rng(seed))
        ends = score(np.stack([np.zeros(9), np.ones(9)]))
        return shapley_fit(shown, weights, score(shown)[None], ends[:1], ends[1:])[0]

    exact = values(512, True, 0)
    expected = shapley(lambda shown: float(score(np.isin(np.arange(9), list(shown))[None])[0]), 9)
    assert np.allclose(exact, expected)
    errors = [np.mean([np.square(values(80, paired, seed) - exact) for seed in range(60)]) for paired in (True, False)]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize(("count", "samples"), [(2, 2), (5, 30), (5, 29), (12, 100), (12, 30), (49, 512), (60, 50)])
@pytest.mark.parametrize("paired", [True, False])
def test_sets_keep_to_the_samples_and_weigh_as_the_kernel_does(count: int, samples: int, paired: bool) -> None:
    shown, weights = coalitions(count, samples, paired, np.random.default_rng(0))
    sizes = shown.sum(axis=1)
    assert len(shown) == len(weights) <= samples
    assert len(shown) >= min(samples, 2**count - 2) - 1
    assert sizes.min() >= 1
    assert sizes.max() <= count - 1
    assert np.isclose(weights.sum(), sum((count - 1) / (s * (count - s)) for s in range(1, count)))
    if paired or len(shown) == 2**count - 2:
        assert np.allclose(np.average(shown, axis=0, weights=weights), 0.5)
    if 2**count - 2 <= samples:
        assert len({tuple(row) for row in shown}) == 2**count - 2


# LIME


@every_backend
def test_lime_of_a_linear_model_is_what_each_segment_adds() -> None:
    classifier, weights, images = linear.model()
    segments = np.arange(12).reshape(4, 3) % 10
    found = fm.LIME(samples=64, segments=segments, ridge=1e-6, fill=0.5)(classifier, images, [0, 2])
    shares = linear.shares(weights, images - 0.5, [0, 2])
    expected = np.stack([shares[..., segments == k].sum(axis=-1) for k in range(10)], axis=-1)
    assert np.allclose(found.maps, expected[..., segments], atol=1e-3)
    assert np.allclose(found.provenance["r_squared"], 1, atol=1e-4)
    assert found.provenance["passes"] == 65


def test_limes_fit_solves_its_normal_equations_and_says_how_well_it_fits() -> None:
    rng = np.random.default_rng(0)
    shown, scores = rng.random((40, 5)) < 0.5, rng.normal(size=(2, 40))
    shown[0] = True
    weights, fit = lime_fit(shown, scores, 0.25, 2.0)
    cosine = np.array([row.sum() / np.sqrt(row.sum() * 5) if row.any() else 0 for row in shown])
    root = np.sqrt(np.exp(-((1 - cosine) ** 2) / (2 * 0.25**2)))
    rows = np.concatenate([root[:, None] * np.c_[shown, np.ones(40)], np.sqrt(2.0) * np.eye(6)[:5]])
    for target in range(2):
        solved = np.linalg.lstsq(rows, np.r_[root * scores[target], np.zeros(5)], rcond=None)[0]
        assert np.allclose(weights[target], solved[:5])
        missed = np.average((scores[target] - shown @ solved[:5] - solved[5]) ** 2, weights=root**2)
        mean = np.average(scores[target], weights=root**2)
        assert np.isclose(fit[target], 1 - missed / np.average((scores[target] - mean) ** 2, weights=root**2))


def test_limes_fit_is_reported_low_where_segments_act_together() -> None:
    def checkered(images: np.ndarray) -> np.ndarray:
        signs = np.stack([images[:, k == QUARTERS].mean(axis=(1, 2)) - 0.5 for k in range(4)], axis=1)
        return np.stack([signs.prod(axis=1) * 1e3, signs.sum(axis=1)], axis=1)

    explain = fm.LIME(segments=QUARTERS, fill=0.0)
    fits = explain(fm.Classifier(checkered), np.ones((1, *SIZE, 3), np.float32), [0, 1]).provenance["r_squared"][0]
    assert fits[0] < 0.5
    assert fits[1] > 0.99


def test_a_hidden_superpixel_shows_its_own_mean() -> None:
    image = photographs(1)[0]
    seen: list[np.ndarray] = []

    def keeping(images: np.ndarray) -> np.ndarray:
        seen.extend(images.copy())
        return curved(images)

    fm.LIME(samples=20, segments=QUARTERS)(fm.Classifier(keeping), image)
    means = segment_means(image, QUARTERS)
    assert np.allclose(means[0, 0], image[:6, :5].mean(axis=(0, 1)))
    for picture in seen[3:]:
        as_it_was, hidden = (np.abs(picture - each).max(axis=-1) < 1e-6 for each in (image, means))
        for quarter in range(4):
            here = quarter == QUARTERS
            assert as_it_was[here].all() or hidden[here].all()


# Superpixels


def test_a_plain_image_is_cut_into_a_grid() -> None:
    found = slic(np.zeros((20, 30, 3)), 24)
    assert (found == grid_segments((20, 30), (4, 6))).all()


def test_superpixels_follow_edges_are_connected_and_numbered() -> None:
    rows, columns = np.indices((40, 30))
    inside = (rows - 17) ** 2 + (columns - 14) ** 2 < 81
    image = np.where(inside[..., None], [200.0, 30.0, 10.0], [20.0, 90.0, 160.0])
    image += np.random.default_rng(0).normal(size=image.shape)
    found = slic(image, 40)
    assert sorted(np.unique(found)) == list(range(found.max() + 1))
    assert 20 <= found.max() + 1 <= 60
    inner = np.bincount(found.ravel(), inside.ravel()) / np.bincount(found.ravel())
    assert ((inner < 0.02) | (inner > 0.98)).all()
    from skimage.measure import label

    assert label(found + 1, connectivity=1).max() == found.max() + 1


def test_superpixels_do_not_depend_on_the_units() -> None:
    image = photographs(1)[0]
    assert (slic(image, 12) == slic(image * 255 - 20, 12)).all()


def test_given_segments_are_numbered_fitted_to_the_input_and_one_for_all_or_one_each() -> None:
    x = np.zeros((2, 6, 4, 1), np.float32)
    for_all = segment_images(x, np.array([[7, 7, 9, 9]] * 6), (12, 8))
    assert len(for_all) == 2
    assert for_all[1].tolist() == [[0, 0, 1, 1]] * 6
    larger = segment_images(x, np.repeat(np.arange(12)[:, None], 8, axis=1), (12, 8))
    assert larger[0].tolist() == [[row] * 4 for row in range(6)]
    each = segment_images(x, np.stack([np.zeros((6, 4), int), np.arange(24).reshape(6, 4)]), (12, 8))
    assert [one.max() for one in each] == [0, 23]


def test_the_segments_of_each_image_are_its_own() -> None:
    images = photographs(2)
    segments = np.stack([QUARTERS, QUARTERS.T.copy().reshape(SIZE)])
    explain = fm.KernelSHAP(segments=segments)
    together = explain(fm.Classifier(curved), images, 0).maps
    for index in range(2):
        alone = replace(explain, segments=segments[index])(fm.Classifier(curved), images[index], 0).maps[0]
        assert np.allclose(together[index], alone)
