"""The shipped network knows fresh birds, on every backend, and by the name `demo:sketchbirds`."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.demo import sketchbirds
from fieldmark.demo.sketchbirds.datasets import images_of

pytestmark = pytest.mark.every_backend


@pytest.fixture(scope="module")
def birds() -> sketchbirds.Dataset:
    return sketchbirds.dataset("two", n_per_class=40, seed=31)


def test_it_is_right_about_fresh_birds(birds: sketchbirds.Dataset) -> None:
    classifier = fm.load("demo:sketchbirds")
    assert classifier.labels == list(birds.names)
    found = classifier.predict(birds.images).probabilities.argmax(axis=1)
    assert np.mean(found == birds.labels) >= 0.97
    for label in range(8):
        assert np.mean(found[birds.labels == label] == label) >= 0.9


def test_it_goes_by_marks(birds: sketchbirds.Dataset) -> None:
    """With the marks of another class in the same picture it says the other class: it is the marks that it reads."""
    classifier = sketchbirds.classifier()
    other = (birds.labels + 3) % 8
    marks = sketchbirds.DESIGNS["two"].marks
    swapped = [bird.swapped(marks[label]) for bird, label in zip(birds.birds, other, strict=True)]
    found = classifier.predict(images_of(swapped)).probabilities.argmax(axis=1)
    assert np.mean(found == other) >= 0.95


def test_the_weights_are_small() -> None:
    file = resources.files("fieldmark.demo.sketchbirds") / "two.npz"
    assert len(file.read_bytes()) < 400_000
