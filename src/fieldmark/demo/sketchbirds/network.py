"""The network that ships with the sketch birds, and the architecture it has: four convolutions and 90 000 weights."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.demo.sketchbirds.designs import DESIGNS
from fieldmark.demo.sketchbirds.sampling import TIERS

if TYPE_CHECKING:
    import keras

    from fieldmark.classifier import Classifier

DESIGN, TIER = "two", "easy"
"""What the shipped network was trained on: two marks a class, so that a guide has something to choose from."""
WEIGHTS = f"{DESIGN}.npz"
FILTERS = ((24, 5, 2), (40, 3, 2), (64, 3, 2), (96, 3, 1))
"""Filters, kernel and stride of each convolution."""


def strided(size: int = 64, classes: int = 8, name: str = "sketchbirds") -> keras.Model:
    """The untrained network: images (n, size, size, 3) from 0 to 1 in, probabilities (n, classes) out."""
    from keras import Input, Model, layers

    inputs = Input((size, size, 3), name="image")
    x: Any = inputs
    for index, (filters, kernel, stride) in enumerate(FILTERS, 1):
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=f"conv{index}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"bn{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return Model(inputs, layers.Dense(classes, activation="softmax", name="species")(x), name=name)


def preprocess(images: np.ndarray) -> np.ndarray:
    """Bytes to 0 ... 1, float32."""
    return np.asarray(images, dtype=np.float32) / np.float32(255)


def model() -> keras.Model:
    """The trained network of the package, built anew by every call."""
    found = strided(TIERS[TIER], len(labels()))
    with (
        resources.as_file(resources.files("fieldmark.demo.sketchbirds") / WEIGHTS) as path,
        np.load(path, allow_pickle=False) as file,
    ):
        found.set_weights([file[f"w{index}"].astype(np.float32) for index in range(len(file.files))])
    return found


def labels() -> list[str]:
    """The species that the shipped network knows."""
    return list(DESIGNS[DESIGN].names)


def classifier() -> Classifier:
    """The trained network as a Classifier: images uint8 (n, 64, 64, 3)."""
    from fieldmark.classifier import Classifier

    return Classifier(model(), preprocess=preprocess, labels=labels())
