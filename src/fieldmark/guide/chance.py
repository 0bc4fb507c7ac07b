"""What may be chance: the paired test of an effect, and how many such tests are believed together."""

from __future__ import annotations

import numpy as np

CHANCE = 0.05  # false discoveries among accepted marks
SIGN_FLIPS = 2000


def benjamini_hochberg(p: np.ndarray, rate: float = CHANCE) -> np.ndarray:
    """Which of the hypotheses are rejected with that share of false discoveries [benjamini1995]."""
    if len(p) == 0:
        return np.zeros(0, bool)
    order = np.argsort(p)
    below = p[order] <= rate * np.arange(1, len(p) + 1) / len(p)
    last = np.nonzero(below)[0].max() + 1 if below.any() else 0
    found = np.zeros(len(p), bool)
    found[order[:last]] = True
    return found


def sign_flip(differences: np.ndarray, seed: int) -> float:
    """One-sided p of the mean of paired differences being above 0, by flipping signs at random."""
    if len(differences) == 0:
        return 1.0
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (SIGN_FLIPS, len(differences)))
    return float((1 + ((signs * differences).mean(axis=1) >= differences.mean()).sum()) / (1 + SIGN_FLIPS))
