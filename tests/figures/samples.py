"""Attributions made up for tests of figures and reports: smooth blobs over plain or random images."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldmark.attribution import Attribution


def blob(height: int, width: int, y: float, x: float, spread: float = 0.15) -> np.ndarray:
    """A Gaussian bump at (y, x), in shares of the height and width."""
    rows, columns = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    return np.exp(-((rows[:, None] - y) ** 2 + (columns - x) ** 2) / (2 * spread**2)).astype(np.float32)


def sample(
    n: int = 1,
    t: int = 2,
    *,
    method: str = "GradCAM",
    layer: str | None = "base/top_activation",
    signed: bool = False,
    size: tuple[int, int, int] = (40, 60, 3),
    targets: tuple[str, ...] = ("Egyptian_cat", "tiger_cat"),
    **changes: Any,
) -> Attribution:
    """An attribution whose blob moves with image and target; signed ones have a negative blob in a corner."""
    maps = np.stack(
        [np.stack([blob(7, 9, 0.3 + 0.1 * i, 0.3 + 0.04 * k) * (k + 1) for k in range(t)]) for i in range(n)]
    )
    if signed:
        maps = maps - 0.6 * blob(7, 9, 0.9, 0.9)
    fields: dict[str, Any] = {
        "maps": maps,
        "scores": np.linspace(11.3, 1, n * t, dtype=np.float32).reshape(n, t),
        "probabilities": np.linspace(0.771, 0.01, n * t, dtype=np.float32).reshape(n, t),
        "classes": np.tile(np.arange(t), (n, 1)),
        "targets": tuple(tuple(targets[k % len(targets)] for k in range(t)) for _ in range(n)),
        "provenance": {
            "method": method,
            "parameters": {"layer": layer},
            "layer": layer,
            "layer_reason": "last feature map before pooling",
            "target": "Top(k=2)",
            "seed": 0,
            "scores": "logits",
            "model": "efficientnet_lite0",
            "backend": "tensorflow",
            "versions": {"keras": "3.15.1"},
            "fieldmark": "0.1.0",
        },
        "images": np.random.default_rng(0).integers(0, 256, (n, *size), dtype=np.uint8),
        "signed": signed,
    }
    return Attribution(**{**fields, **changes})
