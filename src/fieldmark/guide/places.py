"""Places on an object, each with a name, and how much of every term every picture shows in every place.

One table, made once: all observers and all controls look up in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from fieldmark.guide.marks import CANVAS
from fieldmark.guide.objects import Objects
from fieldmark.guide.outlines import outline_amounts
from fieldmark.guide.pictures import Pictures, adapted
from fieldmark.guide.pose import UNIT, Poses, from_canvas
from fieldmark.guide.threads import in_threads
from fieldmark.guide.vocabulary import NAMES, TERMS, body_colour, look

GRID = 5  # places along each direction
WIDTHS = (0.20, 0.33, 0.48)  # body units: half the side of the square that is looked at
SECTORS, ALL_ROUND = 12, 0.66  # directions from the middle, and the share of them that a rim reaches
RIM, MOST = 0.65, 0.6  # of the way out: where a rim begins; of a region that must lie there
WIDE = 0.7  # of the object's width or height: what goes on so far has no place on it, only a row or a column
ANYWHERE, AS_A_WHOLE = -1, -2  # instead of the number of a place: anywhere on the object, and the object itself
NO_PLACE = {ANYWHERE: "anywhere", AS_A_WHOLE: "as a whole"}
COVERS = 0.6  # of a region lies in the place where its word is looked for
LIKELY = 0.5  # of the objects have a pixel of the frame: it is the object also where its mask has missed it
OUTLINE = 0.15  # of the objects: what of the frame belongs to the outline they share


@dataclass(frozen=True)
class Place:
    """A square of the frame: its middle in canvas pixels, half its side in body units, row and column of the grid.

    extent says that what is there goes on: "across" the object, "down" it, "over" all of it, or along its "rim"; or
    that it is "anywhere", or the object "as a whole".
    """

    y: float
    x: float
    half: float
    row: int
    column: int
    extent: str = ""

    def box(self, size: int = CANVAS) -> tuple[int, int, int, int]:
        """(top, bottom, left, right) in canvas pixels, within the canvas; at least one pixel."""
        reach = self.half * UNIT * size
        top, left = max(0, round(self.y - reach)), max(0, round(self.x - reach))
        bottom, right = min(size, round(self.y + reach) + 1), min(size, round(self.x + reach) + 1)
        return min(top, size - 1), max(bottom, top + 1), min(left, size - 1), max(right, left + 1)


@dataclass(frozen=True, eq=False)
class Table:
    """amounts (n, terms, places): share of a place that shows a term; whole (n, terms and outlines): of the object.

    means (classes, terms, CANVAS, CANVAS) are the terms of each class's discovery pictures in the frame; bodies (n, 3).
    clear (terms, places): how clearly each question parts the discovery pictures, whatever a network says of them.
    light (n,) by how much pictures were brightened before colours were named.
    discovered, owners (m,): the discovery pictures, and the class of each.
    """

    amounts: np.ndarray
    whole: np.ndarray
    means: dict[int, np.ndarray]
    bodies: np.ndarray
    outline: np.ndarray
    places: tuple[Place, ...]
    clear: np.ndarray
    light: np.ndarray
    discovered: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    owners: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    def shown(self, term: int, place: int) -> np.ndarray:
        """(n,) how much of a term every picture shows in a place, or on all of the object where that is none."""
        return self.whole[:, term] if place in NO_PLACE else self.amounts[:, term, place]

    def named(self, place: int, plate: np.ndarray) -> Place:
        """By what a region (CANVAS, CANVAS) is named whose word has that place."""
        if place in NO_PLACE:
            return replace(self.places[0], extent=NO_PLACE[place])
        return nearest(plate, self.places)

    @cached_property
    def errors(self) -> dict[int, np.ndarray]:
        """(terms, places) for each class: by how many standard errors its discovery pictures show more than others."""
        found = {}
        for cls in np.unique(self.owners):
            own, rest = (
                self.amounts[self.discovered[self.owners == cls]],
                self.amounts[self.discovered[self.owners != cls]],
            )
            noise = sum(each.var(axis=0) / max(len(each), 1) for each in (own, rest) if len(each))
            if len(own) and len(rest):
                found[int(cls)] = (own.mean(axis=0) - rest.mean(axis=0)) / np.sqrt(noise + 1e-9)
        return found

    @cached_property
    def average(self) -> np.ndarray:
        """(terms, CANVAS, CANVAS) what the classes show on average, each counting the same."""
        return np.mean(list(self.means.values()), axis=0)


def grid(outline: np.ndarray) -> tuple[Place, ...]:
    """The places on a shared outline (CANVAS, CANVAS)."""
    y, x = np.nonzero(outline > OUTLINE)
    spans = [(v.min(), v.max()) if len(v) else (0, CANVAS - 1) for v in (y, x)]
    middles = [low + (high - low) * (np.arange(GRID) + 0.5) / GRID for low, high in spans]
    return tuple(
        Place(float(middles[0][row]), float(middles[1][column]), half, row, column)
        for half in WIDTHS
        for row in range(GRID)
        for column in range(GRID)
    )


def tabulate(
    pictures: Pictures, objects: Objects, poses: Poses, outline: np.ndarray, groups: dict[int, np.ndarray]
) -> Table:
    """The table of all pictures; `groups` maps a class to the pictures whose mean is kept.

    Words are those of an eye that has adapted to each picture's light; the bodies' colours are as they are.
    """
    places = grid(outline)
    boxes = np.array([place.box() for place in places])
    owner = {int(image): cls for cls, images in groups.items() for image in images}
    means = {cls: np.zeros((len(TERMS), CANVAS, CANVAS), np.float32) for cls in groups}

    def one(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        usual = from_canvas(outline, poses, index, pictures.shape) > LIKELY
        mask, lab = objects.masks[index], adapted(pictures.lab[index], float(pictures.light[index]))
        seen, inside = look(lab, mask, usual), mask | usual
        canvas = warp_terms(seen, poses, index)
        whole = seen[inside].mean(axis=0) if inside.any() else seen.mean(axis=(0, 1))
        return (
            _in_boxes(canvas, boxes),
            np.concatenate([whole, outline_amounts(mask)]),
            canvas,
            body_colour(pictures.lab[index], inside),
        )

    amounts = np.zeros((len(pictures), len(TERMS), len(places)), np.float32)
    whole, bodies = np.zeros((len(pictures), len(NAMES)), np.float32), np.zeros((len(pictures), 3), np.float32)
    for index, found in enumerate(in_threads(one, len(pictures))):
        amounts[index], whole[index], canvas, bodies[index] = found
        if index in owner:
            cls = owner[index]
            means[cls] += canvas.transpose(2, 0, 1) / len(groups[cls])
    rows = np.array(sorted(owner), int)
    owners = np.array([owner[int(i)] for i in rows], int)
    clear = clearness(amounts[rows])
    return Table(amounts, whole, means, bodies, outline, places, clear, pictures.light, rows, owners)


def clearness(amounts: np.ndarray) -> np.ndarray:
    """(...) how clearly amounts (n, ...) fall into two groups, much and little [otsu1979]: 1 is yes or no.

    It is the share of the variance that lies between the groups, at the best threshold: .64 where amounts are normally
    distributed. 0 where all are the same, or there are fewer than two.
    """
    n = len(amounts)
    if n < 2:
        return np.zeros(amounts.shape[1:])
    ranked = np.sort(amounts.reshape(n, -1).astype(np.float64), axis=0)
    total, variance = ranked.sum(axis=0), ranked.var(axis=0)
    below = np.arange(1, n)[:, None]
    between = (total / n * below - np.cumsum(ranked, axis=0)[:-1]) ** 2 / (below * (n - below))
    share = np.where(variance > 1e-12, between.max(axis=0) / np.maximum(variance, 1e-12), 0.0)
    return share.reshape(amounts.shape[1:])


def warp_terms(terms: np.ndarray, poses: Poses, index: int) -> np.ndarray:
    """(h, w, terms) of one picture to (CANVAS, CANVAS, terms) in the frame."""
    matrix = poses.matrix(index, CANVAS)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.concatenate(
        [
            cv2.warpAffine(np.ascontiguousarray(part), matrix, (CANVAS, CANVAS), flags=flags).reshape(
                CANVAS, CANVAS, -1
            )
            for part in np.split(terms, range(4, terms.shape[-1], 4), axis=-1)
        ],
        axis=-1,
    )


def _in_boxes(canvas: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(terms, places): the mean of every term in every box."""
    sums = np.zeros((CANVAS + 1, CANVAS + 1, canvas.shape[-1]), np.float32)
    np.cumsum(np.cumsum(canvas, axis=0), axis=1, out=sums[1:, 1:])
    top, bottom, left, right = boxes.T
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return (total / ((bottom - top) * (right - left))[:, None]).T


def nearest(plate: np.ndarray, places: Sequence[Place]) -> Place:
    """The place whose middle is nearest to the middle of a region (CANVAS, CANVAS): the one it is named by."""
    weights = np.where(plate > 0.3 * plate.max(), plate, 0)
    y, x = (float((weights * axis).sum() / weights.sum()) for axis in np.indices(plate.shape))
    place = min(places, key=lambda place: (place.y - y) ** 2 + (place.x - x) ** 2)
    return replace(place, extent=_extent(weights, places))


def _extent(weights: np.ndarray, places: Sequence[Place]) -> str:
    """Whether a region goes along the object's rim, across it, down it, or covers it; where the grid tells its size."""
    middles = np.array([(place.y, place.x) for place in places])
    low, high = middles.min(axis=0), middles.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) * GRID / (GRID - 1) / 2, 1.0)
    points = (np.argwhere(weights > 0) - middle) / half
    radius, mass = np.hypot(points[:, 0], points[:, 1]), weights[weights > 0]
    sector = ((np.arctan2(points[:, 0], points[:, 1]) / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    reached = len(np.unique(sector[radius > RIM])) / SECTORS
    hollow = not (radius < RIM / 2).any()
    if hollow and reached >= ALL_ROUND and mass[radius > RIM].sum() > MOST * mass.sum():
        return "rim"
    tall, wide = np.ptp(points, axis=0) / 2 > WIDE
    return "over" if tall and wide else "across" if wide else "down" if tall else ""


def around(plate: np.ndarray, places: Sequence[Place]) -> np.ndarray:
    """The numbers of the places where a word for a region (CANVAS, CANVAS) may be looked for.

    They hold most of it, or as much as any does, and their middles are no more than a row and a column from the place
    that it is named by: what is measured is what people are told to look at.
    """
    if not plate.any():
        return np.zeros(0, int)
    cover, named = covering(plate, places), nearest(plate, places)
    near = [
        bool(named.extent) or max(abs(place.row - named.row), abs(place.column - named.column)) <= 1 for place in places
    ]
    cover = np.where(near, cover, 0.0)
    return np.nonzero((cover > 0) & (cover >= min(COVERS, 0.98 * cover.max())))[0]


def covering(plate: np.ndarray, places: Sequence[Place]) -> np.ndarray:
    """(places,) the share of a region (CANVAS, CANVAS) that lies within each place's box."""
    total = max(float(plate.sum()), 1e-9)
    return np.array([plate[t:b, left:r].sum() / total for t, b, left, r in (place.box() for place in places)])
