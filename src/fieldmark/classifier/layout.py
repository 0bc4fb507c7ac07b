"""How a layer's output becomes a map (n, h, w, c) and back: where the channels are, and which tokens lie where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from keras import ops

MOST_PREFIX = 8  # tokens that are no patch: class, distillation and up to a few registers

Places = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """Tokens (n, prefix + h * w, c): first those that are no patch, then the patches row by row."""

    places: Places
    prefix: int = 0

    @property
    def tokens(self) -> int:
        return prod(self.places) + self.prefix

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.places))} after {self.prefix}"


@dataclass(frozen=True)
class Layout:
    """channels_first: the output is (n, c, h, w); grid: it is tokens."""

    channels_first: bool = False
    grid: Grid | None = None

    def outward(self, value: Any, targets: int = 0) -> Any:
        """(n, h, w, c), float32 also where the model computes in half precision, from the layer's own layout.

        Gradients have `targets` = 1 axis more before the places. Tokens that are no patch are left out.
        """
        value = ops.cast(value, "float32")
        if self.grid is not None:
            lead = tuple(value.shape[1 : 1 + targets])
            patches = value[:, :, self.grid.prefix :] if targets else value[:, self.grid.prefix :]
            return ops.reshape(patches, (-1, *lead, *self.grid.places, value.shape[-1]))
        if not self.channels_first or len(value.shape) - targets < 3:
            return value
        return ops.moveaxis(value, 1 + targets, -1)

    def inward(self, value: Any, old: Any) -> Any:
        """What takes the place of the output `old`, from (n, h, w, c); tokens that are no patch stay as they are."""
        value = ops.cast(value, old.dtype)
        if self.grid is not None:
            patches = ops.reshape(value, (-1, prod(self.grid.places), value.shape[-1]))
            return ops.concatenate([old[:, : self.grid.prefix], patches], axis=1) if self.grid.prefix else patches
        return ops.moveaxis(value, -1, 1) if self.channels_first and len(value.shape) > 2 else value


PLAIN = Layout()


def grids(tokens: int, image: Places, maps: Sequence[Places]) -> list[Grid]:
    """The grids that so many tokens may form: one, or none, or several where nothing says which.

    image  (height, width) of what the model eats
    maps   the places of the feature maps before; the last one whose patches these tokens can be decides. Without
           one, square patches that tile the image.
    """
    for places in reversed(maps):
        if prod(places) > 1 and 0 <= tokens - prod(places) <= MOST_PREFIX:
            return [Grid(places, tokens - prod(places))]
    sides = range(1, min(image) + 1)
    tiled = [tuple(extent // side for extent in image) for side in sides if all(e % side == 0 for e in image)]
    return [Grid(t, tokens - prod(t)) for t in tiled if prod(t) > 1 and 0 <= tokens - prod(t) <= MOST_PREFIX]
