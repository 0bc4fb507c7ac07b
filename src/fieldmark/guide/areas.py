"""Which pixels of one picture a mark is: its place in the frame, made whole by what the picture itself shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from fieldmark.guide.edits import Studio
from fieldmark.guide.marks import CUT, Candidate, descriptors
from fieldmark.guide.objects import dilated, opened
from fieldmark.guide.regions import UNLIKE_BODY, Region
from fieldmark.guide.vocabulary import BROAD

LEVEL = 0.2  # of a plate's maximum: what belongs to the mark's place
WHOLE = 0.35  # a protrusion with this share inside the place goes with it
PART = 0.15  # a patch of the mark's colour with this share inside goes with it, too
SAME_COLOUR = 26.0  # Delta E to the mark's colour
OVERLAP = 0.05  # of a control with the mark's region, at most
TRIES = 6  # for every control that is wanted
FILLED = 0.15  # of the place has the mark's colour: then that is the mark, and what lies around it is not
RIM, EDGE = 0.03, 0.06  # body units that go with a place, and with a mark seen by its colour: edges are soft


@dataclass(frozen=True, eq=False)
class Areas:
    """Marks in single pictures. `regions` are those of the evidence for the class that each picture is called.

    marks  those among which pixels are shared out, the strongest of a class first: what two of a class claim is the
           stronger's, so that no mark is proved by the pixels of another
    """

    studio: Studio
    regions: dict[int, list[Region]] = field(default_factory=dict)
    marks: tuple[Candidate, ...] = ()
    _known: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def of(self, mark: Candidate, index: int) -> np.ndarray:
        """(h, w) bool: what has the mark's colour at its place, and what sticks out there.

        Where little has, all of the place with the picture's own regions of evidence. What is a stronger mark's of
        the class, or another's after which this one was seen, does not belong to it; a whole object takes nothing. A
        mark without a place is all that has its colour, an outline the object.
        """
        found = self.claimed(mark, index)
        for stronger in self.marks:
            if stronger is mark:
                break
            if stronger.cls == mark.cls and not stronger.whole:
                found = found & ~self.claimed(stronger, index)
        return found

    def claimed(self, mark: Candidate, index: int) -> np.ndarray:
        """(h, w) bool: all of the mark, with what a stronger one has of it."""
        key = (id(mark), index)
        if key not in self._known:
            found = self._found(mark, index)
            for other in mark.after:
                if not other.whole:
                    found &= ~self.claimed(other, index)
            self._known[key] = found
        return self._known[key]

    def left(self, mark: Candidate, rows: np.ndarray) -> float:
        """The share of the mark that is its own, in the median picture."""
        shares = [self.of(mark, int(i)).sum() / max(self.claimed(mark, int(i)).sum(), 1) for i in rows]
        return float(np.median(shares)) if shares else 1.0

    def place(self, mark: Candidate, index: int) -> np.ndarray:
        """(h, w) bool: where the mark is in general, laid over a picture; nowhere, where it has no place."""
        if mark.loose:
            return np.zeros(self.studio.pictures.shape, bool)
        return self.studio.place(mark.plate, index, LEVEL)

    def union(self, marks: Sequence[Candidate], index: int) -> np.ndarray:
        """(h, w) bool: all of the marks, and all that speaks for the class in the picture's own evidence.

        An object that is a mark itself is no part of it.
        """
        found = np.zeros(self.studio.pictures.shape, bool)
        for mark in marks:
            if not mark.whole:
                found |= self.of(mark, index)
        for region in self.regions.get(index, ()):
            found |= dilated(region.mask, RIM * self._unit(index))
        return found

    def _found(self, mark: Candidate, index: int) -> np.ndarray:
        studio, unit = self.studio, self._unit(index)
        if mark.outline:
            return studio.placed.objects.masks[index]
        if mark.loose:
            return dilated(alike(studio, mark, index), EDGE * unit)
        place = self.place(mark, index)
        for region in self._own(mark, index):
            place = place | region.mask
        sticking = touched(sticking_out(studio, index), place, WHOLE)
        same = touched(alike(studio, mark, index), place, PART)
        if same.sum() >= FILLED * place.sum():
            return dilated(same | sticking, EDGE * unit)
        return dilated(place | sticking | same, RIM * unit)

    def _own(self, mark: Candidate, index: int) -> list[Region]:
        given = [region for region in mark.regions if region.image == index]
        seen = self.regions.get(index, [])
        if not seen:
            return given
        poses, bodies = self.studio.placed.poses, self.studio.bodies
        middle = np.median(descriptors(list(mark.regions), poses, bodies), axis=0)
        apart = np.linalg.norm(descriptors(seen, poses, bodies) - middle, axis=1)
        return given + [region for region, far in zip(seen, apart, strict=True) if far < CUT]

    def _unit(self, index: int) -> float:
        return float(self.studio.placed.objects.units[index])


def by_picture(regions: Sequence[Region]) -> dict[int, list[Region]]:
    found: dict[int, list[Region]] = {}
    for region in regions:
        found.setdefault(region.image, []).append(region)
    return found


def alike(studio: Studio, mark: Candidate, index: int) -> np.ndarray:
    """(h, w) bool: the pixels of the mark's colour, where that is clearly not the body's.

    A mark without a place is known by the colour itself, other marks by how it differs from the body's.
    What differs from the body as the mark does, only more, has its colour, too: the same white in a brighter light.
    """
    if mark.loose:
        colour = np.median([region.colour for region in mark.regions], axis=0)
        own, body = (
            np.linalg.norm(studio.pictures.lab[index] - each, axis=-1) for each in (colour, studio.bodies[index])
        )
        near = dilated(studio.placed.objects.masks[index], EDGE * float(studio.placed.objects.units[index]))
        return (own < SAME_COLOUR) & (own < body) & near
    if np.linalg.norm(mark.colour) < UNLIKE_BODY:
        return np.zeros(studio.pictures.shape, bool)
    from_body = studio.pictures.lab[index] - studio.bodies[index]
    further = np.clip(from_body @ mark.colour / (mark.colour @ mark.colour), 1, None)[..., None]
    own = np.linalg.norm(from_body - further * mark.colour, axis=-1)
    nearer = np.linalg.norm(from_body - mark.colour, axis=-1) < np.linalg.norm(from_body, axis=-1)
    return (own < SAME_COLOUR) & nearer


def sticking_out(studio: Studio, index: int) -> np.ndarray:
    """(h, w) bool: what sticks out of the object."""
    mask, unit = studio.placed.objects.masks[index], float(studio.placed.objects.units[index])
    return mask & ~opened(mask, BROAD * unit)


def touched(parts: np.ndarray, region: np.ndarray, share: float) -> np.ndarray:
    """The connected parts that lie in the region by at least that share of their pixels."""
    count, labels = cv2.connectedComponents(parts.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels.ravel(), minlength=count)
    inside = np.bincount(labels.ravel(), region.ravel().astype(float), count)
    taken = inside >= share * np.maximum(sizes, 1)
    taken[0] = False
    return taken[labels]


def moved(
    region: np.ndarray, mask: np.ndarray, count: int, rng: np.random.Generator, avoided: np.ndarray | None = None
) -> list[np.ndarray]:
    """The region's shape in up to `count` other places of the object, hardly touching where it was.

    Places that hardly touch what is `avoided` (h, w) come first; where there are too few, those that touch it least.
    """
    y, x = np.nonzero(region)
    if len(y) == 0:
        return []
    on_object, (middle_y, middle_x) = np.argwhere(mask), (round(y.mean()), round(x.mean()))
    shunned = np.zeros_like(region) if avoided is None else avoided
    found: list[np.ndarray] = []
    touching: list[tuple[int, np.ndarray]] = []
    for _ in range(TRIES * count):
        if len(found) == count or len(on_object) == 0:
            break
        middle = on_object[rng.integers(len(on_object))]
        ys, xs = y + middle[0] - middle_y, x + middle[1] - middle_x
        inside = (ys >= 0) & (ys < region.shape[0]) & (xs >= 0) & (xs < region.shape[1])
        if inside.mean() < 0.9:
            continue
        there = ys[inside], xs[inside]
        if region[there].sum() > OVERLAP * len(y):
            continue
        other, touched_by = np.zeros_like(region), int(shunned[there].sum())
        other[there] = True
        if touched_by <= OVERLAP * len(y):
            found.append(other)
        else:
            touching.append((touched_by, other))
    if len(found) < count:
        found += [other for _, other in sorted(touching, key=lambda pair: pair[0])[: count - len(found)]]
    return found
