"""The twin in which the scoreboard's networks are trained says what the Keras model says, and gives weights back."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks of the scoreboard are trained in torch")

import torch

from benchmarks.scoreboard.nets import ARCHITECTURES
from benchmarks.scoreboard.twin import Twin, fit


def _drawn(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A kernel at random, or what a normalisation or a bias begins with, a little off."""
    if weights.ndim < 2:
        return weights + rng.normal(0, 0.01, weights.shape)
    return rng.normal(0, np.sqrt(2 / np.prod(weights.shape[:-1])), weights.shape)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [64, 72])
def test_a_twin_says_what_its_model_says_before_and_after_training(architecture: str, size: int) -> None:
    rng = np.random.default_rng(0)
    model = ARCHITECTURES[architecture](size, 3)
    before = [_drawn(weights, rng) for weights in model.get_weights()]
    model.set_weights(before)
    classes = np.arange(12) % 3
    images = (
        rng.random((12, size, size, 3), np.float32) * 0.2 + np.eye(3, dtype=np.float32)[classes][:, None, None] * 0.8
    )

    def says() -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            logits = Twin(model).eval()(torch.from_numpy(images).permute(0, 3, 1, 2))
        return torch.softmax(logits, 1).numpy(), model.predict(images, verbose=0)

    np.testing.assert_allclose(*says(), atol=1e-5)
    fit(model, ((images, classes) for _ in range(40)), 40, peak=2e-3)
    np.testing.assert_allclose(*says(), atol=1e-5)
    changed = [not np.allclose(old, new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert all(changed)
    assert (says()[1].argmax(axis=1) == classes).mean() > 0.6
