"""Guides to drawn things that the guide was not made with: without a head, without a side, without an object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fieldmark as fm
from tests.support.unseen import Drawn, draw, trained

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.frame import Frame, learn_frame
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.placing import Placed


def placed(family: str) -> tuple[Frame, Placed, Drawn]:
    drawn = draw(family, 12, seed=3)
    pictures = Pictures.of(drawn.images)
    frame = learn_frame(pictures)
    return frame, frame.place(pictures), drawn


@pytest.mark.parametrize(
    ("family", "kind", "any_way"),
    [
        ("mugs", "aligned", False),
        ("beetles", "aligned", True),
        ("leaves", "aligned", True),
        ("cells", "centred", False),
        ("signs", "centred", False),
        ("bottles", "centred", False),
    ],
)
def test_objects_are_found_and_only_those_that_are_turned_in_the_pictures_are_turned_back(
    family: str, kind: str, any_way: bool
) -> None:
    frame, there, drawn = placed(family)
    assert (frame.kind, frame.any_way) == (kind, any_way)
    masks, truth = there.objects.masks, drawn.objects
    assert np.median((masks & truth).sum(axis=(1, 2)) / (masks | truth).sum(axis=(1, 2))) > 0.9


def test_noise_turns_nothing() -> None:
    """Plain bars that stand, and squares: what turning brings or takes is chance."""
    for height, width in ((30, 14), (22, 22)):
        rng = np.random.default_rng(height)
        images = 190 + rng.normal(0, 6, (24, 64, 64, 3))
        for image in images:
            top, left = rng.integers(8, 56 - height), rng.integers(8, 56 - width)
            image[top : top + height, left : left + width] -= 120
        assert learn_frame(Pictures.of(np.clip(images, 0, 255).astype(np.uint8))).kind == "centred"


@pytest.mark.parametrize(("family", "why"), [("tiles", "no object"), ("crowds", "several things")])
def test_where_there_is_no_one_object_the_frame_is_the_picture(family: str, why: str) -> None:
    frame, there, _ = placed(family)
    assert frame.kind == "picture"
    assert why in frame.reason
    assert there.objects.masks.all()


def test_what_stands_in_the_pictures_is_not_laid_on_its_side(shared_data: Path) -> None:
    garments = np.load(shared_data / "fashion_mnist_900.npz")["x"][::9, ..., None]  # of every kind
    assert learn_frame(Pictures.of(garments)).kind == "centred"


@pytest.fixture(scope="module")
def mugs() -> tuple[fm.FieldGuide, Drawn]:
    """A network trained on other mugs, and the guide to it."""
    drawn = draw("mugs", 28, seed=2)
    model = trained(draw("mugs", 120, seed=1))
    return fm.FieldGuide.from_images(fm.Classifier(model, labels=drawn.names), drawn.images), drawn


@pytest.mark.parametrize(
    ("name", "colour", "place"),
    [("blue rim", "blue", "top"), ("white stripe", "white", "middle"), ("red foot", "red", "bottom")],
)
def test_the_words_say_what_was_drawn_and_where(
    mugs: tuple[fm.FieldGuide, Drawn], name: str, colour: str, place: str
) -> None:
    guide, drawn = mugs
    first = next(mark for mark in guide.marks if mark.classes == (name,))
    assert first.accepted
    assert first.terms[0] == colour
    assert place in first.where
    truth = np.stack([drawn.truth[example.image] for example in first.examples])
    shown = np.stack([example.mask for example in first.examples])
    assert (shown & truth).sum() > 0.8 * truth.sum()


def test_the_key_names_mugs_it_never_saw(mugs: tuple[fm.FieldGuide, Drawn]) -> None:
    others = draw("mugs", 10, seed=7)
    assert (mugs[0].key.classify(others.images) == others.labels).mean() >= 0.85
