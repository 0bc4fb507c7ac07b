"""Batch normalisation folded into convolutions: the same function, only where it is proved, and never unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from tests.support import models

pytestmark = pytest.mark.every_backend

SHAPE = (10, 8, 3)


def build(middle: Callable[[Any], Any]) -> Any:
    """A classifier with `middle` between its input and its pooling."""
    models.seeded()
    image = keras.Input(SHAPE)
    value = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="last")(middle(image)))
    model = keras.Model(image, layers.Dense(4, activation="softmax")(value))
    models.unsettle(model)
    return model


def mobile(x: Any) -> Any:
    """What mobile networks are made of, with and without bias, strided, depthwise, and an addition."""
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(6, name="act")(layers.BatchNormalization(name="stem_bn")(x))
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    y = layers.BatchNormalization(scale=False, name="depthwise_bn")(y)
    return layers.Add(name="add")([x, y])


def test_a_folded_model_is_the_same_function() -> None:
    model = build(mobile)
    folded, plain = fm.Classifier(model), fm.Classifier(model, fold=False)
    images = np.random.default_rng(0).normal(size=(5, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(folded.predict(images).scores, plain.predict(images).scores, atol=1e-5)
    assert folded.engine.pairs == (("stem", "stem_bn"), ("depthwise", "depthwise_bn"))
    assert plain.engine.pairs == ()
    for explainer in (fm.GradCAM(relu=False), fm.GradCAM(relu=False, layer="add"), fm.Gradients(channels="sum")):
        a, b = (explainer(clf, images, target=fm.Class(1)).maps for clf in (folded, plain))
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("layer", ["stem", "stem_bn", "depthwise", "depthwise_bn"])
def test_a_layer_that_is_looked_at_shows_its_own_output(layer: str) -> None:
    model = build(mobile)
    folded, plain = fm.Classifier(model), fm.Classifier(model, fold=False)
    images = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    a, b = (fm.GradCAM(relu=False, layer=layer)(clf, images, target=fm.Class(1)).maps for clf in (folded, plain))
    np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())
    own = keras.Model(model.input, model.get_layer(layer).output)
    np.testing.assert_allclose(folded.engine.activations(images, layer), models.numpy(own(images)), atol=1e-5)


def two_readers(x: Any) -> Any:
    x = layers.Conv2D(6, 3, padding="same")(x)
    return layers.Add()([x, layers.BatchNormalization()(x)])


def activated(x: Any) -> Any:
    return layers.BatchNormalization()(layers.Conv2D(6, 3, activation="relu")(x))


def twice(x: Any) -> Any:
    convolution = layers.Conv2D(3, 3, padding="same")
    return layers.BatchNormalization()(convolution(convolution(x)))


def other_axis(x: Any) -> Any:
    return layers.BatchNormalization(axis=1)(layers.Conv2D(6, 3)(x))


def something_between(x: Any) -> Any:
    return layers.BatchNormalization()(layers.ReLU()(layers.Conv2D(6, 3)(x)))


class Louder(layers.Conv2D):
    def call(self, inputs: Any) -> Any:
        return 2 * super().call(inputs)


def subclass(x: Any) -> Any:
    return layers.BatchNormalization()(Louder(6, 3)(x))


@pytest.mark.parametrize("middle", [two_readers, activated, twice, other_axis, something_between, subclass])
def test_what_cannot_be_proved_is_left_alone(middle: Callable[[Any], Any]) -> None:
    model = build(middle)
    clf = fm.Classifier(model)
    images = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(clf.predict(images).probabilities, models.numpy(model(images)), atol=1e-5)
    assert clf.engine.pairs == ()


class Peeking(keras.Model):
    """Reads the convolution's output behind the back of the recorded layers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = layers.Conv2D(6, 3, name="convolution")
        self.norm = layers.BatchNormalization(name="norm")
        self.final = layers.Dense(4)

    def call(self, x: Any) -> Any:
        x = self.convolution(x)
        return self.final(keras.ops.mean(self.norm(x) + x, axis=(1, 2)))


def test_a_fold_that_changes_the_scores_is_taken_back() -> None:
    models.seeded()
    model = Peeking()
    model(np.zeros((1, *SHAPE), np.float32))
    models.unsettle(model)
    clf = fm.Classifier(model)
    images = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(clf.predict(images).scores, models.numpy(model(images)), atol=1e-5)
    assert clf.engine.pairs == ()
