"""How near one map is to another."""

from __future__ import annotations

from typing import Any

import numpy as np

CLASSES = (285, 281)  # Egyptian_cat and tabby, as in the peers' scripts
EXACT = 1e-5  # of the map's largest value
KINKS = "rounding, another where batch-norm is folded, puts a few ReLUs on the other side of their kink"


def compare(mine: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """(correlation, largest difference as a share of the largest value once scaled by one factor)."""
    a, b = np.asarray(mine, np.float64).ravel(), np.asarray(theirs, np.float64).ravel()
    scale = (a @ b) / (a @ a)
    return float(np.corrcoef(a, b)[0, 1]), float(np.abs(scale * a - b).max() / np.abs(b).max())


def in_words(fields: dict[str, Any]) -> str:
    """Settings for the table; arrays by name only."""
    return ", ".join(
        f"the same {name} for both" if isinstance(value, np.ndarray) else f"{name}={value}"
        for name, value in fields.items()
    )
