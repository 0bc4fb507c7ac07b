"""Which pictures of an image with parts hidden are wanted, by all measures of all methods: each is computed once.

A picture is known by what hides (the fill), by how the image is cut (a grid of cells, or superpixels), and by which
parts are hidden. Measures ask before anything is computed and get places; then all is computed in full batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.rows import LazyMasks, row_chunks
from fieldmark.trust.faithfulness import cell_of
from fieldmark.trust.imputation import impute
from fieldmark.trust.metrics import ROAD

GRID, SEGMENTS = "grid", "segments"
FINER = 2  # imputation is worked out on so many pixels across a cell, and enlarged
NOISE = 0.01  # of the image's standard deviation, added to what is imputed [rong2022]
AT_ONCE = 128  # pictures imputed together

Key = tuple[str, str, bytes]
WHOLE: Key = ("", "", b"")


@dataclass(frozen=True, eq=False)
class Scene:
    """One image and all that is needed to hide parts of it.

    x         (h, w, c), what the model eats
    fills     by name: (h, w, c)
    segments  (h, w): the superpixel of each pixel
    cells     (down, across) of the grid
    label     the class that is explained
    whole     (score, probability) of the image as it is
    seed      of the noise in what is imputed
    """

    classifier: Classifier
    x: np.ndarray
    fills: Mapping[str, np.ndarray]
    segments: np.ndarray
    cells: tuple[int, int]
    label: int
    whole: tuple[float, float]
    seed: int = 0


@dataclass
class Planner:
    """What is wanted of one image. `asked` counts every question, those that were asked before included."""

    scene: Scene
    asked: int = 0
    places: dict[Key, int] = field(default_factory=dict)
    hidden: list[np.ndarray] = field(default_factory=list)

    def ask(self, fill: str, hidden: np.ndarray, cut: str = GRID) -> np.ndarray:
        """The places (k,) in the answer of the pictures where these cells or segments (k, parts) are hidden."""
        self.asked += len(hidden)
        return np.array([self._place(_key(fill, cut, row), row) for row in hidden])

    def _place(self, key: Key, hidden: np.ndarray) -> int:
        if key not in self.places:
            self.places[key] = len(self.places)
            self.hidden.append(hidden)
        return self.places[key]

    @property
    def needed(self) -> int:
        """Pictures that have to be computed: the image as it is was computed before."""
        return len(self.places) - (WHOLE in self.places)

    def answer(self) -> np.ndarray:
        """(places, 2): score and probability of the class for everything that was asked."""
        found = np.empty((len(self.places), 2))
        groups: dict[tuple[str, str], list[int]] = {}
        for (fill, cut, _), place in self.places.items():
            if fill:
                groups.setdefault((fill, cut), []).append(place)
            else:
                found[place] = self.scene.whole
        for (fill, cut), rows in groups.items():
            found[rows] = covered(self.scene, fill, cut, np.stack([self.hidden[row] for row in rows]))
        return found


def _key(fill: str, cut: str, hidden: np.ndarray) -> Key:
    if not hidden.any():
        return WHOLE
    if hidden.all():
        return (fill, cut if fill == ROAD else "", b"all")
    return (fill, cut, np.packbits(hidden).tobytes())


def covered(scene: Scene, fill: str, cut: str, hidden: np.ndarray) -> np.ndarray:
    """(k, 2): score and probability of the class with these parts hidden (k, cells or segments) under one fill."""
    engine, x = scene.classifier.engine, scene.x[None]
    if fill == ROAD:
        return class_values(scene.classifier, _imputed(scene, hidden), scene.label)
    masks: np.ndarray | LazyMasks
    if cut == SEGMENTS:
        shown = (~hidden).astype(np.float32)
        masks = LazyMasks((len(hidden), *scene.segments.shape), lambda rows: shown[rows][:, scene.segments])
    elif cut == GRID:
        masks = (~hidden).astype(np.float32).reshape(1, len(hidden), *scene.cells)
    else:  # all of it, however it was cut
        masks = np.zeros((1, 1, *scene.cells), np.float32)
    scores = engine.masked_scores(x, masks, scene.fills[fill][None], "nearest")[0]
    return class_values(scene.classifier, scores, scene.label)


def class_values(classifier: Classifier, scores: np.ndarray, label: Any) -> np.ndarray:
    """(k, 2): score and probability of one class, or of each row's own (k,), from the engine's scores (k, classes)."""
    rows = np.arange(len(scores))
    return np.stack([scores[rows, label], classifier.read(scores).probabilities[rows, label]], axis=1)


def _imputed(scene: Scene, hidden: np.ndarray) -> np.ndarray:
    """Scores (k, classes) where what is hidden is imputed from what is left, with a little noise."""
    engine, x = scene.classifier.engine, scene.x
    height, width = x.shape[:2]
    size = (min(FINER * scene.cells[0], height), min(FINER * scene.cells[1], width))
    small = _means(x, size)
    down, across = (cell_of(side, count) for side, count in zip(size, scene.cells, strict=True))
    noise = np.random.default_rng(scene.seed).normal(0, NOISE * float(x.std()), x.shape).astype(np.float32)
    parts = []
    for start, stop in row_chunks(len(hidden), AT_ONCE):
        gone = hidden[start:stop].reshape(-1, *scene.cells)
        fine = gone[:, down[:, None], across[None]]
        shades = impute(np.broadcast_to(small, (len(gone), *small.shape)), fine)
        parts.append(
            engine.masked_scores(x[None], (~gone[None]).astype(np.float32), noise[None], "nearest", shades[None])[0]
        )
    return np.concatenate(parts)


def _means(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """x (h, w, c) as the means over `size` blocks."""
    rows, columns = (np.eye(count)[cell_of(side, count)] for side, count in zip(x.shape, size, strict=False))
    sums = np.einsum("ha,hwc,wb->abc", rows, x.astype(np.float64), columns, optimize=True)
    return np.asarray(sums / np.outer(rows.sum(axis=0), columns.sum(axis=0))[..., None])
