"""Objects found and brought into one frame, or the honest statement that there is none.

A frame is learned from some pictures and then fitted to any, each picture by itself, so that a key made of it can be
used on pictures that were not there when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldmark.guide.objects import Objects, find_objects
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.pose import (
    ALIKE,
    GAIN,
    Poses,
    centred,
    congeal,
    fit,
    laid_over,
    overlap,
    spread,
    whole_picture,
)

STANDS_OUT = 8.0  # Delta E between object and border, in the median picture
LEARN = 96  # pictures that a frame is learned from
LESS = 0.5  # of the spread of light and dark must be left, where turning does nothing for the outlines
LOOSELY, BETTER = 0.8, 0.04  # overlap below which turning any way is tried, and what it must bring
SIZES = (0.02, 0.9)  # of the picture: an object's area in the median picture


@dataclass(frozen=True, eq=False)
class Placed:
    """Pictures in a frame: their objects and poses."""

    objects: Objects
    poses: Poses


@dataclass(frozen=True, eq=False)
class Frame:
    """kind "aligned", "centred" or "picture", and why; the template (v, v, 2) that objects are aligned with.

    any_way  the objects may be turned by any angle, as things seen from above are
    """

    kind: str
    reason: str
    template: np.ndarray | None = None
    any_way: bool = False

    def place(self, pictures: Pictures) -> Placed:
        """The pictures' objects and poses in this frame."""
        if self.kind == "picture":
            return Placed(_everything(pictures), whole_picture(len(pictures), pictures.shape))
        if self.template is None:
            objects = find_objects(pictures)
            return Placed(objects, centred(objects))
        return _twice(pictures, find_objects(pictures, refine=False), self.template, self.any_way)


def learn_frame(pictures: Pictures) -> Frame:
    """The kind of frame that suits these pictures, and its template; LEARN of them, evenly taken, are enough."""
    few = np.unique(np.linspace(0, len(pictures) - 1, min(LEARN, len(pictures))).astype(int))
    pictures = Pictures(pictures.rgb[few], pictures.span)
    objects = find_objects(pictures, refine=False)
    contrast, area = float(np.median(objects.contrast)), float(np.median(objects.areas))
    if contrast < STANDS_OUT or not SIZES[0] <= area <= SIZES[1]:
        return Frame("picture", "no object stands out from the border of the pictures")
    template, placed = _aligned(pictures, objects, any_way=False)
    any_way = False
    if overlap(placed.objects, placed.poses) < LOOSELY:
        other, turned = _aligned(pictures, objects, any_way=True)
        if overlap(turned.objects, turned.poses) > overlap(placed.objects, placed.poses) + BETTER:
            template, placed, any_way = other, turned, True
    poses = placed.poses
    still = centred(placed.objects)
    aligned, plain = overlap(placed.objects, poses), overlap(placed.objects, still)
    if aligned < ALIKE:
        return Frame("centred", f"the outlines differ too much to align (overlap {aligned:.2f})")
    if aligned < plain + GAIN and spread(pictures, placed.objects, poses) > LESS * spread(
        pictures, placed.objects, still
    ):
        return Frame("centred", f"turning and mirroring brings nothing (overlap {plain:.2f})")
    return Frame("aligned", f"the outlines align (overlap {aligned:.2f}; unturned {plain:.2f})", template, any_way)


def _aligned(pictures: Pictures, objects: Objects, *, any_way: bool) -> tuple[np.ndarray, Placed]:
    """The template of these objects, learned twice, and the objects aligned with it."""
    placed = _twice(pictures, objects, congeal(pictures, objects, any_way=any_way), any_way)
    template = congeal(pictures, placed.objects, placed.poses)
    return template, Placed(placed.objects, fit(pictures, placed.objects, template, placed.poses, any_way=any_way))


def _twice(pictures: Pictures, objects: Objects, template: np.ndarray, any_way: bool) -> Placed:
    """Objects found once more where the template says they should be, and then placed."""
    poses = fit(pictures, objects, template, any_way=any_way)
    better = find_objects(pictures, laid_over(template[..., 0], poses, pictures.shape))
    return Placed(better, fit(pictures, better, template, poses, any_way=any_way))


def _everything(pictures: Pictures) -> Objects:
    n = len(pictures)
    return Objects(np.ones((n, *pictures.shape), bool), np.zeros(n))
