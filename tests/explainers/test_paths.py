"""Integrated and expected gradients: closed forms, completeness, honest errors, and every field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError, ImageError, LayerError
from fieldmark.explainers.fills import gaussian_blur
from fieldmark.explainers.paths import draws, error_of_mean, flat_images, quadrature
from tests.support import linear, models

every_backend = pytest.mark.every_backend  # the laws; the rest is the same arithmetic on any of them

TARGETS = [0, 2]


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional()


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=8)


def noted(made: fm.Attribution, name: str) -> np.ndarray:
    return np.array(made.provenance["completeness"][name])


@pytest.mark.parametrize("rule", ["gauss-legendre", "midpoint"])
def test_quadrature_is_exact_for_straight_lines(rule: str) -> None:
    for steps in (1, 2, 7, 32):
        points, weights = quadrature(steps, rule)
        assert len(points) == steps
        assert weights.sum() == pytest.approx(1)
        assert (weights * points).sum() == pytest.approx(0.5)
    points, weights = quadrature(3, rule)
    fifth = pytest.approx(1 / 6)  # the integral of a^5: Gauss-Legendre with 3 points is exact up to there
    assert bool((weights * points**5).sum() == fifth) is (rule == "gauss-legendre")


@every_backend
@pytest.mark.parametrize("rule", ["gauss-legendre", "midpoint"])
@pytest.mark.parametrize("steps", [1, 3])
def test_on_a_linear_model_integrated_gradients_is_weight_times_difference(rule: str, steps: int) -> None:
    clf, weights, images = linear.model()
    own = np.arange(images[0].size, dtype=np.float32).reshape(images[0].shape) / 10
    for baseline, start in (
        (0.0, 0.0),
        (0.5, 0.5),
        ((0.1, 0.2, 0.3), np.array([0.1, 0.2, 0.3])),
        (own, own),
        (np.stack([own, 2 * own, 3 * own]), np.stack([own, 2 * own, 3 * own])),
        ("blur", gaussian_blur(images, 0.3)),
    ):
        made = fm.IntegratedGradients(baseline=baseline, steps=steps, rule=rule)(clf, images, TARGETS)
        np.testing.assert_allclose(made.maps, linear.shares(weights, images - start, TARGETS), atol=1e-5)
        np.testing.assert_allclose(noted(made, "residual"), 0, atol=1e-5)
        assert made.signed


def test_the_baseline_is_an_image_and_is_preprocessed_like_one() -> None:
    clf, weights, images = linear.model(preprocess=lambda x: 2 * x - 1)
    made = fm.IntegratedGradients(baseline=0.25)(clf, images, TARGETS)
    np.testing.assert_allclose(made.maps, linear.shares(weights, 2 * images - 0.5, TARGETS), atol=1e-5)


@every_backend
@pytest.mark.parametrize("target", [fm.Top(2), fm.Contrast(1, 4), fm.Contrast(1), fm.Weighted({0: 1.0, 3: -0.5})])
def test_integrated_gradients_are_complete_and_more_steps_leave_less(
    clf: Any, known: models.Known, target: Any
) -> None:
    images = known.images(3)
    worst = []
    for steps in (4, 256):
        made = fm.IntegratedGradients(steps=steps)(clf, images, target)
        residual = noted(made, "score") - noted(made, "reference") - made.maps.sum(axis=(2, 3))
        np.testing.assert_allclose(noted(made, "residual"), residual, atol=1e-5)
        worst.append(np.abs(residual).max())
    assert worst[1] < 1e-3
    assert worst[1] < worst[0] / 4


def test_what_integrated_gradients_promise_is_the_difference_of_predictions(clf: Any, known: models.Known) -> None:
    images = known.images(2)
    made = fm.IntegratedGradients(steps=200)(clf, images, TARGETS)
    scores, black = (clf.predict(each).scores[:, TARGETS] for each in (images, 0 * images))
    np.testing.assert_allclose(made.maps.sum(axis=(2, 3)), scores - black, atol=2e-3)
    np.testing.assert_allclose(noted(made, "reference"), black, atol=1e-5)


@every_backend
@pytest.mark.parametrize("stratified", [True, False])
def test_on_a_linear_model_expected_gradients_are_the_shapley_values(stratified: bool) -> None:
    clf, weights, images = linear.model()
    background = np.random.default_rng(8).normal(size=(5, *linear.SHAPE)).astype(np.float32)
    explainer = fm.ExpectedGradients(background=background, samples=20, stratified=stratified)
    made = explainer(clf, images, TARGETS)
    _, picks = draws(20, 5, stratified, 0)
    np.testing.assert_allclose(
        made.maps, linear.shares(weights, images - background[picks].mean(axis=0), TARGETS), atol=1e-5
    )
    exact = linear.shares(weights, images - background.mean(axis=0), TARGETS)
    off = np.abs(made.maps - exact).max()
    assert off < 1e-5 if stratified else off > 1e-2  # every background image equally often, or as the dice fall
    usual = clf.predict(background).scores[:, TARGETS].mean(axis=0)
    np.testing.assert_allclose(noted(made, "reference"), np.broadcast_to(usual, (3, 2)), atol=1e-5)


@every_backend
@pytest.mark.parametrize("layer", [None, "conv1", "conv2"])
def test_the_sum_is_the_score_less_the_mean_of_the_background_within_the_error(
    clf: Any, known: models.Known, layer: str | None
) -> None:
    images, background = known.images(2), known.images(6, seed=9)
    made = fm.ExpectedGradients(background=background, layer=layer, samples=240)(clf, images, fm.Top(2))
    wanted = np.take_along_axis(clf.predict(images).scores, made.classes, axis=1)
    usual = clf.predict(background).scores.mean(axis=0)[made.classes]
    error = noted(made, "standard_error")
    np.testing.assert_allclose(noted(made, "score") - noted(made, "reference"), wanted - usual, atol=1e-4)
    assert (np.abs(made.maps.sum(axis=(2, 3)) - (wanted - usual)) < 4 * error + 1e-4).all()
    few = fm.ExpectedGradients(background=background, layer=layer, samples=24)(clf, images, fm.Top(2))
    assert (error < noted(few, "standard_error")).all()
    assert made.variance is not None
    assert made.variance.shape == made.maps.shape
    assert made.maps.shape[2:] == ((8, 6) if layer == "conv2" else (16, 12))
    assert made.provenance["layer"] == layer


def test_the_default_background_is_flat_images_over_the_images_own_range() -> None:
    image = np.random.default_rng(2).uniform(-1, [1, 2, 3], size=(9, 7, 3)).astype(np.float32)
    flat = flat_images(image)
    assert flat.shape == (8, 9, 7, 3)
    assert np.ptp(flat, axis=(1, 2)).max() == 0
    assert (flat.min(axis=(0, 1, 2)) > image.min(axis=(0, 1))).all()
    assert (flat.max(axis=(0, 1, 2)) < image.max(axis=(0, 1))).all()
    clf, weights, images = linear.model()
    made = fm.ExpectedGradients(samples=80)(clf, images, TARGETS)
    middle = (images.min(axis=(1, 2)) + images.max(axis=(1, 2))) / 2
    np.testing.assert_allclose(made.maps, linear.shares(weights, images - middle[:, None, None], TARGETS), atol=1e-4)


@every_backend
def test_where_ways_lead_around_a_layer_they_keep_what_the_image_gave() -> None:
    clf, images, background = linear.bypassed()
    made = fm.ExpectedGradients(layer="inner", background=background, samples=60)(clf, images, TARGETS)
    np.testing.assert_allclose(noted(made, "residual"), 0, atol=1e-4)  # linear: exact
    assert np.abs(noted(made, "reference") - clf.predict(background).scores[:, TARGETS].mean(0)).max() > 0.1


@pytest.mark.parametrize("stratified", [True, False])
def test_the_variance_is_honest(stratified: bool) -> None:
    """95 % intervals hold the truth about as often as they say; stratified ones at least as often."""
    clf, weights, images = linear.model()
    background = np.random.default_rng(8).normal(size=(40, *linear.SHAPE)).astype(np.float32)
    exact = linear.shares(weights, images - background.mean(axis=0), [0])
    inside, sums = [], []
    for seed in range(25):
        explainer = fm.ExpectedGradients(background=background, samples=30, stratified=stratified, seed=seed)
        made = explainer(clf, images, [0])
        assert made.variance is not None
        inside.append(np.abs(made.maps - exact) < 2.05 * np.sqrt(made.variance))  # Student's t, 29 degrees of freedom
        sums.append(np.abs(noted(made, "residual")) < 2.05 * noted(made, "standard_error"))
    assert np.mean(inside) >= 0.9
    assert np.mean(sums) >= 0.85
    assert stratified or np.mean(inside) <= 0.99


def test_the_error_of_a_stratified_sum_leaves_out_the_trend_and_stays_honest() -> None:
    """Slopes that grow with alpha, and a little noise: the truth is 10 / 3."""
    off, errors = [], []
    for seed in range(200):
        alphas, _ = draws(40, 5, True, seed)
        noise = np.random.default_rng(1000 + seed).normal(size=40)
        slopes = (10 * alphas**2 + noise)[None, :, None]
        off.append(slopes.mean() - 10 / 3)
        errors.append(float(error_of_mean(slopes, alphas)[0, 0]))
        assert errors[-1] < 0.6 * error_of_mean(slopes, None)[0, 0]
    inside = np.mean(np.abs(off) < 2.02 * np.array(errors))
    assert 0.9 <= inside <= 0.99


def test_stratified_draws_spread_and_independent_ones_do_not() -> None:
    alphas, picks = draws(60, 20, True, 5)
    assert (np.sort((alphas * 60).astype(int)) == np.arange(60)).all()
    assert (np.bincount(picks, minlength=20) == 3).all()
    loose, chosen = draws(60, 20, False, 5)
    assert len(set((loose * 60).astype(int))) < 60
    assert np.bincount(chosen, minlength=20).max() > 3


EXPLAINERS = [
    fm.IntegratedGradients(steps=5, baseline="blur"),
    fm.ExpectedGradients(samples=5),
    fm.ExpectedGradients(samples=6, layer="conv2"),
]


@every_backend
@pytest.mark.parametrize("explainer", EXPLAINERS, ids=repr)
def test_a_batch_is_its_images_one_by_one_and_batches_may_have_any_size(known: models.Known, explainer: Any) -> None:
    images = known.images(4)
    whole = explainer(fm.Classifier(known.model, batch_size=16), images, fm.Top(2))
    small = fm.Classifier(known.model, batch_size=3)
    np.testing.assert_allclose(explainer(small, images, fm.Top(2)).maps, whole.maps, atol=1e-5)
    for index, image in enumerate(images):
        alone = explainer(small, image, fm.Top(2))
        np.testing.assert_allclose(alone.maps[0], whole.maps[index], atol=1e-5)
        if whole.variance is not None:
            np.testing.assert_allclose(alone.variance[0], whole.variance[index], atol=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (fm.IntegratedGradients(steps=5), fm.IntegratedGradients(steps=6)),
        (fm.IntegratedGradients(steps=5), fm.IntegratedGradients(steps=5, rule="midpoint")),
        (fm.IntegratedGradients(steps=5), fm.IntegratedGradients(steps=5, baseline=0.2)),
        (fm.ExpectedGradients(samples=5), fm.ExpectedGradients(samples=5, seed=1)),
        (fm.ExpectedGradients(samples=5), fm.ExpectedGradients(samples=6)),
        (fm.ExpectedGradients(samples=5), fm.ExpectedGradients(samples=5, stratified=False)),
        (fm.ExpectedGradients(samples=5), fm.ExpectedGradients(samples=5, background=np.zeros((2, 16, 12, 3)))),
        (fm.ExpectedGradients(samples=5, layer="conv1"), fm.ExpectedGradients(samples=5)),
    ],
)
def test_every_field_changes_the_map(clf: Any, known: models.Known, one: Any, other: Any) -> None:
    images = known.images(1)
    a, again, b = one(clf, images), one(clf, images), other(clf, images)
    np.testing.assert_array_equal(a.maps, again.maps)
    assert np.abs(a.maps - b.maps).max() > 1e-5
    assert a.provenance["parameters"] != b.provenance["parameters"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fm.IntegratedGradients(steps=0), "steps=0: expected a whole number of 1 or more"),
        (lambda: fm.IntegratedGradients(steps=2.5), "steps=2.5: expected a whole number of 1 or more"),  # type: ignore[arg-type]
        (lambda: fm.IntegratedGradients(rule="simpson"), "rule='simpson': expected one of gauss-legendre, midpoint"),
        (
            lambda: fm.IntegratedGradients(baseline="black"),
            "baseline='black': expected a number, an image, or \"blur\"",
        ),
        (lambda: fm.ExpectedGradients(samples=1), "samples=1: expected a whole number of 2 or more"),
        (lambda: fm.ExpectedGradients(seed=-1), "seed=-1: expected a whole number of 0 or more"),
    ],
)
def test_fields_out_of_range_are_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(FieldmarkError) as caught:
        make()
    assert str(caught.value) == message


def test_baselines_and_backgrounds_that_do_not_fit_are_refused(clf: Any, known: models.Known) -> None:
    images = known.images(2)
    with pytest.raises(ImageError) as caught:
        fm.IntegratedGradients(baseline=np.zeros((12, 16, 3)))(clf, images)
    assert str(caught.value) == (
        "baseline: expected one number, 3 (one per channel), an image (16, 12, 3) or 2 of them, "
        "received shape (12, 16, 3)"
    )
    with pytest.raises(ImageError, match=r"^baseline: expected finite numbers"):
        fm.IntegratedGradients(baseline=float("nan"))(clf, images)
    with pytest.raises(ImageError, match=r"^background: expected at least one image, received shape \(0, 16, 12, 3\)$"):
        fm.ExpectedGradients(background=np.zeros((0, 16, 12, 3)))(clf, images)
    with pytest.raises(ImageError, match=r"^background: expected .*16.*12.*3.*, received .*\(4, 12, 16, 3\)"):
        fm.ExpectedGradients(background=np.zeros((4, 12, 16, 3)))(clf, images)
    with pytest.raises(LayerError, match="pooled"):
        fm.ExpectedGradients(layer="pooled")(clf, images)
