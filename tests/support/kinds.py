"""Models of every kind that users bring, small, with random weights; each ends in pooling and a linear head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tests.support import models

SHAPE = (16, 12, 3)
CLASSES = 4


@dataclass(frozen=True, eq=False)
class Kind:
    """A model, the layer of its last map, and the same function of the images up to that map."""

    model: Any
    layer: str
    features: Any  # a model, or function, from images to the feature maps
    kernel: np.ndarray  # (c, classes) of the head

    def grad_cam(self, images: np.ndarray, cls: int) -> np.ndarray:
        """Signed: the head is linear behind mean pooling, so its gradient is its kernel over the number of places."""
        maps = models.numpy(self.features(ops.convert_to_tensor(images.astype(np.float32))))
        return maps @ self.kernel[:, cls] / np.prod(maps.shape[1:-1])


def images(n: int = 3, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


def base(shape: tuple[int, ...] = SHAPE, name: str = "base") -> Any:
    """Two convolutions and a batch norm: a headless network, as transfer learning starts from."""
    models.seeded()
    image = keras.Input(shape)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="last")(x)
    model = keras.Model(image, x, name=name)
    models.unsettle(model)
    return model


def _head(activation: str | None = "softmax", outputs: int = CLASSES) -> Any:
    return layers.Dense(outputs, activation=activation, name="head")


def _kernel(layer: Any) -> np.ndarray:
    return models.numpy(layer.kernel)


def transfer(functional: bool) -> Kind:
    """Augmentation, Rescaling, a frozen base, pooling, dropout, a head: as the tutorials write it."""
    inner = base()
    inner.trainable = False
    augment = [layers.RandomFlip("horizontal", seed=0), layers.RandomRotation(0.2, seed=0)]
    rescale, pool, drop, head = layers.Rescaling(1 / 127.5, offset=-1), layers.GlobalAveragePooling2D(), 0.5, _head()
    if functional:
        image = keras.Input(SHAPE)
        x = keras.Sequential(augment, name="augment")(image)
        x = pool(inner(rescale(x), training=False))
        model = keras.Model(image, head(layers.Dropout(drop)(x)))
    else:
        model = keras.Sequential([keras.Input(SHAPE), *augment, rescale, inner, pool, layers.Dropout(drop), head])
    return Kind(model, "base/last", lambda x: inner(x / 127.5 - 1, training=False), _kernel(head))


def nested() -> Kind:
    """A model in a model in a model."""
    inner = base(name="inner")
    image = keras.Input(SHAPE)
    middle = keras.Model(image, inner(layers.Rescaling(2.0)(image)), name="middle")
    head = _head()
    model = keras.Sequential([keras.Input(SHAPE), middle, layers.GlobalAveragePooling2D(), head], name="outer")
    return Kind(model, "middle/inner/last", lambda x: inner(2 * x, training=False), _kernel(head))


def reused() -> Kind:
    """One convolution called twice; the second call makes the last map."""
    models.seeded()
    twice = layers.Conv2D(3, 3, padding="same", activation="relu", name="twice")
    head = _head()
    image = keras.Input(SHAPE)
    model = keras.Model(image, head(layers.GlobalAveragePooling2D()(twice(twice(image)))))
    return Kind(model, "twice#2", lambda x: twice(twice(x)), _kernel(head))


def several_inputs(as_dict: bool = False) -> Kind:
    """An image, an age and four other numbers, joined before the head."""
    inner = base()
    image, age, rest = keras.Input(SHAPE, name="image"), keras.Input((1,), name="age"), keras.Input((4,), name="rest")
    head = _head()
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(inner(image)), age, rest])
    given: Any = {"age": age, "image": image, "rest": rest} if as_dict else [image, age, rest]
    model = keras.Model(given, head(joined))
    return Kind(model, "base/last", lambda x: inner(x, training=False), _kernel(head)[:8])


def several_outputs(as_dict: bool) -> Kind:
    """Two heads: names or numbers choose."""
    inner = base()
    image = keras.Input(SHAPE)
    pooled = layers.GlobalAveragePooling2D()(inner(image))
    first, second = layers.Dense(3, name="colour")(pooled), _head()
    outputs = {"colour": first, "kind": second(pooled)} if as_dict else [first, second(pooled)]
    model = keras.Model(image, outputs)
    return Kind(model, "base/last", lambda x: inner(x, training=False), _kernel(second))


@dataclass
class ModelOutput:
    """As Hugging Face's models return it: by attribute."""

    logits: Any
    hidden_states: Any = None


def with_logits() -> Kind:
    """A subclassed model that returns a ModelOutput."""
    inner, head = base(), _head(None)

    class Wrapped(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="wrapped")
            self.inner, self.pool, self.final = inner, layers.GlobalAveragePooling2D(), head

        def call(self, x: Any) -> ModelOutput:
            hidden = self.inner(x)
            return ModelOutput(self.final(self.pool(hidden)), hidden)

    model = Wrapped()
    head.build((None, 8))
    return Kind(model, "base/last", lambda x: inner(x, training=False), _kernel(head))


def plain(activation: str | None, outputs: int = CLASSES, shape: tuple[int, ...] = SHAPE) -> Kind:
    inner, head = base(shape), _head(activation, outputs)
    model = keras.Sequential([keras.Input(shape), inner, layers.GlobalAveragePooling2D(), head])
    return Kind(model, "base/last", lambda x: inner(x, training=False), _kernel(head))


def half(policy: str) -> Any:
    """A model made under a mixed precision policy, its softmax in float32 as Keras advises."""
    models.seeded()
    rules = {"dtype": policy}
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(6, 3, activation="relu", **rules),
            layers.BatchNormalization(**rules),
            layers.Conv2D(8, 3, activation="relu", name="last", **rules),
            layers.GlobalAveragePooling2D(**rules),
            layers.Dense(CLASSES, **rules),
            layers.Activation("softmax", dtype="float32"),
        ]
    )


def channels_first() -> tuple[Any, Any]:
    """The same network twice, with channels first and with channels last."""

    def build(first: bool) -> Any:
        models.seeded()
        rules = {"data_format": "channels_first" if first else "channels_last"}
        height, width, channels = SHAPE
        return keras.Sequential(
            [
                keras.Input((channels, height, width) if first else SHAPE),
                layers.Conv2D(6, 3, activation="relu", **rules),
                layers.BatchNormalization(axis=1 if first else -1),
                layers.MaxPooling2D(**rules),
                layers.DepthwiseConv2D(3, **rules),
                layers.Conv2D(8, 1, activation="relu", name="last", **rules),
                layers.GlobalAveragePooling2D(**rules),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )

    turned, straight = build(True), build(False)
    turned.set_weights(straight.get_weights())
    return turned, straight


def signal() -> Kind:
    """1D convolutions over (length, channels)."""
    models.seeded()
    steps = [layers.Conv1D(6, 5, activation="relu", name="first"), layers.Conv1D(8, 5, activation="relu", name="last")]
    head = _head()
    model = keras.Sequential([keras.Input((48, 2)), *steps, layers.GlobalAveragePooling1D(), head])
    return Kind(model, "last", lambda x: steps[1](steps[0](x)), _kernel(head))


def volume() -> Kind:
    """3D convolutions over (depth, height, width, channels)."""
    models.seeded()
    steps = [layers.Conv3D(4, 3, activation="relu", name="first"), layers.Conv3D(6, 3, activation="relu", name="last")]
    head = _head()
    model = keras.Sequential([keras.Input((8, 10, 7, 2)), *steps, layers.GlobalAveragePooling3D(), head])
    return Kind(model, "last", lambda x: steps[1](steps[0](x)), _kernel(head))
