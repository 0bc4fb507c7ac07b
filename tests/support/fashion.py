"""The CNN of the Fashion-MNIST tutorials, trained in seconds on 72 images of each class: one channel, 28 x 28."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

LABELS = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"]
HELD_OUT = 18  # of the 90 images of each class


@dataclass(frozen=True, kw_only=True, eq=False)
class Fashion:
    """The trained model and the images that it never saw: uint8 (180, 28, 28, 1) and their classes (180,)."""

    model: Any
    images: np.ndarray
    classes: np.ndarray

    def accuracy(self) -> float:
        """The share of held-out images that are classified rightly."""
        found = self.model.predict_on_batch(preprocess(self.images)).argmax(axis=1)
        return float(np.mean(found == self.classes))


def preprocess(images: np.ndarray) -> np.ndarray:
    """Bytes to 0 ... 1."""
    return images.astype(np.float32) / 255.0


def fashion_model(seed: int = 0) -> keras.Model:
    """Pairs of convolutions 32-32, 64-64, 128-128, 256-256, the last four with batch-norm, then `final`: 10 classes."""
    inputs = keras.Input((28, 28, 1), name="image")
    x = inputs
    for index, filters in enumerate((32, 32, 64, 64, 128, 128, 256, 256)):
        start = keras.initializers.HeNormal(seed=seed + index)
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer=start, name=f"conv{index + 1}")(x)
        if filters >= 128:
            # the default momentum of .99 needs more steps than this training has
            x = layers.BatchNormalization(momentum=0.9, name=f"bn{index + 1}")(x)
        x = layers.ReLU(name=f"relu{index + 1}")(x)
        if index in (1, 3, 5):
            x = layers.MaxPooling2D(name=f"pool{index + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    last = keras.initializers.GlorotUniform(seed=seed + 8)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", kernel_initializer=last, name="final")(x))


@cache
def train_fashion(path: Path, epochs: int = 6, batch: int = 32, seed: int = 0) -> Fashion:
    """Train on the first 72 images of each class in `fashion_mnist_900.npz`; all randomness comes from the seed.

    A process trains once: later calls with the same arguments give the same object.
    """
    with np.load(path) as file:
        x, y = file["x"][..., None], file["y"].astype(np.int64)
    held = np.arange(len(y)) % 90 >= 90 - HELD_OUT  # the file has 90 images of each class, in label order
    seen, classes = preprocess(x[~held]), y[~held]
    model = fashion_model(seed)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    generator = np.random.default_rng(seed)
    for epoch in range(epochs):
        model.optimizer.learning_rate = 1e-3 * (1 - epoch / epochs)  # falling, so that the last steps settle
        order = generator.permutation(len(seen))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            model.train_on_batch(seen[chosen], classes[chosen])
    return Fashion(model=model, images=x[held], classes=y[held])
