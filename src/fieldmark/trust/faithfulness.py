"""Hide what a map calls important, cell after cell, and see what the class loses: orders, masks and areas."""

from __future__ import annotations

import numpy as np

from fieldmark.trust.statistics import correlation, ranks

BLUR_CELLS = 1.5  # sigma of the blurred map that ROAD is read beside


def cell_of(side: int, cells: int) -> np.ndarray:
    """(side,): the cell of each pixel along one axis, as masks are enlarged to nearest neighbours."""
    return np.minimum(((np.arange(side) + 0.5) * cells / side).astype(int), cells - 1)


def pooled(maps: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Means of maps (n, h, w) over the pixels of each cell: float64 (n, *cells)."""
    down, across = (np.eye(count)[cell_of(side, count)] for side, count in zip(maps.shape[1:], cells, strict=True))
    sums = down.T @ maps.astype(np.float64) @ across
    return np.asarray(sums / np.outer(down.sum(axis=0), across.sum(axis=0)))


def order(values: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """The cells of values (cells,), most important first; cells of the same value in the order of `chance` (cells,).

    `chance` is the random dummy's map, so that a blank map is ordered as that dummy is, and scores the same.
    """
    return np.lexsort((-chance.ravel(), -values.ravel()))


def hidden(order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bool (len(counts), cells): True for the first `count` cells of the order."""
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    return np.asarray(place[None] < np.asarray(counts)[:, None])


def step_counts(cells: int, steps: int) -> np.ndarray:
    """(steps + 1,): how many cells are hidden at each step, from none to all."""
    return np.round(np.linspace(0, cells, steps + 1)).astype(int)


def area(curve: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The area under curves (..., steps + 1) over the share hidden, by the trapezoidal rule; of a constant, itself."""
    shares = np.asarray(counts, np.float64) / counts[-1]
    return np.asarray(((curve[..., 1:] + curve[..., :-1]) / 2 * np.diff(shares)).sum(axis=-1))


def mufidelity(sums: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Rank correlation over sets (..., m) of what a map says was hidden and of what the score lost [bhatt2020]."""
    return correlation(ranks(sums), ranks(losses))


def set_sums(values: np.ndarray, segments: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """(m,): the sum of a map (h, w) over each set (m, segments) of its segments (h, w)."""
    count = sets.shape[1]
    return np.asarray(sets @ np.bincount(segments.ravel(), values.ravel().astype(np.float64), minlength=count))
