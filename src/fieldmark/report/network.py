"""The architecture as blocks: stages by spatial size, within them what belongs together, so that a layer can be seen.

A network of two hundred layers is a dozen lines to look at: a stage runs until the feature maps get smaller, and within
a stage layers fold by the path and the beginning of their names, which is how nested models and repeated blocks are
named. Nothing is guessed about the connections; layers stand in the order in which they are called.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from statistics import mode
from typing import Any, Protocol

from fieldmark.figures.text import clean

MOST_LINES = 12  # a fold with more entries than these is folded again, where the names allow it
SHRINKS = 0.6  # share of its area below which a feature map opens a new stage: padding and valid convolutions do not


class Layer(Protocol):
    """What is needed of `Classifier.layers()`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def spatial(self) -> bool: ...
    @property
    def chosen(self) -> bool: ...


def draw_network(layers: Sequence[Layer], carried: Sequence[str] = (), command: str = "") -> dict[str, Any]:
    """Stages with their boxes and entries, JSON-able.

    carried  names of layers that there are maps of ("" is the input)
    command  what makes the report, to which `--layer NAME` can be added

    An entry is a layer {name, short, kind, shape, spatial, chosen, carried} or a fold {fold, count, entries, carried}.
    """
    stages = [_stage(stage, set(carried)) for stage in _stages(layers)]
    return {
        "stages": stages,
        "layers": len(layers),
        "input": "" in carried,
        "chosen": next((clean(layer.name) for layer in layers if layer.chosen), ""),
        "command": command,
    }


def _stages(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Runs of layers of about one spatial size; what shrinks for a while and comes back (squeezing) is no new stage."""
    areas = [_area(layer) for layer in layers]
    for i in reversed(range(len(areas) - 1)):
        areas[i] = max(areas[i], areas[i + 1])
    stages: list[list[Layer]] = []
    first = math.inf
    for layer, area in zip(layers, areas, strict=True):
        if area < SHRINKS * first:
            stages.append([])
            first = area
        stages[-1].append(layer)
    return stages


def _area(layer: Layer) -> int:
    return max(1, layer.shape[0]) * max(1, layer.shape[1]) if len(layer.shape) == 3 else 1


def _stage(layers: list[Layer], carried: set[str]) -> dict[str, Any]:
    maps = [layer for layer in layers if layer.spatial]
    entries = _fold(layers, carried, 0)
    stage: dict[str, Any] = {"entries": entries, "count": len(layers)}
    stage |= {"carried": any(layer.name in carried for layer in layers), "chosen": any(each.chosen for each in layers)}
    if not maps:
        widths = [layer.shape[-1] for layer in layers if layer.shape]
        return stage | {"label": "head", "channels": "", "box": _box(1, 1, widths[-1] if widths else 1)}
    height, width = mode(layer.shape[:2] for layer in maps)
    channels = [layer.shape[2] for layer in maps]
    label = f"{_size(height)} × {_size(width)}"
    return stage | {"label": label, "channels": _range(channels), "box": _box(height, width, max(channels))}


def _range(numbers: Sequence[int]) -> str:
    known = [number for number in numbers if number > 0]
    if not known:
        return ""
    low, high = min(known), max(known)
    return f"{low}" if low == high else f"{low} to {high}"


def _size(length: int) -> str:
    return "?" if length < 0 else str(length)


def _fold(layers: Sequence[Layer], carried: set[str], depth: int) -> list[dict[str, Any]]:
    """Entries for layers whose names begin alike up to `depth` words; flat where they are few or cannot be told."""
    most = max(len(_words(layer.name)) for layer in layers)
    while depth < most and len(layers) > MOST_LINES:
        depth += 1
        keyed = [("".join(_words(layer.name)[:depth]), layer) for layer in layers]
        groups = [(key, [layer for _, layer in run]) for key, run in groupby(keyed, itemgetter(0))]
        # Blocks have names of their own; words that come again and again, as conv2d, are kinds.
        if 1 < len(groups) <= len(layers) / 3 and len({key for key, _ in groups}) == len(groups):
            return [_entry(key, group, carried, depth) for key, group in groups]
    if len(layers) <= MOST_LINES:
        return [_leaf(layer, carried, _path(layers)) for layer in layers]
    pieces = _pieces(layers)
    return [
        _folded(f"{_last(piece[0].name)} to {_last(piece[-1].name)}", piece, carried, most)
        if len(piece) > 1
        else _leaf(piece[0], carried, "")
        for piece in pieces
    ]


def _pieces(layers: Sequence[Layer]) -> list[Sequence[Layer]]:
    """Runs that end where branches join, or of equal length where none do: for layers whose names tell nothing."""
    joins = [i + 1 for i, layer in enumerate(layers) if layer.spatial and layer.kind in ("Add", "Concatenate")]
    ends = sorted({*joins, len(layers)})
    if not 1 < len(ends) <= len(layers) / 3:
        ends = [*range(MOST_LINES, len(layers), MOST_LINES), len(layers)]
    return [layers[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _entry(key: str, layers: list[Layer], carried: set[str], depth: int) -> dict[str, Any]:
    if len(layers) == 1:
        return _leaf(layers[0], carried, "")
    return _folded(key.strip("/._"), layers, carried, depth)


def _folded(name: str, layers: Sequence[Layer], carried: set[str], depth: int) -> dict[str, Any]:
    return {
        "fold": clean(name),
        "count": len(layers),
        "shape": shape_words(layers[-1].shape),
        "carried": any(layer.name in carried for layer in layers),
        "chosen": any(layer.chosen for layer in layers),
        "entries": _fold(layers, carried, depth),
    }


def _leaf(layer: Layer, carried: set[str], path: str) -> dict[str, Any]:
    return {
        "name": clean(layer.name),
        "short": clean(layer.name.removeprefix(path)) or clean(layer.name),
        "kind": clean(layer.kind),
        "shape": shape_words(layer.shape),
        "spatial": layer.spatial,
        "chosen": layer.chosen,
        "carried": layer.name in carried,
    }


def _words(name: str) -> list[str]:
    """The words of a layer's name, each with the mark that ends it: base/ block2a_ conv."""
    return re.findall(r"[^/._]+[/._]*|^[/._]+", name)


def _path(layers: Sequence[Layer]) -> str:
    """The nested model or module that all of these are in, as a prefix of their names."""
    paths = [re.split(r"(?<=[/.])", layer.name)[:-1] for layer in layers]
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "".join(shared) if len(layers) > 1 else ""


def _last(name: str) -> str:
    return re.split(r"[/.]", name)[-1]


def shape_words(shape: Sequence[int]) -> str:
    """7 × 7 × 1280; a size that is not known is a question mark."""
    return " × ".join(_size(length) for length in shape)


def _box(height: int, width: int, channels: int) -> dict[str, Any]:
    """A slab whose face is the feature map and whose length is the channels, both as logarithms, in a 96 x 72 frame."""
    tall, deep = (6 + 5.2 * math.log2(max(1, side)) for side in (height, width))
    long = 4 + 4 * math.log2(max(1, channels))
    slant = 0.45 * deep
    left, top = (96 - long - slant) / 2, (72 - tall - slant) / 2 + slant
    right, bottom = left + long, top + tall
    corners = {
        "front": [(left, top), (right, top), (right, bottom), (left, bottom)],
        "lid": [(left, top), (left + slant, top - slant), (right + slant, top - slant), (right, top)],
        "side": [(right, top), (right + slant, top - slant), (right + slant, bottom - slant), (right, bottom)],
    }
    return {name: " ".join(f"{x:.1f},{y:.1f}" for x, y in points) for name, points in corners.items()}
