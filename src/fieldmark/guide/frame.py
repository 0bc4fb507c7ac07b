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
    whole_picture,
)

STANDS_OUT = 8.0  # Delta E between object and border, in the median picture
LEARN = 160  # pictures that a frame is learned from
SIZES = (0.02, 0.9)  # of the picture: an object's area in the median picture


@dataclass(frozen=True, eq=False)
class Placed:
    """Pictures in a frame: their objects and poses."""

    objects: Objects
    poses: Poses


@dataclass(frozen=True, eq=False)
class Frame:
    """kind "aligned", "centred" or "picture", and why; the template (v, v, 2) that objects are aligned with."""

    kind: str
    reason: str
    template: np.ndarray | None = None

    def place(self, pictures: Pictures) -> Placed:
        """The pictures' objects and poses in this frame."""
        if self.kind == "picture":
            return Placed(_everything(pictures), whole_picture(len(pictures), pictures.shape))
        if self.template is None:
            objects = find_objects(pictures)
            return Placed(objects, centred(objects))
        return _twice(pictures, find_objects(pictures, refine=False), self.template)


def learn_frame(pictures: Pictures) -> Frame:
    """The kind of frame that suits these pictures, and its template; LEARN of them, evenly taken, are enough."""
    few = np.unique(np.linspace(0, len(pictures) - 1, min(LEARN, len(pictures))).astype(int))
    pictures = Pictures(pictures.rgb[few], pictures.span)
    objects = find_objects(pictures, refine=False)
    contrast, area = float(np.median(objects.contrast)), float(np.median(objects.areas))
    if contrast < STANDS_OUT or not SIZES[0] <= area <= SIZES[1]:
        return Frame("picture", "no object stands out from the border of the pictures")
    template = congeal(pictures, objects)
    placed = _twice(pictures, objects, template)
    template = congeal(pictures, placed.objects, placed.poses)
    poses = fit(pictures, placed.objects, template, placed.poses)
    aligned, plain = overlap(placed.objects, poses), overlap(placed.objects, centred(placed.objects))
    if aligned < ALIKE:
        return Frame("centred", f"the outlines differ too much to align (overlap {aligned:.2f})")
    if aligned < plain + GAIN and _hardly_turned(poses):
        return Frame("centred", f"turning and mirroring brings nothing (overlap {plain:.2f})")
    return Frame("aligned", f"the outlines align (overlap {aligned:.2f}; unturned {plain:.2f})", template)


def _twice(pictures: Pictures, objects: Objects, template: np.ndarray) -> Placed:
    """Objects found once more where the template says they should be, and then placed."""
    poses = fit(pictures, objects, template)
    better = find_objects(pictures, laid_over(template[..., 0], poses, pictures.shape))
    return Placed(better, fit(pictures, better, template, poses))


def _everything(pictures: Pictures) -> Objects:
    n = len(pictures)
    return Objects(np.ones((n, *pictures.shape), bool), np.zeros(n))


def _hardly_turned(poses: Poses) -> bool:
    return float(np.mean(np.abs(poses.angle) > 0.25)) < 0.1
