"""Marks that are no part of an object but all of it: its colour, proved by dyeing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fieldmark as fm

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

import cv2

from fieldmark.guide.observer import Agreement
from fieldmark.guide.verdict import REDUCIBLE, Findings, verdict

COLOURS = {"red": (190, 50, 50), "blue": (50, 80, 190), "yellow": (205, 185, 50), "grey": (200, 200, 200)}


def blobs(per_class: int = 40) -> np.ndarray:
    """(n, 64, 64, 3) ellipses, each all of one colour in one of many lights, before a dull ground."""
    rng = np.random.default_rng(0)
    images = []
    for colour in np.repeat(np.array(list(COLOURS.values()), float), per_class, axis=0):
        image = np.full((64, 64, 3), np.array([120, 125, 118]) + rng.normal(0, 6, 3), np.float32)
        middle, axes = rng.integers(26, 39, 2), rng.integers(11, 18, 2)
        cv2.ellipse(image, middle.tolist(), axes.tolist(), 0, 0, 360, (colour * rng.uniform(0.85, 1.1)).tolist(), -1)
        images.append(np.clip(image + rng.normal(0, 4, image.shape), 0, 255))
    return np.stack(images)[rng.permutation(len(images))].astype(np.uint8)


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    """Goes by how much of each colour there is, with weights made by hand: (n, 64, 64, 3) of 0 to 255."""
    import keras

    inputs = keras.Input((64, 64, 3))
    seen = keras.layers.Conv2D(3, 1, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(seen)))
    # R - G - B / 2;  B - R - .3 G;  (R + G - B) / 2;  and none of them
    kernel = np.array([[1, -1, 0.5], [-1, -0.3, 0.5], [-0.5, 1, -0.5]], np.float32)
    model.layers[2].set_weights([kernel[None, None], np.array([-0.1, -0.1, -0.4], np.float32)])
    model.layers[-1].set_weights([np.eye(3, 4, dtype=np.float32) * 250, np.array([0, 0, 0, 4], np.float32)])
    return fm.Classifier(model, labels=list(COLOURS))


def test_a_network_that_goes_by_the_colour_of_the_whole_object(classifier: fm.Classifier, tmp_path: Path) -> None:
    guide = fm.FieldGuide.from_images(classifier, blobs())
    assert guide.verdict == REDUCIBLE
    assert guide.fidelity is not None
    assert guide.fidelity.described.value > 0.95
    proved = {mark.classes[0]: mark for mark in guide.marks if mark.accepted}
    assert set(proved) >= {"red", "blue", "yellow"}  # grey may be what has none of these colours
    for name in ("red", "blue", "yellow"):
        mark = proved[name]
        assert mark.whole
        assert mark.words.casefold().startswith(name)
        assert mark.words.endswith("all over")
        assert min(mark.proof.flips, mark.proof.swapped) > 0.9
        assert max(mark.proof.control_flips, mark.proof.swap_control) < 0.1
    assert "dyed as other classes are: 100% called something else (as its own 0%)" in str(guide)
    assert "Dyed as other classes are" in guide.write_html(tmp_path / "guide.html").read_text()


@pytest.mark.no_framework
def test_random_places_are_no_rivals_of_what_is_everywhere() -> None:
    found = Findings(Agreement(0.98, 0.95, 1.0, 0.98, 200), 0.9, 1.0, 1.0)
    assert "random places" in verdict(found)
    assert found.margin < 0
    assert verdict(replace(found, whole=0.8)) == REDUCIBLE
    assert replace(found, whole=0.8).margin > 0
    assert "random places" in verdict(replace(found, whole=0.5))
