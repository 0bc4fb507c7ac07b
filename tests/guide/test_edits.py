"""Single pixels of edits: what has a mark's colour, and what comes along with something borrowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv (extra `guide`) finds the objects")

from fieldmark.guide.areas import alike
from fieldmark.guide.edits import Studio
from fieldmark.guide.marks import make_candidate
from fieldmark.guide.objects import Objects
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.placing import Placed
from fieldmark.guide.pose import centred
from fieldmark.guide.regions import Region
from fieldmark.guide.whole import goes_by

pytestmark = pytest.mark.no_framework


def studio_of(images: np.ndarray, masks: np.ndarray) -> Studio:
    pictures, objects = Pictures.of(images), Objects(masks, np.full(len(masks), 40.0))
    bodies = np.stack([np.median(lab[mask], axis=0) for lab, mask in zip(pictures.lab, masks, strict=True)])
    return Studio(images, pictures, Placed(objects, centred(objects)), bodies)


def squares(grounds: list[int], bodies: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Grey squares on grey grounds, with a soft edge of one pixel."""
    images = np.stack([np.full((64, 64, 3), ground, np.uint8) for ground in grounds])
    masks = np.zeros(images.shape[:3], bool)
    masks[:, 20:44, 20:44] = True
    for image, ground, body in zip(images, grounds, bodies, strict=True):
        image[19:45, 19:45] = (ground + body) // 2
        image[20:44, 20:44] = body
    return images, masks


def test_a_brighter_white_has_the_colour_of_a_white_mark_and_a_darker_grey_has_not() -> None:
    images, masks = squares([20, 20], [80, 80])
    patch = np.zeros((64, 64), bool)
    patch[28:34, 28:34] = True
    images[:, patch] = 170
    images[1, patch] = 255
    images[1, 36:40, 36:40] = 30
    studio = studio_of(images, masks)
    region = Region(0, patch, 0.9, studio.pictures.lab[0][patch].mean(axis=0))
    mark = make_candidate(0, [region], 1.0, studio.placed.poses, studio.bodies)
    assert np.linalg.norm(studio.pictures.lab[1, 30, 30] - studio.pictures.lab[0, 30, 30]) > 26
    assert (alike(studio, mark, 0) == patch).all()
    assert (alike(studio, mark, 1) == patch).all()


def test_a_mark_without_a_place_is_its_colour_on_whatever_body() -> None:
    images, masks = squares([128] * 4, [10, 250, 10, 250])
    patch = np.zeros((64, 64), bool)
    patch[28:34, 28:34] = True
    images[:, patch] = 120
    studio = studio_of(images, masks)
    regions = [Region(i, patch, 0.9, studio.pictures.lab[i][patch].mean(axis=0)) for i in range(4)]
    mark = make_candidate(0, regions, 1.0, studio.placed.poses, studio.bodies, loose=True)
    assert np.linalg.norm(mark.colour) < 15  # half of the bodies are darker and half are lighter
    for i in range(4):
        assert (alike(studio, mark, i) & masks[i]).sum() == pytest.approx(patch.sum(), abs=4)


@dataclass(frozen=True)
class Dyed:
    """A bench of which only what happens when objects are made like others is known: of how many pictures it is so."""

    tested: dict[int, np.ndarray]
    shares: dict[tuple[int, int], float]

    def lent(self, rows: np.ndarray, cls: int, pool: np.ndarray, alter: Any, count: int = 3) -> tuple[None, np.ndarray]:
        changed = round(self.shares[cls, int(pool[0])] * 10)
        return None, np.array([cls + 1] * changed + [cls] * (10 - changed))[None]


def test_that_one_other_class_is_known_by_its_colour_says_nothing_of_a_class() -> None:
    """Of three classes only the last goes by its colour: whatever has that colour is called so."""
    shares = {(0, 0): 0.0, (0, 1): 0.0, (0, 2): 1.0, (1, 0): 0.0, (1, 1): 0.0, (1, 2): 1.0}
    bench: Any = Dyed({c: np.full(10, c) for c in range(3)}, shares | {(2, 0): 1.0, (2, 1): 1.0, (2, 2): 0.0})
    assert [goes_by(bench, cls, lambda i, j: np.zeros(0)) for cls in range(3)] == [False, False, True]


def test_no_ground_comes_along_with_what_is_borrowed() -> None:
    images, masks = squares([240, 30], [100, 100])
    studio = studio_of(images, masks)
    lent = np.asarray(studio.borrowed(1, 0), np.float32).mean(axis=-1)
    ring = np.zeros((64, 64), bool)
    ring[16:48, 16:48] = True
    ring[20:44, 20:44] = False
    assert abs(lent[masks[1]] - 100).mean() < 3
    assert lent[ring].max() < 100  # the donor's own ground is 240
