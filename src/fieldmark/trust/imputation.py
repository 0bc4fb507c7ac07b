"""Noisy linear imputation: what is hidden becomes the weighted mean of its neighbours, hidden ones too [rong2022]."""

from __future__ import annotations

import numpy as np

DIRECT, DIAGONAL = 1 / 6, 1 / 12  # the paper's weights of the four and the four further neighbours
SWEEPS = 500
RELAX = 1.5
CLOSE = 1e-3  # of the pictures' standard deviation: when to stop
SMALL = 8  # a side that is solved without a smaller picture to start from


def impute(pictures: np.ndarray, hidden: np.ndarray, sweeps: int = SWEEPS, close: float = CLOSE) -> np.ndarray:
    """Pictures (b, h, w, c) whose `hidden` pixels (b, h, w) are the weighted mean of their up to eight neighbours.

    One linear system a picture, solved by relaxation, all together, until nothing moves by more than `close` standard
    deviations. Where everything is hidden there is nothing to go by: the picture's mean. Noise is not added here.
    """
    scale = float(pictures.std()) or 1.0
    means = pictures.mean(axis=(1, 2), keepdims=True)
    everything = np.asarray(hidden.all(axis=(1, 2)))[:, None, None, None]
    known = np.where(everything, np.broadcast_to(means, pictures.shape), pictures).astype(np.float32)
    unknown = hidden & ~everything[..., 0]
    start = _start(known, unknown, sweeps, close)
    b, h, w, c = known.shape
    # Places first: a sweep then adds long rows, all pictures and channels at once.
    values = np.zeros((h + 2, w + 2, b * c), np.float32)
    values[1:-1, 1:-1] = np.where(unknown[..., None], start, known).transpose(1, 2, 0, 3).reshape(h, w, -1)
    step = np.repeat(unknown.transpose(1, 2, 0), c, axis=2) * np.float32(RELAX)
    _relax(values, step, sweeps, close * scale)
    return values[1:-1, 1:-1].reshape(h, w, b, c).transpose(2, 0, 1, 3)


def _relax(values: np.ndarray, step: np.ndarray, sweeps: int, close: float) -> None:
    """In place: each pixel by `step` (0, or how far) towards the mean of its neighbours, in four colours."""
    ones = np.zeros((*values.shape[:2], 1), np.float32)
    ones[1:-1, 1:-1] = 1
    colours = [(i, j) for i in (0, 1) for j in (0, 1)]  # no two neighbours have one colour
    shares = [1 / _around(ones, *colour) for colour in colours]
    for _ in range(sweeps):
        moved = 0.0
        for (i, j), share in zip(colours, shares, strict=True):
            here = values[1 + i : -1 : 2, 1 + j : -1 : 2]
            change = step[i::2, j::2] * (_around(values, i, j) * share - here)
            here += change
            moved = max(moved, float(np.abs(change).max(initial=0)))
        if moved <= close:
            return


def _around(values: np.ndarray, i: int, j: int) -> np.ndarray:
    """The weighted sum over the neighbours of every second pixel, from (i, j) on, of values with a rim of zeros."""
    rows, columns = values.shape[0] - 2, values.shape[1] - 2

    def beside(down: int, across: int) -> np.ndarray:
        return values[1 + i + down : rows + 1 + down : 2, 1 + j + across : columns + 1 + across : 2]

    direct = beside(-1, 0) + beside(1, 0) + beside(0, -1) + beside(0, 1)
    diagonal = beside(-1, -1) + beside(-1, 1) + beside(1, -1) + beside(1, 1)
    return np.asarray(np.float32(DIRECT) * direct + np.float32(DIAGONAL) * diagonal)


def _start(known: np.ndarray, unknown: np.ndarray, sweeps: int, close: float) -> np.ndarray:
    """What to begin with: the solution for pictures of half the size, or the mean of what is known."""
    left = (~unknown)[..., None].astype(np.float32)
    if min(known.shape[1:3]) <= SMALL:
        return np.asarray((known * left).sum(axis=(1, 2), keepdims=True) / left.sum(axis=(1, 2), keepdims=True))
    counts = _halved(left)
    smaller = _halved(known * left) / np.maximum(counts, 1)
    solved = impute(smaller, counts[..., 0] == 0, sweeps, close)
    return np.repeat(np.repeat(solved, 2, axis=1), 2, axis=2)[:, : known.shape[1], : known.shape[2]]


def _halved(values: np.ndarray) -> np.ndarray:
    """Sums over blocks of 2 x 2 of (b, h, w, c); the last row or column of an odd side stands alone."""
    odd = [(0, side % 2) for side in values.shape[1:3]]
    even = np.pad(values, ((0, 0), *odd, (0, 0)))
    return np.asarray(even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2])
