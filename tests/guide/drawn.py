"""Objects that no bird is like: grey boxes, some with a coloured patch; and a network made by hand for them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

PATCHES = {"red": (205, 35, 35), "blue": (40, 75, 200), "yellow": (240, 220, 45), "plain": None}
NAMES = tuple(PATCHES)


@cache
def boxes(per_class: int = 40, seed: int = 0, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 (n, size, size, 3), labels): a grey box in front of a green ground, its patch at the upper left."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for label, colour in enumerate(PATCHES.values()):
        for _ in range(per_class):
            ground = np.array([120, 160, 110]) + rng.normal(0, 12, 3)
            image = np.full((size, size, 3), ground, np.float32)
            width, height = rng.integers(26, 34), rng.integers(22, 28)
            left, top = rng.integers(8, size - width - 8), rng.integers(8, size - height - 8)
            grey = rng.uniform(150, 185)
            cv2.rectangle(image, (int(left), int(top)), (int(left + width), int(top + height)), (grey,) * 3, -1)
            if colour is not None:
                cv2.circle(image, (int(left + 8), int(top + 8)), 5, colour, -1)
            images.append(np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8))
            labels.append(label)
    order = rng.permutation(len(labels))
    return np.stack(images)[order], np.array(labels)[order]


def colour_network(strength: float = 8.0):
    """A Keras model of (64, 64, 3) images of 0 to 255 that goes by colours alone, with weights made by hand."""
    import keras

    inputs = keras.Input((64, 64, 3))
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    seen = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="colours")(scaled)
    pooled = keras.layers.GlobalMaxPooling2D()(seen)
    outputs = keras.layers.Dense(4, name="classes")(pooled)
    model = keras.Model(inputs, outputs, name="by_colour")
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    # red: R - G - .5 B;  blue: B - R - .3 G;  yellow: .5 R + .5 G - 2 B - .1
    kernel[:, :, :, 0] = np.array([1.0, -1.0, -0.5]) / 9
    kernel[:, :, :, 1] = np.array([-1.0, -0.3, 1.0]) / 9
    kernel[:, :, :, 2] = np.array([0.5, 0.5, -1.0]) / 9
    model.get_layer("colours").set_weights([kernel, np.array([-0.1, -0.1, -0.25], np.float32)])
    weights = np.zeros((3, 4), np.float32)
    weights[[0, 1, 2], [0, 1, 2]] = 4 * strength
    model.get_layer("classes").set_weights([weights, np.array([0, 0, 0, 0.5 * strength], np.float32)])
    return model
