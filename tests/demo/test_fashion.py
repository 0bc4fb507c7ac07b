"""The small network that other tests explain has learnt something, and the same in every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.fashion import LABELS, fashion_model, preprocess, train_fashion


def test_the_tutorial_network_learns(shared_data: Path) -> None:
    fashion = train_fashion(shared_data / "fashion_mnist_900.npz")
    assert fashion.images.shape == (180, 28, 28, 1)
    assert np.bincount(fashion.classes).tolist() == [18] * len(LABELS)
    assert fashion.accuracy() > 0.75  # measured: .84; chance: .10
    assert fashion.model.layers[-1].name == "final"
    assert fashion.model.get_layer("relu8").output.shape == (None, 3, 3, 256)


def test_the_seed_fixes_the_network() -> None:
    ones = preprocess(np.full((1, 28, 28, 1), 255, np.uint8))
    first, again, other = (fashion_model(seed).predict_on_batch(ones) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
