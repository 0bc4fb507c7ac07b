"""Maps while a network is trained by model.fit: nothing about the training changes, on any backend."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import fieldmark as fm
from fieldmark.callbacks import Explain
from fieldmark.errors import FieldmarkError

RANDOM = np.random.default_rng(0)
X = RANDOM.random((32, 12, 14, 1)).astype(np.float32)
Y = (X[:, :6].mean(axis=(1, 2, 3)) > X[:, 6:].mean(axis=(1, 2, 3))).astype(int)


def network() -> Any:
    """With everything that keeps a state in training: normalisation, dropout, momentum; seeded."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 14, 1)),
            layers.Conv2D(4, 3, name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def train(model: Any, *callbacks: Any, epochs: int = 3, **options: Any) -> Any:
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)


@pytest.mark.every_backend
def test_training_with_it_gives_the_same_weights_bit_by_bit(tmp_path: Path) -> None:
    plain, followed = network(), network()
    keras.utils.set_random_seed(1)
    history = train(plain)
    ends = (np.random.random(), random.random())
    keras.utils.set_random_seed(1)
    explain = Explain(X[:2], [fm.GradCAM(), fm.SmoothGrad(samples=2)], labels=["up", "down"], out=tmp_path / "out")
    same = train(followed, explain)
    assert (np.random.random(), random.random()) == ends
    assert same.history == history.history
    assert len(plain.variables) == len(followed.variables) == 9
    for mine, theirs in zip(plain.variables, followed.variables, strict=True):  # moving means and seeds among them
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    for mine, theirs in zip(plain.optimizer.variables, followed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    assert [epoch.number for epoch in explain.history] == [0, 1, 2, 3]
    # What is explained is the network as it was then: scores change, and the last are those of the trained one.
    scores = [float(epoch.attributions[0].scores.sum()) for epoch in explain.history]
    assert len(set(scores)) == 4
    now = fm.GradCAM()(fm.Classifier(followed, labels=["up", "down"]), X[:2])
    np.testing.assert_allclose(now.maps, explain.history[-1].attributions[0].maps, atol=1e-6)
    assert explain.history[-1].logs["loss"] == pytest.approx(same.history["loss"][-1])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["epoch-0000.png", "epoch-0001.png", "epoch-0002.png", "epoch-0003.png", "film.gif"]
    with Image.open(tmp_path / "out" / "film.gif") as film:
        assert film.n_frames == 4


def test_the_epochs_that_were_asked_for() -> None:
    every, named = Explain(X[:1], every=2, start=False), Explain(X[:1], epochs=[1, 4])
    train(network(), every, named, epochs=5)
    assert [epoch.number for epoch in every.history] == [2, 4]
    assert [epoch.number for epoch in named.history] == [0, 1, 4]


def test_training_that_goes_on_is_counted_on() -> None:
    model = network()
    explain = Explain(X[:1])
    train(model, explain, epochs=1)
    train(model, explain, epochs=2, initial_epoch=1)
    assert [epoch.number for epoch in explain.history] == [0, 1, 2]


def test_another_network_is_looked_at_anew() -> None:
    explain = Explain(X[:1])
    first, second = network(), network()
    train(first, explain, epochs=1)
    train(second, explain, epochs=1)
    assert explain.classifier.model is second


@pytest.mark.every_backend
def test_what_cannot_be_explained_is_said_before_the_first_epoch() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12, 14, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    weights = [np.asarray(value).copy() for value in model.get_weights()]
    with pytest.raises(FieldmarkError, match="no spatial layer"):
        train(model, Explain(X[:1]))
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_it_is_a_keras_callback() -> None:
    assert isinstance(Explain(X[:1]), keras.callbacks.Callback)
    assert fm.callbacks.Explain is Explain
