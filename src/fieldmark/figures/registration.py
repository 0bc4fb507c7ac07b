"""Where a map lies on the photograph it was made from, before that was cropped or letterboxed for the model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fieldmark.attribution import axis_weights
from fieldmark.errors import FieldmarkError, unknown

Box = tuple[float, float, float, float]
"""left, top, right, bottom, in shares of a picture's width and height."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
FITS = ("crop", "stretch", "letterbox")


def seen_box(original: Sequence[int], seen: Sequence[int], fit: str = "crop") -> Box:
    """Where, on a photograph of shape `original` (H, W, ...), lies what `read_images(size=seen, fit=fit)` made of it.

    seen  (height, width) of the image that the model was given

    Returns left, top, right, bottom in shares of the original: within 0..1 for a crop, beyond it for the bars of a
    letterbox. Raises FieldmarkError for an unknown fit.
    """
    if fit not in FITS:
        raise FieldmarkError(unknown("fit", fit, FITS))
    (height, width), (rows, columns) = original[:2], seen[:2]
    if fit == "stretch" or (height, width) == (rows, columns):
        return WHOLE
    if fit == "crop":
        wide = width / height > columns / rows
        kept_width, kept_height = (columns / rows * height, height) if wide else (width, width / (columns / rows))
        x, y = (width - kept_width) / 2 / width, (height - kept_height) / 2 / height
        return (x, y, 1 - x, 1 - y)
    scale = min(rows / height, columns / width)  # to whole pixels, as `read_images` does it
    high, broad = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - high) // 2, (columns - broad) // 2
    return (-left / broad, -top / high, (columns - left) / broad, (rows - top) / high)


def place(values: np.ndarray, size: tuple[int, int], box: Box = WHOLE) -> np.ndarray:
    """A map (h, w) laid on a picture of `size` (height, width) so that it fills the box; NaN where it does not reach.

    Linear between the centres of the map's cells; averaged where the picture has fewer pixels than the map.
    """
    left, top, right, bottom = box
    rows = axis_weights(size[0], values.shape[0], top * size[0], bottom * size[0])
    columns = axis_weights(size[1], values.shape[1], left * size[1], right * size[1])
    return np.asarray(rows @ values.astype(np.float32) @ columns.T)


def pixels(box: Box, size: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns of a picture of `size` whose centres are within the box."""
    (height, width), (left, top, right, bottom) = size, box

    def between(start: float, stop: float, length: int) -> slice:
        return slice(max(0, math.ceil(start * length - 0.5)), max(0, min(length, math.floor(stop * length - 0.5) + 1)))

    return between(top, bottom, height), between(left, right, width)
