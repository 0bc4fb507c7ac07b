"""Many samples of few images as rows of a batch: who draws them, and how rows become sums per image again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

Sample = tuple[np.ndarray, np.ndarray | float, float]  # point (h, w, c); factor like it, or one number; weight


class Path(Protocol):
    """Where gradients are taken for one image: a line from a baseline, a cloud of noise, a set of baselines."""

    @property
    def samples(self) -> int:
        """How many `draw` yields for each image."""
        ...

    def draw(self, index: int, value: np.ndarray, /) -> Iterator[Sample]:
        """The samples of image `index`, whose value (h, w, c) is the pixels or a layer's output; never by batch."""
        ...


@dataclass(frozen=True, eq=False)
class Rows:
    """One batch of samples of the images first..last.

    points   by row
    factors  by row, or None where all are one number; these are in the shares
    images   by row, the index of the image
    shares   (rows, 2): its weight in that image's sum, and in its sum of squares
    """

    points: np.ndarray
    factors: np.ndarray | None
    images: np.ndarray
    shares: np.ndarray
    first: int
    last: int

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What the device sums with: points, owners (counted from `first`), shares, the owners there are."""
        slots = np.arange(self.last - self.first, dtype=np.int32)
        return self.points, (self.images - self.first).astype(np.int32), self.shares, slots


@dataclass(frozen=True, eq=False)
class LazyMasks:
    """Masks (m, h, w) that are made when they are asked for, so that large ones are never all held.

    `make(rows)` gives the masks of these indices (k,) as (k, h, w); indexed by them, this reads like an array.
    """

    shape: tuple[int, int, int]
    make: Callable[[np.ndarray], np.ndarray]
    ndim: ClassVar[int] = 3

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.make(rows)


@dataclass(frozen=True, eq=False)
class PatchMasks(LazyMasks):
    """Masks that are 0 in one rectangle each: `patch` (down, across) pixels from its corner (m, 2) on."""

    corners: np.ndarray
    patch: tuple[int, int]


def row_chunks(rows: int, size: int) -> list[tuple[int, int]]:
    """(start, stop) of consecutive chunks of `size` rows."""
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


def path_rows(values: np.ndarray, path: Path, size: int) -> Iterator[Rows]:
    """Batches of the samples of all images, image after image, filled up whatever their number per image."""
    held: list[tuple[int, Sample]] = []
    for index, value in enumerate(values):
        for sample in path.draw(index, value):
            held.append((index, sample))
            if len(held) == size:
                yield _rows(held)
                held = []
    if held:
        yield _rows(held)


def _rows(held: list[tuple[int, Sample]]) -> Rows:
    images = np.array([index for index, _ in held])
    points = np.stack([point for _, (point, _, _) in held]).astype(np.float32, copy=False)
    first, last = int(images[0]), int(images[-1]) + 1
    weights = np.array([weight for _, (_, _, weight) in held], np.float32)
    factors = [np.asarray(factor, np.float32) for _, (_, factor, _) in held]
    if all(factor.ndim == 0 for factor in factors):
        numbers = np.stack(factors)
        return Rows(points, None, images, np.stack([weights * numbers, weights * numbers**2], axis=1), first, last)
    full = np.stack([np.broadcast_to(factor, points.shape[1:]) for factor in factors])
    return Rows(points, full, images, np.stack([weights, weights], axis=1), first, last)
