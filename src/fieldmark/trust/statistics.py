"""Means over images with bootstrap intervals, and rank correlations: what every verdict rests on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

DRAWS = 2000
LEVEL = 0.95
LEAST = 2  # images below which there is no interval


@dataclass(frozen=True)
class Interval:
    """A mean over n images and the percentile bootstrap interval of 95 %; NaN where too few images were measured."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "-"
        if not np.isfinite(self.low):
            return rounded(self.mean)
        return f"{rounded(self.mean)} ({rounded(self.low)} to {rounded(self.high)})"


def rounded(value: float) -> str:
    """Two places, and no -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"


def interval(values: np.ndarray, seed: int = 0) -> Interval:
    """The mean of the finite values (n,) and how far it may be off, by drawing images anew 2000 times."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    n = len(found)
    if n < LEAST:
        return Interval(float(found.mean()) if n else float("nan"), float("nan"), float("nan"), n)
    low, high = np.quantile(_draws(n, seed) @ found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(found.mean()), float(low), float(high), n)


@lru_cache(maxsize=4)
def _draws(n: int, seed: int) -> np.ndarray:
    """(DRAWS, n): the weight of each of n images in every draw, rows adding up to 1; thousands of means share it."""
    drawn = np.random.default_rng(seed).integers(0, n, size=(DRAWS, n)) + n * np.arange(DRAWS)[:, None]
    return np.bincount(drawn.ravel(), minlength=DRAWS * n).reshape(DRAWS, n) / n


def difference(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Interval:
    """Of a - b, image by image, over the images where both were measured."""
    return interval(np.asarray(a, np.float64) - np.asarray(b, np.float64), seed)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks 0 ... n - 1 of the last axis; equal values share the mean of their ranks."""
    values = np.asarray(values)
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    n = values.shape[-1]
    new = np.concatenate([np.ones((*values.shape[:-1], 1), bool), np.diff(ordered, axis=-1) != 0], axis=-1)
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0), axis=-1)
    ends = np.concatenate([new[..., 1:], np.ones((*values.shape[:-1], 1), bool)], axis=-1)
    last = np.flip(np.minimum.accumulate(np.flip(np.where(ends, np.arange(n), n), axis=-1), axis=-1), axis=-1)
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last) / 2, axis=-1)
    return found


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's, over the last axis; 0 where one of the two is constant, NaN where one is not finite."""
    a = np.asarray(a, np.float64) - np.mean(a, axis=-1, keepdims=True)
    b = np.asarray(b, np.float64) - np.mean(b, axis=-1, keepdims=True)
    size = np.sqrt(np.square(a).sum(axis=-1) * np.square(b).sum(axis=-1))
    product = (a * b).sum(axis=-1)
    return np.where(size == 0, 0.0, product / np.where(size == 0, 1.0, size))


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rank correlation over the last axis; 0 where one of the two is constant, NaN where one is not finite."""
    finite = np.isfinite(a).all(axis=-1) & np.isfinite(b).all(axis=-1)
    return np.where(finite, correlation(ranks(a), ranks(b)), np.nan)
