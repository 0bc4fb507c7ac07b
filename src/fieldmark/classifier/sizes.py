"""The size at which image files are read for a model."""

from __future__ import annotations

from fieldmark.classifier.classifier import GUESSED_SIZE, Classifier
from fieldmark.errors import FieldmarkError, ImageError

FILE_CHANNELS = (1, 3, 4)


def image_shape(classifier: Classifier, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """(height, width, channels) that files are read at: the model's, where it says; else `size`, else 224 x 224 RGB.

    Raises FieldmarkError for a model whose input is no image, and for a size that it does not take.
    """
    shape = classifier.input_shape
    if shape is not None and len(shape) != 3:
        raise FieldmarkError(
            f"model {classifier.name!r}: expected an input (height, width, channels), received {shape}; "
            "fieldmark explains image classifiers"
        )
    height, width, channels = shape or (None, None, None)
    if size is not None:
        fits = height in (None, size[0]) and width in (None, size[1])
        if not fits and classifier.preprocess is None:
            raise FieldmarkError(f"--size: model {classifier.name!r} takes {height} x {width} pixels; leave --size out")
        height, width = size
    return height or GUESSED_SIZE, width or GUESSED_SIZE, channels or 3


def check_file_channels(classifier: Classifier, channels: int) -> None:
    """Raise ImageError for a model that takes images which no file holds."""
    if channels not in FILE_CHANNELS:
        raise ImageError(
            f"model {classifier.name!r} takes images of {channels} channels; image files have 1, 3 or 4: "
            "use fieldmark from Python with arrays"
        )
