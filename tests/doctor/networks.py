"""Small networks with one thing the matter each, and images of 0 to 255 that differ from one another."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

SHAPE = (24, 20, 3)
CLASSES = 5


def images(n: int = 6, seed: int = 0) -> np.ndarray:
    """Smooth colours with a bright square each, uint8 (n, *SHAPE)."""
    rng = np.random.default_rng(seed)
    pixels = np.empty((n, *SHAPE))
    for image in pixels:
        image[:] = rng.uniform(20, 160, 3) + rng.normal(size=SHAPE) * 25
        top, left = rng.integers(0, 12, 2)
        image[top : top + 8, left : left + 8] += rng.uniform(-60, 90, 3)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def network(
    *before: Any,
    trained_on: Any = None,
    norm: bool = True,
    gain: float = 1.0,
    activation: str | None = "softmax",
    outputs: int = CLASSES,
) -> keras.Model:
    """`before`, convolution, batch-norm, ReLU, convolution, pooling, dense.

    trained_on  a function of pixels: the batch-norm's statistics are those of what it makes of `images`, as training
                leaves them; None: those it began with
    gain        of the last layer's weights: a large one saturates the softmax
    """
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE)
    value = image
    for layer in before:
        value = layer(value)
    value = first = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1")(value)
    if norm:
        value = layers.BatchNormalization(name="norm")(value)
    value = layers.ReLU(name="relu")(value)
    value = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv2")(value)
    value = layers.GlobalAveragePooling2D(name="pooled")(value)
    model = keras.Model(image, layers.Dense(outputs, activation=activation, name="final")(value), name="patient")
    if trained_on is not None:
        train_norm(model, keras.Model(image, first), trained_on(images(24, seed=1).astype(np.float32)))
    final = model.get_layer("final")
    final.set_weights([gain * weight for weight in final.get_weights()])
    return model


def train_norm(model: Any, until: Any, x: np.ndarray) -> None:
    """Give the batch-norm the mean and variance of its input."""
    values = np.asarray(keras.ops.convert_to_numpy(until(x)))
    norm = model.get_layer("norm")
    norm.moving_mean.assign(values.mean(axis=(0, 1, 2)))
    norm.moving_variance.assign(values.var(axis=(0, 1, 2)))
