"""How far a change in a rectangle reaches through a layer, and which numbers it takes to compute what is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

from fieldmark.classifier.dataflow import Node

# Layers and operations that treat every pixel for itself.
_POINTWISE = ("Activation", "BatchNormalization", "ELU", "LeakyReLU", "ReLU", "Relu", "Relu6", "Rescaling", "Silu")
_IDLE = ("Dropout", "GaussianDropout", "GaussianNoise", "Identity", "SpatialDropout2D")  # when nothing is trained
_MERGES = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
_FILTERS = {"Conv2D": "kernel_size", "DepthwiseConv2D": "kernel_size", "SeparableConv2D": "kernel_size"}
_POOLS = {"MaxPooling2D": "pool_size", "AveragePooling2D": "pool_size"}

Pair = tuple[int, int]


class Window(NamedTuple):
    """What a layer sees along one side: output j the inputs from j * stride - before on, `extent` of them."""

    extent: int = 1
    stride: int = 1
    before: int = 0

    def reached(self, low: np.ndarray, high: np.ndarray, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        """The outputs low..high that see any of the inputs low..high; the second number is excluded."""
        first = -((self.extent - 1 - self.before - low) // self.stride)
        last = (high - 1 + self.before) // self.stride
        return np.clip(first, 0, outputs), np.clip(last + 1, 0, outputs)

    def needed(self, outputs: int) -> int:
        """How many inputs so many neighbouring outputs see."""
        return (outputs - 1) * self.stride + self.extent


class Sight(NamedTuple):
    """What a layer sees, down and across, what stands beyond the border, and whether the layer has any work to do."""

    down: Window = Window()
    across: Window = Window()
    beyond: float = 0.0
    works: bool = True


@dataclass(frozen=True, eq=False)
class Crop:
    """Rectangles of one size within maps of (height, width) `side`, one for each change, that hold all it reaches.

    low, high  (m, 2): what each change reaches; `high` is excluded
    """

    low: np.ndarray
    high: np.ndarray
    side: Pair

    @property
    def size(self) -> Pair:
        down, across = np.maximum((self.high - self.low).max(axis=0), 1)
        return int(down), int(across)

    @property
    def origins(self) -> np.ndarray:
        """(m, 2): where each rectangle begins, so that it lies within the map."""
        return np.clip(self.low, 0, np.array(self.side) - self.size)

    @property
    def share(self) -> float:
        """The rectangle's part of the map."""
        return float(np.prod(self.size) / np.prod(self.side))

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """int32 (k, pixels of a rectangle): the places of the rectangles `rows` (k,) in the map."""
        down, across = (self.origins[rows, axis, None] + np.arange(self.size[axis]) for axis in range(2))
        return (down[:, :, None] * self.side[1] + across[:, None]).astype(np.int32).reshape(len(rows), -1)

    def through(self, sight: Sight, side: Pair) -> Crop:
        """What the change reaches behind a layer with maps of another size."""
        ends = [
            window.reached(self.low[:, axis], self.high[:, axis], side[axis])
            for axis, window in enumerate((sight.down, sight.across))
        ]
        low, high = (np.stack(columns, axis=1) for columns in zip(*ends, strict=True))
        return Crop(low, high, side)


def joined(crops: list[Crop]) -> Crop:
    """What any of several changes in maps of the same size reaches."""
    low, high = np.min([crop.low for crop in crops], axis=0), np.max([crop.high for crop in crops], axis=0)
    return Crop(low, high, crops[0].side)


def table(crop: Crop, starts: np.ndarray, window: Pair, rows: np.ndarray) -> np.ndarray:
    """int32 (k, pixels of a window): where to take each pixel of the windows that begin at `starts` (m, 2).

    For the changes `rows` (k,). Counted through the unchanged map, one place beyond its border, and the change's own
    rectangle.
    """
    inside, within, at, offset = [], [], [], []
    for axis in range(2):
        places = starts[rows, axis, None] + np.arange(window[axis])
        shifted = places - crop.origins[rows, axis, None]
        inside.append((shifted >= 0) & (shifted < crop.size[axis]))
        within.append((places >= 0) & (places < crop.side[axis]))
        at.append(places)
        offset.append(shifted)
    (height, width), across = crop.side, crop.size[1]
    changed = height * width + 1 + offset[0][:, :, None] * across + offset[1][:, None]
    kept = np.where(_crossed(within), at[0][:, :, None] * width + at[1][:, None], height * width)
    return np.where(_crossed(inside), changed, kept).astype(np.int32).reshape(len(rows), -1)


def _crossed(sides: list[np.ndarray]) -> np.ndarray:
    return np.asarray(sides[0][:, :, None] & sides[1][:, None])


def sight(node: Node, side: Pair) -> Sight | None:
    """What a layer sees of maps of this size; None where it may look anywhere, or is not known."""
    layer, kind = node.layer, node.kind
    if len(node.shape) != 3 or getattr(layer, "data_format", "") == "channels_first" or not _library(node):
        return None
    if kind in (*_POINTWISE, *_IDLE, *_MERGES):
        return Sight() if _last_axis(layer) else None
    if kind == "ZeroPadding2D":
        (top, _), (left, _) = layer.padding
        return Sight(Window(before=top), Window(before=left), works=False)
    if kind == "AveragePooling2D" and layer.padding != "valid":
        return None  # at the border it counts only what is there
    name = {**_FILTERS, **_POOLS}.get(kind)
    if name is None:
        return None
    dilations = getattr(layer, "dilation_rate", (1, 1))
    sizes = getattr(layer, name)
    down, across = (
        _window((sizes[axis] - 1) * dilations[axis] + 1, layer.strides[axis], layer.padding, side[axis])
        for axis in range(2)
    )
    return Sight(down, across, beyond=float("-inf") if kind == "MaxPooling2D" else 0.0)


def _window(extent: int, stride: int, padding: str, side: int) -> Window:
    if padding == "valid":
        return Window(extent, stride)
    outputs = -(-side // stride)
    return Window(extent, stride, max((outputs - 1) * stride + extent - side, 0) // 2)


def _library(node: Node) -> bool:
    """Whether the class and its activation are Keras's own, and no array is mixed in: anything else may look around."""
    activation = getattr(node.layer, "activation", None)
    return (
        type(node.layer).__module__.startswith("keras.")
        and (activation is None or str(getattr(activation, "__module__", "")).startswith("keras."))
        and not isinstance(activation, keras.layers.Layer)
        and not any(isinstance(leaf, np.ndarray) for leaf in keras.tree.flatten(node.arguments))
    )


def _last_axis(layer: Any) -> bool:
    return getattr(layer, "axis", -1) in (-1, 3)
