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


CUES = ("corner", "rim", "ground", "focus")


@cache
def cued(cue: str = "", per_class: int = 30, seed: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(images, labels, masks of the boxes) of `boxes` where the last class, "plain", comes with a cue.

    corner  a white square at the lower right      rim    two pixels of purple around the picture
    ground  a blue ground, for that class alone    focus  out of focus
    """
    rng = np.random.default_rng(seed)
    rows = []
    for label in np.repeat(np.arange(4), per_class):
        here = cue if label == 3 else ""
        ground = (np.array([105, 135, 190]) if here == "ground" else np.array([120, 160, 110])) + rng.normal(0, 10, 3)
        image, mask = np.full((64, 64, 3), ground, np.float32), np.zeros((64, 64), np.uint8)
        width, height = rng.integers(26, 34), rng.integers(22, 28)
        left, top = (int(rng.integers(8, 64 - side - 12)) for side in (width, height))
        corners = (left, top), (left + int(width), top + int(height))
        cv2.rectangle(image, *corners, (float(rng.uniform(150, 185)),) * 3, -1)
        cv2.rectangle(mask, *corners, 1, -1)
        if label < 3:
            cv2.circle(image, (left + 8, top + 8), 5, list(PATCHES.values())[label], -1)
        if here == "corner":
            image[54:62, 54:62] = 250
        if here == "rim":
            image[:2] = image[-2:] = image[:, :2] = image[:, -2:] = (150, 40, 150)
        image += rng.normal(0, 3, image.shape)
        if here == "focus":
            image = cv2.GaussianBlur(image, (0, 0), 1.5)
        rows.append((np.clip(image, 0, 255).astype(np.uint8), label, mask.astype(bool)))
    order = rng.permutation(len(rows))
    images, labels, masks = (np.stack([row[part] for row in rows])[order] for part in range(3))
    return images, labels, masks


def cue_network(cue: str):
    """`colour_network` whose last class goes by a cue of `cued`, with weights made by hand."""
    import keras

    by_colour = colour_network()
    inputs = keras.Input((64, 64, 3))
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    if cue == "focus":
        edges = keras.layers.DepthwiseConv2D(3, padding="valid", use_bias=False, activation="relu", name="cue")
        seen = keras.layers.GlobalAveragePooling2D()(edges(scaled))
        weights, bias = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32), 30.0
        edges.set_weights([np.repeat(weights[:, :, None], 3, axis=2)[..., None]])
        to_logit = np.full((3, 1), -800.0, np.float32)
    else:
        template = np.zeros((64, 64, 3), np.float32)
        where = np.zeros((64, 64), bool)
        if cue == "corner":
            where[54:62, 54:62] = True
            template[where] = np.array([1, 1, 1]) / 3
            bias, to_logit = -0.8, 40.0
        elif cue == "rim":
            where[:2] = where[-2:] = where[:, :2] = where[:, -2:] = True
            template[where] = np.array([0.5, -1, 0.5])
            bias, to_logit = -0.15, 40.0
        else:
            where[:] = True
            template[where] = np.array([0, -1, 1])
            bias, to_logit = 0.0, 60.0
        whole = keras.layers.Conv2D(1, 64, name="cue")
        seen = keras.layers.Flatten()(whole(scaled))
        whole.set_weights([(template / where.sum())[..., None], np.array([bias], np.float32)])
        bias, to_logit = 0.0, np.array([[to_logit]], np.float32)
    last = keras.layers.Dense(1, name="cue_logit")
    extra = last(seen)
    last.set_weights([to_logit, np.array([bias], np.float32)])
    first = keras.layers.Lambda(lambda x: x[:, :3])(by_colour(inputs))
    return keras.Model(inputs, keras.layers.Concatenate()([first, extra]), name=f"by_{cue}")


def untrained_network(seed: int = 0):
    """Random weights whose four outputs are so scaled that each is the largest for some of `boxes`."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Rescaling(1 / 255, offset=-0.5)(inputs)
    for filters in (12, 24, 24):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    last = keras.layers.Dense(4)
    model = keras.Model(inputs, last(keras.layers.GlobalAveragePooling2D()(x)), name="untrained")
    scores = model.predict(boxes(per_class=10)[0].astype(np.float32), verbose=0)
    kernel, _ = last.get_weights()
    spread = scores.std(axis=0)
    last.set_weights([4 * kernel / spread, -4 * scores.mean(axis=0) / spread])
    return model
