"""Single pixels of edits: what has a mark's colour, and what comes along with something borrowed."""

from __future__ import annotations

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


def test_no_ground_comes_along_with_what_is_borrowed() -> None:
    images, masks = squares([240, 30], [100, 100])
    studio = studio_of(images, masks)
    lent = np.asarray(studio.borrowed(1, 0), np.float32).mean(axis=-1)
    ring = np.zeros((64, 64), bool)
    ring[16:48, 16:48] = True
    ring[20:44, 20:44] = False
    assert abs(lent[masks[1]] - 100).mean() < 3
    assert lent[ring].max() < 100  # the donor's own ground is 240
