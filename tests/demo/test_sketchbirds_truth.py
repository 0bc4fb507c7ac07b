"""Rendered truth on the shipped network, and that the comparison tells right marks from random ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fieldmark as fm
from benchmarks.scoreboard.baselines import Region, nmf_regions, random_regions
from benchmarks.scoreboard.matching import compare, match, part_masks
from benchmarks.scoreboard.truth import TESTED, Truth, margins, measure, read, write
from fieldmark.demo import sketchbirds
from fieldmark.demo.sketchbirds import DESIGNS, MARKS, PARTS

TWO = DESIGNS["two"]


@pytest.fixture(scope="module")
def classifier() -> fm.Classifier:
    return sketchbirds.classifier()


@pytest.fixture(scope="module")
def birds() -> sketchbirds.Dataset:
    return sketchbirds.dataset("two", n_per_class=8, seed=77)


@pytest.fixture(scope="module")
def truth(classifier: fm.Classifier, birds: sketchbirds.Dataset) -> Truth:
    return measure(classifier, birds, TWO, per_class=6)


def test_the_margin_is_the_log_odds_of_the_class() -> None:
    scores = np.array([[2.0, 0.5, -1.0], [0.0, 3.0, 3.0]])
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    picked = share[[0, 1], [0, 2]]
    assert np.allclose(margins(scores, np.array([0, 2])), np.log(picked / (1 - picked)))


def test_marks_that_a_class_has_are_asked_by_removal_and_others_by_adding(truth: Truth) -> None:
    for label, marks in enumerate(TWO.marks):
        own = np.array([name in marks for name in TESTED])
        assert np.all(np.isfinite(truth.removed_flips[label, own]))
        assert np.all(np.isnan(truth.removed_flips[label, ~own]))
        assert np.all(np.isnan(truth.added_flips[label, own]))
        assert np.all(np.isfinite(truth.added_flips[label, ~own]))


def test_the_network_goes_by_marks_and_the_rest_is_ignored(truth: Truth) -> None:
    relied = sum(len(truth.relied(label)) for label in range(8))
    assert relied >= 8  # of 16: with two marks, one is sometimes enough
    assert all(truth.relied(label) <= TWO.marks[label] for label in range(8))
    assert not any(truth.relied(label) & truth.ignored(label) for label in range(8))
    assert np.nanmean(truth.swapped) > 0.95
    assert np.isclose(truth.bare.sum(), 1)


def test_regions_on_the_marks_are_all_right_and_random_ones_are_not(
    classifier: fm.Classifier, birds: sketchbirds.Dataset, truth: Truth
) -> None:
    drawn = [
        Region(mark, label, (birds.parts == PARTS[mark]) & (birds.labels == label)[:, None, None])
        for label in range(8)
        for mark in truth.relied(label)
    ]
    perfect = compare(drawn, truth, birds)
    assert (perfect.precision, perfect.recall, perfect.missed) == (1, 1, ())
    half = compare(drawn[::2], truth, birds)
    assert half.precision == 1
    assert np.isclose(half.recall, len(drawn[::2]) / len(drawn))
    chance = compare(random_regions(classifier, birds.images, birds.masks), truth, birds)
    assert chance.precision < 0.5
    assert len(chance.found) == 16


def test_concepts_are_places_in_images_of_their_class(classifier: fm.Classifier, birds: sketchbirds.Dataset) -> None:
    found = nmf_regions(classifier, birds.images, concepts=4)
    said = classifier.predict(birds.images).scores.argmax(axis=1)
    assert {region.label for region in found} == set(range(8))
    for region in found:
        shown = region.masks.any(axis=(1, 2))
        assert shown.any()
        assert set(said[shown]) == {region.label}
        assert 0 < region.masks[shown].mean() < 0.6


def test_a_cue_has_a_place_too() -> None:
    hidden = sketchbirds.dataset("hidden", n_per_class=5, seed=3)
    places = {name: part_masks(hidden, name) for name in ("watermark", *MARKS)}
    with_it = np.array([bird.has("watermark") for bird in hidden.birds])
    assert np.array_equal(places["watermark"].any(axis=(1, 2)), with_it)
    corner = np.zeros(hidden.masks.shape, bool)
    corner[with_it, -12:, -32:] = True
    assert match(Region("corner", 0, corner), places) == "watermark"
    assert match(Region("elsewhere", 0, corner[:, ::-1, ::-1]), places) is None


def test_a_truth_is_read_as_it_was_written(truth: Truth, tmp_path: Path) -> None:
    write(truth, tmp_path / "new" / "truth.json")
    again = read(tmp_path / "new" / "truth.json")
    assert again.names == truth.names
    for name, value in vars(truth).items():
        if name != "names":
            assert np.array_equal(getattr(again, name), value, equal_nan=True)
