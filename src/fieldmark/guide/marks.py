"""Marks: regions of many pictures that are the same thing, alike in place and colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from fieldmark.guide.pose import UNIT, Poses, to_canvas
from fieldmark.guide.regions import Region

CANVAS = 96  # pixels: the side of the frame on which places are worked out
PLACE, COLOUR = 3.5, 1 / 28.0  # what a body unit and a Delta E weigh in the distance between two regions
CUT = 2.2  # of that distance: regions further apart are different marks
COVERAGE = 0.25  # of a class's pictures: a mark is there in at least these
WHOLE = 0.5  # square body units, an object's area: a mark of this size is no part of the object but all of it


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mark before it has words: of one class, where it is (CANVAS, CANVAS; 0 to 1), and the regions it is made of.

    after  the marks of its class that had been erased when it was seen; none, if it was seen at once
    whole  it is no part of the object but most of it; never so where pictures have no object
    outline  it is the object's outline as a whole; then it is `whole`, too
    loose  it is at no place in particular, and known by its colour
    area   of its regions as a rule, in square body units
    """

    cls: int
    plate: np.ndarray
    regions: tuple[Region, ...]
    coverage: float
    share: float
    colour: np.ndarray  # Lab minus the body's
    after: tuple[Candidate, ...] = ()
    whole: bool = False
    outline: bool = False
    loose: bool = False
    area: float = 0.0

    @property
    def images(self) -> np.ndarray:
        return np.array([region.image for region in self.regions])


def area_of(plate: np.ndarray) -> float:
    """The area of a region of the frame in square body units: 1 is as much as an object has."""
    return float((plate > 0.5).sum()) / (UNIT * len(plate)) ** 2


def find_marks(regions: list[Region], predicted: np.ndarray, poses: Poses, bodies: np.ndarray) -> list[Candidate]:
    """Clusters of regions, class by class, the strongest first; bodies (n, 3) are the bodies' colours in Lab."""
    found: list[Candidate] = []
    for cls in np.unique(predicted[[region.image for region in regions]]) if regions else []:
        own = [region for region in regions if predicted[region.image] == cls]
        count = len({region.image for region in own})
        groups = _groups(descriptors(own, poses, bodies))
        for group in np.unique(groups):
            members = one_an_image([region for region, g in zip(own, groups, strict=True) if g == group])
            coverage = len(members) / count
            if coverage >= COVERAGE:
                found.append(make_candidate(int(cls), members, coverage, poses, bodies))
    return sorted(found, key=lambda mark: (mark.cls, -mark.share * mark.coverage))


def descriptors(regions: list[Region], poses: Poses, bodies: np.ndarray) -> np.ndarray:
    """(r, 5): place in the frame and colour against the body, so scaled that 1 is a clear difference."""
    rows = []
    for region in regions:
        y, x = np.nonzero(region.mask)
        place = in_frame(float(y.mean()), float(x.mean()), poses, region.image)
        rows.append(np.concatenate([PLACE * place, COLOUR * (region.colour - bodies[region.image])]))
    return np.array(rows)


def in_frame(y: float, x: float, poses: Poses, index: int) -> np.ndarray:
    """(2,) a picture's pixel (y, x) in body units of the frame."""
    dy, dx = (y - poses.y[index]) / poses.unit[index], (x - poses.x[index]) / poses.unit[index]
    cos, sin = np.cos(poses.angle[index]), np.sin(poses.angle[index])
    along = (-1.0 if poses.mirrored[index] else 1.0) * (dx * cos + dy * sin)
    return np.array([dy * cos - dx * sin, along])


def _groups(points: np.ndarray) -> np.ndarray:
    if len(points) < 2:
        return np.ones(len(points), int)
    return fcluster(linkage(points, "average"), CUT, "distance")


def one_an_image(regions: list[Region]) -> list[Region]:
    best: dict[int, Region] = {}
    for region in regions:
        if region.image not in best or best[region.image].share < region.share:
            best[region.image] = region
    return list(best.values())


def make_candidate(
    cls: int, members: list[Region], coverage: float, poses: Poses, bodies: np.ndarray, *, loose: bool = False
) -> Candidate:
    rows = np.array([region.image for region in members])
    masks = np.stack([region.mask for region in members]).astype(np.float32)
    plate = cv2.GaussianBlur(to_canvas(masks, poses.select(rows), CANVAS).mean(axis=0), (0, 0), 1.0)
    colour = np.median(np.stack([region.colour - bodies[region.image] for region in members]), axis=0)
    share = float(np.mean([region.share for region in members]))
    plate = plate / max(plate.max(), 1e-6)
    whole = not loose and poses.kind != "picture" and area_of(plate) >= WHOLE
    area = float(np.median(masks.sum(axis=(1, 2)) / poses.unit[rows] ** 2))
    return Candidate(cls, plate, tuple(members), coverage, share, colour, whole=whole, loose=loose, area=area)
