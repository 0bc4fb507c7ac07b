"""What the network reads beside the objects: the surroundings as a thing of their own, in the frame of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fieldmark.guide.edits import Studio
from fieldmark.guide.marks import CANVAS, COVERAGE, Candidate, find_marks
from fieldmark.guide.objects import Objects, dilated
from fieldmark.guide.placing import Placed
from fieldmark.guide.pose import whole_picture
from fieldmark.guide.regions import Region
from fieldmark.guide.vocabulary import COLOURS, colour_names

NEAR = 0.12  # body units around an object that still belong to it
OUTSIDE = 0.3  # of a mark on the object: less and it is not a mark of the object
RIM = 1 / 16  # of the side: what is rim
AROUND = 0.6  # of height and width: what reaches so far along the rim goes around the picture
RING = 0.06  # of the side: what is around a mark
STANDS_OUT = 0.75  # quantile of a mark's pixels by how unlike its ring they are, from which its colour is taken
SAME_PLACE = 0.05  # of the side: a mark that strays less from its middle, as a rule, is fixed
ROWS, COLUMNS = ("upper", "", "lower"), ("left", "", "right")
EDGES = {"upper": "top", "lower": "bottom"}


@dataclass(frozen=True, eq=False)
class Surroundings:
    """All that is not an object or close to one; in `studio` it takes the object's part, and the pictures lie still."""

    studio: Studio

    @classmethod
    def of(cls, studio: Studio) -> Surroundings | None:
        """None where the pictures have no object, so that nothing is beside it."""
        if studio.placed.poses.kind == "picture":
            return None
        beside = np.stack([~near(studio, index) for index in range(len(studio.pictures))])
        beside[~beside.any(axis=(1, 2))] = True
        colours = np.stack(
            [np.median(lab[mask], axis=0) for lab, mask in zip(studio.pictures.lab, beside, strict=True)]
        )
        poses = whole_picture(len(beside), studio.pictures.shape)
        placed = Placed(Objects(beside, np.zeros(len(beside))), poses)
        return cls(Studio(studio.images, studio.pictures, placed, colours))

    def marks(self, regions: Sequence[Region], predicted: np.ndarray, groups: dict[int, np.ndarray]) -> list[Candidate]:
        """Regions beside the objects that are in the same place of many pictures of a class."""
        beside, poses = self.studio.placed.objects.masks, self.studio.placed.poses
        out = [each for each in regions if (each.mask & ~beside[each.image]).sum() < OUTSIDE * each.mask.sum()]
        found = [
            replace(mark, coverage=len(mark.regions) / max(len(groups[mark.cls]), 1))
            for mark in find_marks(out, predicted, poses, self.studio.bodies)
        ]
        return [mark for mark in found if mark.coverage >= COVERAGE]

    def mean_picture(self, rows: np.ndarray) -> np.ndarray:
        """(CANVAS, CANVAS, 3) uint8: the mean of some pictures in the picture's frame, its border repeated outwards."""
        mean = self.studio.pictures.rgb[rows].astype(np.float32).mean(axis=0)
        way = self.studio.placed.poses.matrix(0, CANVAS)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        laid = cv2.warpAffine(mean, way, (CANVAS, CANVAS), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return laid.round().clip(0, 255).astype(np.uint8)


def near(studio: Studio, index: int) -> np.ndarray:
    """(h, w) bool: the object with what is close to it."""
    objects = studio.placed.objects
    return dilated(objects.masks[index], NEAR * float(objects.units[index]))


def colour_of(mark: Candidate, studio: Studio) -> str:
    """The name of the colour that most of a mark's regions have where they are least like what is around them."""
    colours = []
    for region in mark.regions:
        lab = studio.pictures.lab[region.image]
        ring = dilated(region.mask, RING * studio.pictures.side) & ~region.mask
        own = lab[region.mask]
        apart = np.linalg.norm(own - np.median(lab[ring], axis=0), axis=1) if ring.any() else np.zeros(len(own))
        colours.append(np.median(own[apart >= np.quantile(apart, STANDS_OUT)], axis=0))
    return _commonest(np.stack(colours))


def rim_colour(studio: Studio, rows: np.ndarray) -> str:
    """The name of the colour that the outermost pixels of most of the pictures have, or nothing."""
    lab = studio.pictures.lab[rows]
    border = np.concatenate([lab[:, 0], lab[:, -1], lab[:, :, 0], lab[:, :, -1]], axis=1)
    names = [_commonest(each) for each in border]
    best = max(set(names), key=names.count)
    return best if names.count(best) > 0.5 * len(names) else ""


def _commonest(colours: np.ndarray) -> str:
    """The name that most of the colours (n, 3) in CIELAB have."""
    return list(COLOURS)[int(colour_names(colours[None].astype(np.float32))[0].sum(axis=0).argmax())]


@dataclass(frozen=True)
class Spot:
    """Where a mark is in the pictures, in words; whether it is hardly ever elsewhere, mostly rim, all around."""

    words: str
    fixed: bool
    on_rim: bool
    around: bool = False


def spot_of(mark: Candidate, shape: tuple[int, int]) -> Spot:
    where = [np.argwhere(region.mask) for region in mark.regions]
    points = np.array([each.mean(axis=0) / shape for each in where])
    y, x = np.median(points, axis=0)
    fixed = bool((np.median(np.abs(points - (y, x)), axis=0) < SAME_PLACE).all())
    rim = rim_depth(shape) < 1
    on_rim = float(np.mean([(region.mask & rim).sum() / region.mask.sum() for region in mark.regions])) >= 0.5
    reach = np.median([np.ptp(each, axis=0) / shape for each in where], axis=0)
    if on_rim and (reach > AROUND).all():
        return Spot("along the rim of the picture", fixed, on_rim, around=True)
    row, column = ROWS[int(np.clip(y * 3, 0, 2))], COLUMNS[int(np.clip(x * 3, 0, 2))]
    if row == column == "":
        words = "in the middle"
    else:
        words = f"at the {row} {column}" if row and column else f"at the {column or EDGES[row]}"
    return Spot(f"{words} of the picture", fixed, on_rim)


def rim_depth(shape: tuple[int, int]) -> np.ndarray:
    """(h, w) how far every pixel is from the border of the picture, in widths of its rim, rounded down."""
    y, x = (np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in shape)
    width = max(2.0, RIM * float(np.sqrt(shape[0] * shape[1])))
    return np.minimum(y[:, None], x[None, :]) // width
