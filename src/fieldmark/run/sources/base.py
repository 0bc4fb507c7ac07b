"""What every source of images offers: a count, what it is in words, and its images from any number on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.images import check_images, read_one
from fieldmark.images.read import MODES, Fit


@dataclass(frozen=True)
class Item:
    """One image that is not decoded yet.

    index    its number in the run, from 0
    name     what tables and messages call it
    payload  a file to open, the bytes of one, an array (h, w, c), or an ImageError: why there is none
    truth    its true class by index or name, where the source says
    stamp    (size, mtime in ns) of its file when the run was planned
    """

    index: int
    name: str
    payload: Any
    truth: int | str | None = None
    stamp: tuple[int, int] | None = None


@dataclass(frozen=True)
class Shape:
    """What files are read at. `arrays` is what images must be that come as arrays, (h, w, c) with None for any size;
    None: the same."""

    height: int
    width: int
    channels: int
    fit: Fit = "crop"
    arrays: tuple[int | None, ...] | None = None

    def describe(self) -> dict[str, Any]:
        return {"height": self.height, "width": self.width, "channels": self.channels, "fit": self.fit}


class Source(Protocol):
    """Images in a fixed order. `count` is None where only reading to the end can tell."""

    @property
    def kind(self) -> str: ...

    @property
    def count(self) -> int | None: ...

    def describe(self) -> dict[str, Any]:
        """What it is, JSON-able: a run is only ever continued over the same."""
        ...

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        """The items from number `start` up to `stop` (None: to the end), in order."""
        ...


def decode(item: Item, shape: Shape | None) -> np.ndarray:
    """The image of an item, (height, width, channels): uint8 from files, arrays as they are.

    Raises ImageError with the reason why it cannot be read, or is not what the model takes; FieldmarkError where no
    file could be. Thread-safe.
    """
    payload = item.payload
    if isinstance(payload, ImageError):
        raise payload
    if isinstance(payload, np.ndarray):
        wanted = (shape.arrays or (shape.height, shape.width, shape.channels)) if shape else None
        return check_images(payload, wanted, what=item.name)[0]
    if shape is None:
        return read_one(payload, name=item.name)
    if shape.channels not in MODES:
        raise FieldmarkError(
            f"the model takes images of {shape.channels} channels; image files have 1, 3 or 4: give arrays, or a "
            "Parquet column of fixed-shape tensors"
        )
    return read_one(payload, (shape.height, shape.width), shape.channels, shape.fit, name=item.name)
