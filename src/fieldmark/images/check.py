"""Arrays are checked before a model sees them: rank, size, channels, numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from fieldmark.errors import ImageError

Shape = tuple[int | None, ...]


AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def check_images(images: Any, input_shape: Shape | None = None, *, what: str = "images", places: int = 2) -> np.ndarray:
    """`images` as a numeric array (n, h, w, c); one image (h, w, c) becomes a batch of one.

    input_shape  (h, w, c) that the model takes, None for any; checked where it is given
    what         how error messages call them
    places       2 for images; 1 for signals (n, l, c), 3 for volumes (n, d, h, w, c)

    Raises ImageError for a wrong rank, size or number of channels, NaN or infinity, no images, or no numbers.
    """
    array = _numbers(images, what)
    expected = _describe(input_shape, places)
    if array.ndim == places + 1:
        array = array[None]
    if array.ndim != places + 2:
        advice = _rank_advice(array.ndim, places)
        raise ImageError(f"{what}: expected {expected}, received shape {np.shape(images)}; {advice}")
    if len(array) == 0:
        raise ImageError(f"{what}: expected at least one image, received shape {array.shape}")
    if 0 in array.shape:
        raise ImageError(f"{what}: expected {expected}, received shape {array.shape}, which has no pixels")
    if input_shape is not None and len(input_shape) == places + 1:
        _check_shape(array.shape, input_shape, expected, what)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        raise ImageError(
            f"{what}: expected finite numbers, received NaN or infinity in {len(bad)} of {len(array)} images "
            f"(first: number {bad[0]}); mend or drop them"
        )
    return array


def _numbers(images: Any, what: str) -> np.ndarray:
    if isinstance(images, (str, os.PathLike)) or (_is_list(images) and isinstance(images[0], (str, os.PathLike))):
        raise ImageError(f"{what}: expected arrays, received paths; read them with fieldmark.read_images(paths, size)")
    try:
        array = images.detach().cpu().numpy() if hasattr(images, "detach") else np.asarray(images)
    except (ValueError, TypeError):
        raise ImageError(
            f"{what}: expected one array of numbers, received {type(images).__name__}; "
            "images in a list must have the same shape: np.stack(images)"
        ) from None
    if array.dtype.kind not in "buif":
        raise ImageError(f"{what}: expected numbers, received {type(images).__name__} of dtype {array.dtype}")
    return array


def _is_list(images: Any) -> bool:
    return isinstance(images, Sequence) and len(images) > 0


def _describe(input_shape: Shape | None, places: int) -> str:
    names = (*AXES[places], "channels")
    sides = (None,) * len(names) if input_shape is None or len(input_shape) != len(names) else input_shape
    return f"(n, {', '.join(str(d) if d else name for d, name in zip(sides, names, strict=True))})"


def _rank_advice(rank: int, places: int) -> str:
    if rank == 2 and places == 2:
        return "give a grey image its channel axis: image[..., None]"
    one = {1: "signal", 2: "image", 3: "volume"}[places]
    return f"one {one} is ({', '.join(AXES[places])}, channels)"


def _check_shape(shape: tuple[int, ...], wanted: Shape, expected: str, what: str) -> None:
    if all(w is None or d == w for d, w in zip(shape[1:], wanted, strict=True)):
        return
    received = f"{what}: expected {expected}, received {shape}; "
    if len(wanted) != 3:
        raise ImageError(received + "give what the model takes, channels last")
    height, width, channels = wanted
    if channels is not None and shape[3] != channels:
        if shape[1] == channels and (height is None or shape[2] == height):
            raise ImageError(received + "put the channels last: images.transpose(0, 2, 3, 1)")
        if shape[0] == 1 and shape[1] > 1 and channels == 1:
            raise ImageError(received + "give grey images their channel axis: images[..., None]")
        raise ImageError(received + f"the model takes {channels} channel(s) an image")
    size = f"({height or shape[1]}, {width or shape[2]})"
    raise ImageError(received + f"resize them, or read files with fieldmark.read_images(paths, size={size})")
