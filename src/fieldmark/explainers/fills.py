"""What stands where an image is covered: a value, its mean colour, or itself blurred, in the image's own units."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError

Fill = float | tuple[float, ...] | str | np.ndarray

WORDS = ("mean", "blur")
BLUR = 20  # the blur's sigma is the shorter side divided by this: 11 pixels at 224


def check_fill(fill: Any, words: tuple[str, ...] = WORDS) -> None:
    """Raise FieldmarkError unless `fill` is a number, one per channel, an image, or one of `words`."""
    if isinstance(fill, str):
        if fill not in words:
            raise FieldmarkError(f"fill={fill!r}: expected {_described(words)}")
        return
    try:
        values = np.asarray(fill, np.float64)
    except (TypeError, ValueError):
        raise FieldmarkError(f"fill={fill!r}: expected {_described(words)}") from None
    if values.size == 0 or not np.isfinite(values).all():
        raise FieldmarkError(f"fill: expected finite numbers, received {fill!r}")


def fill_images(images: np.ndarray, fill: Fill) -> np.ndarray:
    """Float32 images (n, h, w, c) that hold only the fill of each of `images`."""
    pixels = images.astype(np.float32)
    if isinstance(fill, str):
        if fill == "blur":
            return gaussian_blur(pixels, min(images.shape[1:-1]) / BLUR)
        return np.broadcast_to(pixels.mean(axis=tuple(range(1, pixels.ndim - 1)), keepdims=True), images.shape)
    values = np.asarray(fill, np.float32)
    try:
        return np.broadcast_to(values, images.shape)
    except ValueError:
        raise FieldmarkError(
            f"fill: expected one number, {images.shape[-1]} (one per channel) or an image {images.shape[1:]}, "
            f"received shape {values.shape}"
        ) from None


def gaussian_blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Images (n, h, w, c) under a Gaussian of `sigma` pixels; at the border its weights are of what is there."""
    for axis, side in enumerate(images.shape[1:-1], 1):
        images = np.moveaxis(np.tensordot(_gaussian(side, sigma), images, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(images, dtype=np.float32)


def _gaussian(side: int, sigma: float) -> np.ndarray:
    at = np.arange(side)
    weights = np.exp(-0.5 * ((at[:, None] - at[None]) / sigma) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _described(words: tuple[str, ...]) -> str:
    quoted = ", ".join(repr(word) for word in words)
    return f"a number in the image's units, one per channel, an image, or one of {quoted}"
