"""Gradients, gradient times input and guided backpropagation: closed forms, by hand, and on every kind of ReLU."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.errors import FieldmarkError, ModelError
from fieldmark.explainers.gradients import over_channels
from tests.support import linear, models

pytestmark = pytest.mark.every_backend

TARGETS = [0, 2]


@pytest.mark.parametrize(("channels", "join"), list(linear.JOINED.items()))
@pytest.mark.parametrize("explainer", [fm.Gradients, fm.GuidedBackprop])
def test_channels_are_joined_as_named(channels: str, join: Any, explainer: Any) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 3, 5, 4, 3))
    np.testing.assert_allclose(over_channels(values, channels), join(values))
    clf, known = linear.rectified()
    made = explainer(channels=channels)(clf, known.images(2), TARGETS)
    assert made.signed is (channels == "sum")
    if channels != "sum":
        assert made.maps.min() >= 0


@pytest.mark.parametrize("channels", ["max", "l2", "sum"])
def test_on_a_linear_model_the_gradient_is_its_weights(channels: str) -> None:
    clf, weights, images = linear.model()
    made = fm.Gradients(channels=channels)(clf, images, TARGETS)
    expected = linear.JOINED[channels](np.moveaxis(weights[..., TARGETS], -1, 0))
    np.testing.assert_allclose(made.maps, np.broadcast_to(expected, made.maps.shape), atol=1e-6)


def test_on_a_linear_model_gradient_times_input_sums_to_the_score_without_bias() -> None:
    clf, weights, images = linear.model(bias=0.0)
    made = fm.GradientTimesInput()(clf, images, TARGETS)
    np.testing.assert_allclose(made.maps, linear.shares(weights, images, TARGETS), atol=1e-5)
    np.testing.assert_allclose(made.maps.sum(axis=(2, 3)), made.scores, atol=1e-5)
    assert made.signed


def test_gradient_times_input_uses_what_the_model_eats() -> None:
    clf, weights, images = linear.model(preprocess=lambda x: 2 * x - 1)
    made = fm.GradientTimesInput()(clf, images, TARGETS)
    np.testing.assert_allclose(made.maps, linear.shares(weights, 2 * images - 1, TARGETS), atol=1e-5)


def test_guided_backprop_is_the_papers_rule_done_by_hand() -> None:
    clf, known = linear.rectified()
    images = known.images(3)
    made = fm.GuidedBackprop(channels="sum")(clf, images, TARGETS)
    np.testing.assert_allclose(made.maps, known.guided(images, TARGETS), atol=1e-5)
    plain = fm.Gradients(channels="sum")(clf, images, TARGETS)
    np.testing.assert_allclose(plain.maps, known.plain(images, TARGETS), atol=1e-5)
    assert np.abs(made.maps - plain.maps).max() > 1e-2


def _fused(units: int) -> Any:
    return lambda x: layers.Conv2D(units, 1, activation="relu")(x)


def _layer(**options: Any) -> Any:
    return lambda units: lambda x: layers.ReLU(**options)(layers.Conv2D(units, 1)(x))


def _activation(units: int) -> Any:
    return lambda x: layers.Activation("relu")(layers.Conv2D(units, 1)(x))


def _operation(units: int) -> Any:
    return lambda x: keras.ops.relu(layers.Conv2D(units, 1)(x))


@pytest.mark.parametrize("make", [_fused, _layer(), _layer(max_value=50.0), _activation, _operation])
def test_every_kind_of_relu_is_guided(make: Any) -> None:
    clf, known = linear.rectified(make)
    images = known.images(2)
    made = fm.GuidedBackprop(channels="sum")(clf, images, TARGETS)
    np.testing.assert_allclose(made.maps, known.guided(images, TARGETS), atol=1e-5)


def test_a_relu_that_is_used_twice_is_guided_twice() -> None:
    relu = layers.ReLU()
    clf, known = linear.rectified(lambda units: lambda x: relu(layers.Conv2D(units, 1)(x)))
    images = known.images(2)
    np.testing.assert_allclose(
        fm.GuidedBackprop(channels="sum")(clf, images, TARGETS).maps, known.guided(images, TARGETS), atol=1e-5
    )


def test_guided_backprop_leaves_the_next_gradient_as_it_was() -> None:
    clf, known = linear.rectified()
    images = known.images(2)
    before = fm.Gradients()(clf, images).maps
    weights = [np.array(each) for each in clf.model.get_weights()]
    fm.GuidedBackprop()(clf, images)
    np.testing.assert_array_equal(fm.Gradients()(clf, images).maps, before)
    assert all("call" not in vars(layer) for layer in clf.model.layers)
    for old, new in zip(weights, clf.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_leaky_relus_are_not_guided_and_a_model_without_relu_is_refused() -> None:
    clf, _ = linear.rectified(_layer(negative_slope=0.1))
    with pytest.raises(ModelError) as caught:
        fm.GuidedBackprop()(clf, np.zeros((1, 4, 3, 3), np.float32))
    assert str(caught.value) == (
        f"model {clf.name!r} has no ReLU layer: guided backpropagation is defined for ReLU networks; "
        "use Gradients or SmoothGrad, or make each ReLU a layer of its own"
    )


@pytest.mark.parametrize("explainer", [fm.Gradients, fm.GuidedBackprop])
def test_unknown_channels_are_refused(explainer: Any) -> None:
    with pytest.raises(FieldmarkError, match=r"^channels='mean': expected one of max, l2, sum$"):
        explainer(channels="mean")


@pytest.mark.parametrize("explainer", [fm.Gradients(), fm.GradientTimesInput(), fm.GuidedBackprop()])
def test_a_batch_is_its_images_one_by_one_and_batches_may_have_any_size(explainer: Any) -> None:
    known = models.functional()
    images = known.images(5)
    whole = explainer(fm.Classifier(known.model, batch_size=16), images, fm.Top(2)).maps
    small = fm.Classifier(known.model, batch_size=2)
    np.testing.assert_allclose(explainer(small, images, fm.Top(2)).maps, whole, atol=1e-6)
    for index, image in enumerate(images):
        np.testing.assert_allclose(explainer(small, image, fm.Top(2)).maps[0], whole[index], atol=1e-6)
