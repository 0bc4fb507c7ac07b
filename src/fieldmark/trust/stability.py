"""How much a map changes under noise that nobody sees, and how much it singles out."""

from __future__ import annotations

import numpy as np


def max_sensitivity(maps: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """max_k |moved_k - map| / |map| (n,), of maps (n, h, w) and those of noisy images (k, n, h, w) [yeh2019].

    A blank map that stays blank has 0, one that does not infinity.
    """
    n = len(maps)
    size = np.linalg.norm(maps.reshape(n, -1).astype(np.float64), axis=1)
    apart = np.linalg.norm((moved - maps[None]).reshape(len(moved), n, -1).astype(np.float64), axis=2).max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(apart == 0, 0.0, apart / size)


def gini(maps: np.ndarray) -> np.ndarray:
    """The Gini index of |map| (n,), of maps (n, h, w): 0 for one value everywhere, or none [chalasani2020]."""
    values = np.sort(np.abs(maps.reshape(len(maps), -1).astype(np.float64)), axis=1)
    count = values.shape[1]
    total = values.sum(axis=1)
    weights = 2 * np.arange(1, count + 1) - count - 1
    return np.where(total == 0, 0.0, values @ weights / (count * np.where(total == 0, 1.0, total)))


def entropy(maps: np.ndarray, bins: int = 100) -> np.ndarray:
    """The entropy in nats of a histogram of `bins` equal bins over each map's own range, (n,) of (n, h, w)."""
    found = []
    for values in maps.reshape(len(maps), -1).astype(np.float64):
        if not np.isfinite(values).all():
            found.append(np.nan)
            continue
        counts, _ = np.histogram(values, bins=bins)
        shares = counts[counts > 0] / counts.sum()
        found.append(float(-(shares * np.log(shares)).sum()))
    return np.array(found)
