"""What a whole object is told by: its outline, its colour, or a colour anywhere on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fieldmark as fm

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

import cv2

from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said
from fieldmark.guide.making import Seen
from fieldmark.guide.mark import question
from fieldmark.guide.marks import CANVAS
from fieldmark.guide.observer import words_of
from fieldmark.guide.outlines import OUTLINES, outline_amounts
from fieldmark.guide.places import tabulate
from fieldmark.guide.pose import to_canvas
from fieldmark.guide.whole import Wholes
from tests.guide.made import small_guide
from tests.support.unseen import draw, trained
from tests.support.wholes import WHOLES


def amounts(mask: np.ndarray) -> dict[str, float]:
    return dict(zip(OUTLINES, outline_amounts(mask), strict=True))


def ellipse(across: int, down: int, angle: float = 0) -> np.ndarray:
    mask = np.zeros((96, 96), np.uint8)
    cv2.ellipse(mask, (48, 48), (across, down), angle, 0, 360, 1, -1)
    return mask.astype(bool)


def polygon(*points: tuple[float, float]) -> np.ndarray:
    mask = np.zeros((96, 96), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask.astype(bool)


TURN, REACH = np.arange(10) * np.pi / 5, np.where(np.arange(10) % 2, 17, 42)
STAR = polygon(*np.stack([48 + REACH * np.cos(TURN), 48 + REACH * np.sin(TURN)], 1))
DIAMOND = polygon((48, 16), (80, 48), (48, 80), (16, 48))


@pytest.mark.no_framework
@pytest.mark.parametrize(
    ("mask", "surely", "no"),
    [
        (ellipse(30, 30), {"round"}, {"long", "box-shaped", "deeply cut", "wide", "tall"}),
        (ellipse(40, 14), {"long", "wide"}, {"round", "box-shaped", "tall", "deeply cut"}),
        (ellipse(40, 14, 90), {"long", "tall"}, {"round", "wide"}),
        (ellipse(40, 14, 45), {"long"}, {"round", "wide", "tall"}),
        (DIAMOND, {"box-shaped"}, {"long", "deeply cut", "wide", "tall"}),
        (STAR, {"deeply cut"}, {"round", "long", "box-shaped"}),
        (np.zeros((96, 96), bool), set(), {"round", "long", "box-shaped", "deeply cut", "wide", "tall"}),
    ],
)
def test_every_outline_has_its_words_and_no_other(mask: np.ndarray, surely: set[str], no: set[str]) -> None:
    found = amounts(mask)
    assert {name for name in surely if found[name] < 0.9} == set()
    assert {name for name in no if found[name] > 0.1} == set()


class Eye:
    """A classifier that goes by how long a light or dark thing is before its ground, or how blue, and nothing else."""

    labels = ("plain", "told")

    def __init__(self, blue: bool) -> None:
        self.blue = blue

    def predict(self, images: np.ndarray) -> SimpleNamespace:
        told = np.array([self._blue(each) if self.blue else self._long(each) for each in images.astype(np.float32)])
        return SimpleNamespace(scores=np.stack([-told, told], axis=1) * 10)

    def _blue(self, image: np.ndarray) -> float:
        there = np.abs(image - 128).max(axis=-1) > 40
        return float(np.clip((image[there, 2] - image[there, 0]).mean() / 60, -1, 1)) if there.any() else 0.0

    def _long(self, image: np.ndarray) -> float:
        y, x = np.nonzero(np.abs(image - 128).max(axis=-1) > 40)
        spread = np.linalg.eigvalsh(np.cov(np.stack([x, y]))) if len(y) > 2 else np.ones(2)
        return float(np.clip(np.sqrt(spread[1] / max(spread[0], 1e-6)) - 1.7, -1, 1))


def things(told: str) -> tuple[np.ndarray, np.ndarray]:
    """Ellipses of any colour on grey (64, 64, 3); those of class 1 are long, or all are round and those are blue."""
    rng, labels = np.random.default_rng(0), np.tile([0, 1], 24)
    images = np.full((len(labels), 64, 64, 3), 128.0) + rng.normal(0, 3, (len(labels), 64, 64, 3))
    paints = np.array([(230, 60, 50), (240, 230, 60), (250, 250, 250), (20, 20, 20)], float)
    for image, label in zip(images, labels, strict=True):
        axes = (24, 9) if label and told == "long" else (14, 14)
        paint = np.array([40, 60, 220.0]) if label and told == "blue" else paints[rng.integers(len(paints))]
        middle, angle = rng.integers(28, 37, 2).tolist(), float(rng.uniform(0, 180))
        cv2.ellipse(image, middle, axes, angle, 0, 360, (paint + rng.uniform(-8, 8)).tolist(), -1)
    return np.clip(images, 0, 255).astype(np.uint8), labels


@pytest.mark.no_framework
@pytest.mark.parametrize(("told", "outline", "word"), [("long", True, "long"), ("blue", False, "blue")])
def test_objects_that_are_marks_are_found_by_making_them_like_others(told: str, outline: bool, word: str) -> None:
    images, labels = things(told)
    groups = {cls: np.nonzero(labels == cls)[0] for cls in (0, 1)}
    seen = Seen.of(images, np.arange(len(images)))
    shared = to_canvas(seen.placed.objects.masks.astype(np.float32), seen.placed.poses, CANVAS).mean(axis=0)
    table = tabulate(seen.pictures, seen.placed.objects, seen.placed.poses, shared, groups)
    studio = Studio(images, seen.pictures, seen.placed, table.bodies)
    eye = Eye(told == "blue")
    said = Said(eye.predict(images).scores, labels, np.ones(len(images)))
    marks = {mark.cls: mark for mark in Wholes(eye, studio, said, groups, seed=0).among([], table)}
    assert marks[1].whole
    assert marks[1].outline is outline
    best = words_of(marks[1], table)[0]
    assert best.name == word
    if outline:
        assert question(best, "as a whole") == "Is it long as a whole?"
        assert words_of(marks[0], table)[0].name == "round"


@pytest.mark.no_framework
def test_an_outline_is_lent_with_its_place_and_nothing_is_left_of_the_old_one() -> None:
    images, labels = things("long")
    seen = Seen.of(images, np.arange(len(images)))
    bodies = np.stack(
        [lab[mask].mean(axis=0) for lab, mask in zip(seen.pictures.lab, seen.placed.objects.masks, strict=True)]
    )
    studio = Studio(images, seen.pictures, seen.placed, bodies)
    eye = Eye(blue=False)
    rows, others = np.nonzero(labels == 1)[0][:8], np.nonzero(labels == 0)[0][:8]
    assert eye.predict(images[rows]).scores.argmax(axis=1).all()
    edits = np.stack([studio.reshaped(int(i), int(j)) for i, j in zip(rows, others, strict=True)])
    assert not eye.predict(edits).scores.argmax(axis=1).any()
    colours = np.median(edits[:, 28:36, 28:36], axis=(1, 2)) - np.median(images[rows, 28:36, 28:36], axis=(1, 2))
    assert np.abs(colours).max() < 12


def test_a_guide_says_how_an_outline_was_proved(tmp_path: Path) -> None:
    guide = small_guide()
    mark = replace(guide.marks[0], whole=True, outline=True, words="Long, as a whole")
    guide = replace(guide, marks=(mark, *guide.marks[1:]))
    assert "given outlines of other classes: " in str(guide)
    assert "Given outlines of other classes" in guide.write_html(tmp_path / "guide.html").read_text()
    assert fm.FieldGuide.load(guide.save(tmp_path / "guide.json")).marks[0].outline


def test_flowers_by_the_colour_of_all_petals_and_by_dots_on_all_of_them() -> None:
    drawn = draw("flowers", 40, 2, WHOLES)
    model = trained(draw("flowers", 150, 1, WHOLES))
    guide = fm.FieldGuide.from_images(fm.Classifier(model, labels=drawn.names), drawn.images)
    words = {(mark.classes[0], mark.words) for mark in guide.marks if mark.accepted}
    assert ("purple", "Purple, large, all over") in words
    assert any(name == "dotted" and said.endswith("somewhere") for name, said in words)
    assert any(name == "dark middle" and "in the middle" in said for name, said in words)
    assert guide.reducible
