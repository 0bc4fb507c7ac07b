"""Objects found and brought into one frame, or the honest statement that there is none.

A frame is learned from some pictures and then fitted to any, so that a key made of it can be used on pictures that were
not there when it was made. Of those that come together, what fits poorly is looked for where the others lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldmark.guide.objects import Objects, find_objects, in_one_piece
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.placing import Placed, best_placed
from fieldmark.guide.pose import ALIKE, centred, congeal, fit, overlap, spread, steep, whole_picture

STANDS_OUT = 8.0  # Delta E between object and border, in the median picture
LEARN = 96  # pictures that a frame is learned from
GAIN = 0.02  # of overlap: less is noise
WORTH = 1 / 3  # of the overlap that is missing: what a freedom must bring, else things stay as they are in the pictures
ROUND = 0.85  # overlap of outlines that are alike however they are turned: then lights and darks say whether they are
LESS = 0.5  # of the spread of light and dark must be left, where turning does little for the outlines
FLAT = 0.01  # of that spread: with less, all objects show the same anyway
LOOSELY, SOME = 0.8, 0.1  # overlap below which, and share of steep axes from which turning any way is tried
ONE_PIECE = 0.5  # of what stands out, in the median picture: with less there is no one object
SIZES = (0.02, 0.9)  # of the picture: an object's area in the median picture


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
        return best_placed(pictures, self.template, any_way=self.any_way)


def learn_frame(pictures: Pictures) -> Frame:
    """The kind of frame that suits these pictures, and its template; LEARN of them, evenly taken, are enough."""
    few = np.unique(np.linspace(0, len(pictures) - 1, min(LEARN, len(pictures))).astype(int))
    pictures = pictures.select(few)
    objects = find_objects(pictures, refine=False)
    contrast, area = float(np.median(objects.contrast)), float(np.median(objects.areas))
    if contrast < STANDS_OUT or not SIZES[0] <= area <= SIZES[1]:
        return Frame("picture", "no object stands out from the border of the pictures")
    if float(np.median(in_one_piece(pictures))) < ONE_PIECE:
        return Frame("picture", "several things stand out in each picture, no one of them above the others")
    template, placed = _aligned(pictures, objects, any_way=False)
    any_way = False
    if overlap(placed.objects, placed.poses) < LOOSELY or float(steep(objects).mean()) > SOME:
        other, turned = _aligned(pictures, objects, any_way=True)
        if _gain(overlap(placed.objects, placed.poses), overlap(turned.objects, turned.poses)) > WORTH:
            template, placed, any_way = other, turned, True
    poses = placed.poses
    still = centred(placed.objects)
    aligned, plain = overlap(placed.objects, poses), overlap(placed.objects, still)
    inside = spread(pictures, placed.objects, still)
    less = plain > ROUND and inside > FLAT and spread(pictures, placed.objects, poses) <= LESS * inside
    overlaps = f"overlap of the outlines {plain:.2f}, turned and mirrored {aligned:.2f}"
    if max(aligned, plain) < ALIKE:
        return Frame("centred", f"moved and scaled, for the outlines differ too much to be aligned ({overlaps})")
    if aligned < ALIKE or not (_gain(plain, aligned) > WORTH or (less and aligned >= plain - GAIN)):
        return Frame("centred", f"moved and scaled, for turning and mirroring brings little ({overlaps})")
    turning = "turned any way" if any_way else "turned"
    return Frame("aligned", f"moved, scaled, {turning} and mirrored into one pose ({overlaps})", template, any_way)


def _gain(before: float, after: float) -> float:
    """What an overlap has won, as a share of all that was missing; 0 where it is hardly anything."""
    return (after - before) / max(1 - before, 1e-6) if after - before >= GAIN else 0.0


def _aligned(pictures: Pictures, objects: Objects, *, any_way: bool) -> tuple[np.ndarray, Placed]:
    """The template of these objects, learned twice, and the objects aligned with it."""
    placed = best_placed(pictures, congeal(pictures, objects, any_way=any_way), any_way=any_way)
    template = congeal(pictures, placed.objects, placed.poses)
    return template, Placed(placed.objects, fit(pictures, placed.objects, template, placed.poses, any_way=any_way))


def _everything(pictures: Pictures) -> Objects:
    n = len(pictures)
    return Objects(np.ones((n, *pictures.shape), bool), np.zeros(n))
