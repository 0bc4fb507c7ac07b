"""Models so simple that what every gradient method must say about them is one line of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

import fieldmark as fm

SHAPE = (4, 3, 3)
CLASSES = 4

JOINED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "max": lambda values: np.abs(values).max(axis=-1),
    "l2": lambda values: np.linalg.norm(values, axis=-1),
    "sum": lambda values: values.sum(axis=-1),
}


def model(
    bias: float = 0.3, preprocess: Any = None, batch_size: int = 16
) -> tuple[fm.Classifier, np.ndarray, np.ndarray]:
    """A linear classifier without softmax, its weights (h, w, c, classes), and three images (3, h, w, c)."""
    rng = np.random.default_rng(3)
    dense = layers.Dense(CLASSES, name="final")
    built = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), dense])
    weights = rng.normal(size=(*SHAPE, CLASSES)).astype(np.float32)
    dense.set_weights([weights.reshape(-1, CLASSES), np.full(CLASSES, bias, np.float32)])
    images = rng.normal(size=(3, *SHAPE)).astype(np.float32)
    return fm.Classifier(built, preprocess=preprocess, batch_size=batch_size), weights, images


def shares(weights: np.ndarray, difference: np.ndarray, classes: list[int]) -> np.ndarray:
    """(n, t, h, w): what each pixel adds to the scores of these classes when it moves by `difference` (n, h, w, c)."""
    return np.einsum("nhwc,hwck->nkhw", difference, weights[..., classes])


@dataclass(frozen=True, eq=False)
class Rectified:
    """Two 1 x 1 convolutions with ReLU and a dense layer, from torch's arrays (out, in, 1, 1) and (out, in)."""

    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray
    final: np.ndarray
    final_bias: np.ndarray
    channels_last: bool = False

    def images(self, n: int) -> np.ndarray:
        return np.random.default_rng(1).normal(size=(n, *SHAPE)).astype(np.float32)

    def plain(self, images: np.ndarray, classes: list[int]) -> np.ndarray:
        return self._back(images, classes, lambda gradient: gradient)

    def guided(self, images: np.ndarray, classes: list[int]) -> np.ndarray:
        return self._back(images, classes, lambda gradient: np.maximum(gradient, 0))

    def _back(self, images: np.ndarray, classes: list[int], rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The gradient's sum over channels (n, t, h, w), `rule` being applied to what arrives at each ReLU."""
        one, two = self.first[:, :, 0, 0], self.second[:, :, 0, 0]
        a = images @ one.T + self.first_bias
        b = np.maximum(a, 0) @ two.T + self.second_bias
        h, w, _ = SHAPE
        shape = (len(classes), h, w, -1) if self.channels_last else (len(classes), -1, h, w)
        arriving = self.final[classes].reshape(shape)
        arriving = arriving if self.channels_last else np.moveaxis(arriving, 1, -1)
        behind = rule(arriving)[None] * (b > 0)[:, None]
        return ((rule(behind @ two) * (a > 0)[:, None]) @ one).sum(axis=-1)


def rectified(make: Any = None) -> tuple[fm.Classifier, Rectified]:
    """A Keras model with two ReLUs, made by `make(units)(x)`: by default fused into the convolution."""
    keras.utils.set_random_seed(4)
    make = make or (lambda units: lambda x: layers.Conv2D(units, 1, activation="relu")(x))
    image = keras.Input(SHAPE)
    value = layers.Flatten()(make(5)(make(6)(image)))
    built = keras.Model(image, layers.Dense(CLASSES)(value))
    arrays = [np.asarray(each) for each in built.get_weights()]
    rng = np.random.default_rng(5)
    arrays = [each if each.ndim > 1 else rng.normal(size=each.shape).astype(np.float32) * 0.3 for each in arrays]
    built.set_weights(arrays)
    turned = [each.T[:, :] if each.ndim == 2 else each.transpose(*range(each.ndim)[::-1]) for each in arrays]
    return fm.Classifier(built), Rectified(*turned, channels_last=True)


def bypassed() -> tuple[fm.Classifier, np.ndarray, np.ndarray]:
    """A linear residual model, a way leading around its layer "inner"; one image and five background images."""
    keras.utils.set_random_seed(6)
    image = keras.Input(SHAPE)
    inner = layers.Conv2D(3, 3, padding="same", name="inner")(image)
    built = keras.Model(image, layers.Dense(CLASSES)(layers.Flatten()(layers.Add()([inner, image]))))
    rng = np.random.default_rng(7)
    images, background = (rng.normal(size=(n, *SHAPE)).astype(np.float32) for n in (1, 5))
    return fm.Classifier(built), images, background + 1
