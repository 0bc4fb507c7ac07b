"""The usual ways from pixels of 0 to 255 to what a network eats, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fieldmark.errors import FieldmarkError, unknown

Preprocess = Callable[[np.ndarray], np.ndarray]

_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], np.float32)  # blue, green, red


def to_unit(images: np.ndarray) -> np.ndarray:
    """x / 255: 0 to 1."""
    return images / np.float32(255)


def to_symmetric(images: np.ndarray) -> np.ndarray:
    """x / 127.5 - 1: -1 to 1."""
    return images / np.float32(127.5) - np.float32(1)


def to_imagenet(images: np.ndarray) -> np.ndarray:
    """(x / 255 - mean) / deviation, with the mean and standard deviation of ImageNet's channels (RGB)."""
    return (images / np.float32(255) - _IMAGENET_MEAN) / _IMAGENET_DEVIATION


def to_caffe(images: np.ndarray) -> np.ndarray:
    """RGB to BGR, minus ImageNet's mean: 0 to 255, shifted."""
    return images[..., ::-1] - _CAFFE_MEAN


PREPROCESS: dict[str, Preprocess | None] = {
    "none": None,
    "0-1": to_unit,
    "-1-1": to_symmetric,
    "imagenet": to_imagenet,
    "caffe": to_caffe,
}
"""Each takes float32 images (n, h, w, c) of 0 to 255; "imagenet" and "caffe" take three channels."""


def usual_preprocess(name: str) -> Preprocess | None:
    """The function of that name in PREPROCESS. Raises FieldmarkError for another name."""
    if name not in PREPROCESS:
        raise FieldmarkError(unknown("preprocess", name, PREPROCESS))
    return PREPROCESS[name]
