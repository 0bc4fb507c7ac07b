"""Small models whose maps are known in closed form, each with the NumPy of what it computes after its last map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

CLASSES = 8


@dataclass(frozen=True, eq=False)
class Known:
    """A model, the layer of its last map, that map by hand, and the head's weights (c, classes) after mean pooling."""

    model: Any
    layer: str
    trunk: Any
    kernel: np.ndarray
    shape: tuple[int, int, int]

    def images(self, n: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=(n, *self.shape)).astype(np.float32)

    def feature_maps(self, images: np.ndarray) -> np.ndarray:
        """(n, h, w, c), by calling the layers one after the other, without fieldmark."""
        value: Any = keras.ops.convert_to_tensor(images)
        for layer in self.trunk:
            value = layer(value, training=False)
        return numpy(value)

    def grad_cam(self, images: np.ndarray, row: np.ndarray) -> np.ndarray:
        """(n, h, w) for output weights `row` (outputs,): the head is linear, so its gradient is its kernel / pixels."""
        maps = self.feature_maps(images)
        return np.maximum(maps @ (self.kernel @ row) / (maps.shape[1] * maps.shape[2]), 0)


def numpy(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value))


def seeded(seed: int = 0) -> None:
    keras.utils.set_random_seed(seed)


def trunk(nonlinearity: str = "relu") -> list[Any]:
    """Convolution, batch-norm, pooling, convolution."""
    return [
        layers.Conv2D(6, 3, padding="same", activation=nonlinearity, name="conv1"),
        layers.BatchNormalization(name="norm"),
        (layers.MaxPooling2D if nonlinearity == "relu" else layers.AveragePooling2D)(pool_size=2, name="pool"),
        layers.Conv2D(12, 3, padding="same", activation=nonlinearity, name="conv2"),
    ]


def unsettle(model: Any, seed: int = 1) -> None:
    """Give batch-norms statistics as after training, so that training mode would show."""
    rng = np.random.default_rng(seed)
    for layer in _every_layer(model):
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(size=size) * 0.3)
            layer.moving_variance.assign(rng.uniform(0.5, 2, size=size))


def _every_layer(model: Any) -> list[Any]:
    found = []
    for layer in model.layers:
        found += _every_layer(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def functional(
    shape: tuple[int, int, int] = (16, 12, 3),
    activation: str | None = "softmax",
    outputs: int = CLASSES,
    nonlinearity: str = "relu",
) -> Known:
    """Convolutions, global average pooling, one dense layer: h != w by default."""
    seeded()
    steps = trunk(nonlinearity)
    image = keras.Input(shape)
    value = image
    for layer in steps:
        value = layer(value)
    value = layers.GlobalAveragePooling2D(name="pooled")(value)
    head = layers.Dense(outputs, activation=activation, name="final")
    model = keras.Model(image, head(value), name="functional")
    unsettle(model)
    return Known(model, "conv2", steps, numpy(head.kernel), shape)


def around_base() -> Known:
    """A Sequential around a functional base that has no head: the transfer-learning model."""
    seeded()
    shape = (16, 12, 3)
    steps = trunk()
    image = keras.Input(shape)
    value = image
    for layer in steps:
        value = layer(value)
    base = keras.Model(image, value, name="base")
    head = layers.Dense(CLASSES, activation="softmax", name="final")
    model = keras.Sequential([keras.Input(shape), base, layers.GlobalAveragePooling2D(), layers.Dropout(0.5), head])
    unsettle(model)
    return Known(model, "base/conv2", steps, numpy(head.kernel), shape)


def frozen() -> Known:
    known = functional()
    known.model.trainable = False
    return known


class Subclassed(keras.Model):
    """A model that is only a `call`: no graph to read."""

    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.steps = trunk()
        self.pooled = layers.GlobalAveragePooling2D(name="pooled")
        self.final = layers.Dense(CLASSES, activation="softmax", name="final")

    def call(self, x: Any, training: bool = False) -> Any:
        for layer in self.steps:
            x = layer(x, training=training) if layer.name == "norm" else layer(x)
        return self.final(self.pooled(x))


def subclassed() -> Known:
    seeded()
    model = Subclassed()
    shape = (16, 12, 3)
    model(np.zeros((1, *shape), np.float32))
    unsettle(model)
    return Known(model, "conv2", model.steps, numpy(model.final.kernel), shape)


def smooth() -> Known:
    """Small and without kinks, for comparisons with finite differences."""
    return functional(shape=(6, 4, 3), nonlinearity="tanh")


def grey() -> Known:
    return functional(shape=(28, 28, 1))


def sigmoid() -> Known:
    """One sigmoid output."""
    return functional(activation="sigmoid", outputs=1)


def logits() -> Known:
    """No activation at the end."""
    return functional(activation=None)


SOFTMAX_MODELS = {
    "functional, non-square, 8 classes": functional,
    "Sequential around a base": around_base,
    "frozen": frozen,
    "subclassed": subclassed,
    "1 channel, 28 x 28": grey,
    "logits": logits,
}
