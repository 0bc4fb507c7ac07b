"""Where each object lies, how large, how turned and which way it faces; and all of them in one frame, by congealing.

The frame's unit is the body unit, the root of the object's area; its origin the object's centre. A canvas is a square
picture of the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fieldmark.guide.objects import Objects, opened
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.threads import THREADS, in_threads

UNIT = 0.36  # of a canvas's side is one body unit
VIEW, ROUGH = 64, 32  # pixels: the canvases on which poses are compared, at last and at first
PART = 32  # pictures that a thread fits at a time: few enough to stay in its cache
LONG = 1.25  # an object whose axes are less unequal has no direction
STEEP = 0.9  # radians: turned further than this, it is taken to stand upright
ROUNDS = 4
LIGHT = 25.0  # L* that counts as much as being object or not
ALIKE = 0.6  # overlap with the template (intersection over union) of objects that do align
POORLY = 3.0  # median absolute deviations above the median: a misfit that is much worse than most
COORDINATES = ("y", "x", "unit", "angle", "mirrored")


@dataclass(frozen=True, eq=False)
class Poses:
    """Arrays (n,): centre (y, x) and unit in working pixels, angle in radians, mirrored. `kind` names the frame.

    "aligned": turned, scaled and mirrored into one frame; "centred": moved and scaled only; "picture": the picture as
    it is, where no object was found.
    """

    y: np.ndarray
    x: np.ndarray
    unit: np.ndarray
    angle: np.ndarray
    mirrored: np.ndarray
    kind: str = "aligned"

    def __len__(self) -> int:
        return len(self.y)

    def matrix(self, index: int, size: int) -> np.ndarray:
        """(2, 3): from canvas pixels (x, y) to picture pixels (x, y)."""
        return self.select(np.array([index])).matrices(size)[0]

    def matrices(self, size: int) -> np.ndarray:
        """(n, 2, 3): `matrix` of every picture."""
        step, middle = self.unit / (UNIT * size), (size - 1) / 2
        cos, sin = np.cos(self.angle) * step, np.sin(self.angle) * step
        sign = np.where(self.mirrored, -1.0, 1.0)
        found = np.empty((len(self), 2, 3), np.float32)
        found[:, 0, 0], found[:, 0, 1] = sign * cos, -sin
        found[:, 1, 0], found[:, 1, 1] = sign * sin, cos
        found[:, 0, 2] = self.x - middle * (sign * cos - sin)
        found[:, 1, 2] = self.y - middle * (sign * sin + cos)
        return found

    def select(self, rows: np.ndarray | slice) -> Poses:
        return Poses(self.y[rows], self.x[rows], self.unit[rows], self.angle[rows], self.mirrored[rows], self.kind)


def to_canvas(values: np.ndarray, poses: Poses, size: int, fill: float = 0.0) -> np.ndarray:
    """(n, h, w[, c]) in pictures to (n, size, size[, c]) in the frame."""
    flags, border, values = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (fill,) * 4, _fit(values)
    found = np.empty((len(values), size, size, *values.shape[3:]), values.dtype)
    for each, canvas, matrix in zip(values, found, poses.matrices(size), strict=True):
        cv2.warpAffine(each, matrix, (size, size), canvas, flags, borderValue=border)
    return found


def from_canvas(canvas: np.ndarray, poses: Poses, index: int, shape: tuple[int, int]) -> np.ndarray:
    """One canvas (size, size) laid back over picture `index`: (h, w)."""
    return cv2.warpAffine(_fit(canvas), poses.matrix(index, len(canvas)), shape[::-1], flags=cv2.INTER_LINEAR)


def _fit(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == np.uint8 else np.asarray(values, np.float32)


def centred(objects: Objects) -> Poses:
    """Centre and size of each object, not turned."""
    n = len(objects.masks)
    centres = np.array([_centre(_body(mask, unit)) for mask, unit in zip(objects.masks, objects.units, strict=True)])
    return Poses(centres[:, 0], centres[:, 1], objects.units, np.zeros(n), np.zeros(n, bool), "centred")


def whole_picture(count: int, shape: tuple[int, int]) -> Poses:
    """The frame of pictures in which no object stands out: the picture itself, its height and width about 2.2 units."""
    height, width = shape
    rows = np.ones(count)
    unit = float(np.sqrt(height * width)) * 0.45
    return Poses(
        rows * (height - 1) / 2, rows * (width - 1) / 2, rows * unit, rows * 0, np.zeros(count, bool), "picture"
    )


def congeal(pictures: Pictures, objects: Objects, start: Poses | None = None, *, any_way: bool = False) -> np.ndarray:
    """The template (VIEW, VIEW, 2) that these objects share: what they look like in the frame, on average.

    start    poses that are nearly right already: then two rounds are enough
    any_way  the objects may be turned by any angle, as things seen from above are; else none lies on its side
    """
    channels = _channels(pictures, objects)
    poses = _upright(objects, any_way) if start is None else start
    for turn in range(0 if start is None else ROUNDS - 2, ROUNDS):
        size = ROUGH if turn < ROUNDS - 1 else VIEW
        template = _template(to_canvas(channels, poses, size), blur=(3.0 - 0.6 * turn) * size / VIEW)
        steps = (1.0, 0.5) if turn < 2 else (0.5, 0.25)
        poses = _moved(channels, poses, template, steps)
    return _template(to_canvas(channels, poses, VIEW), blur=0.8)


def fit(
    pictures: Pictures,
    objects: Objects,
    template: np.ndarray,
    start: Poses | None = None,
    *,
    any_way: bool = False,
) -> Poses:
    """The poses in which objects look most like the template; `start` and `any_way` as for `congeal`."""
    channels = _channels(pictures, objects)
    small = cv2.resize(template, (ROUGH, ROUGH), interpolation=cv2.INTER_AREA)
    if start is None:
        poses = _moved(channels, _upright(objects, any_way), small, (1.0, 1.0, 0.5, 0.5, 0.25))
    else:
        poses = _moved(channels, start, small, (0.5, 0.25))
    poses = _restart(channels, _moved(channels, poses, small, ()), objects, small, any_way)
    return _moved(channels, poses, template, (0.25,))


def misfit(pictures: Pictures, objects: Objects, poses: Poses, template: np.ndarray) -> np.ndarray:
    """(n,) how unlike the template each object is in its pose: 0 is the same outline, lights and darks."""
    return _misfit(_channels(pictures, objects), poses, template)


def poorly(misfit: np.ndarray) -> np.ndarray:
    """The rows (k,) that fit much worse than most."""
    return np.nonzero(misfit > np.median(misfit) + POORLY * deviation(misfit))[0]


def deviation(values: np.ndarray) -> float:
    """The median absolute deviation, which few far values do not change."""
    return float(np.median(np.abs(values - np.median(values))))


def overlap(objects: Objects, poses: Poses) -> float:
    """How alike the objects' outlines are in the frame: the median intersection over union with their mean."""
    views = to_canvas(objects.masks.astype(np.float32), poses, VIEW)
    mean = views.mean(axis=0)
    both = np.minimum(views, mean).sum(axis=(1, 2))
    either = np.maximum(views, mean).sum(axis=(1, 2))
    return float(np.median(both / np.maximum(either, 1e-6)))


def spread(pictures: Pictures, objects: Objects, poses: Poses) -> float:
    """How much light and dark on the objects differ from picture to picture in the frame, on average."""
    views = to_canvas(_channels(pictures, objects), poses, ROUGH)[..., 1]
    return float(views.var(axis=0).mean())


def steep(objects: Objects) -> np.ndarray:
    """(n,) bool: objects with a direction that is steeper than STEEP, as all that stand and some that lie anyhow."""
    return np.abs(_upright(objects, any_way=True).angle) > STEEP


def laid_over(outline: np.ndarray, poses: Poses, shape: tuple[int, int]) -> np.ndarray:
    """(n, h, w): an outline of the frame, blurred, over every picture: where its object should be."""
    soft = cv2.GaussianBlur(np.asarray(outline, np.float32), (0, 0), 2.0)
    return np.stack([from_canvas(soft, poses, i, shape) for i in range(len(poses))])


def _body(mask: np.ndarray, unit: float) -> np.ndarray:
    body = opened(mask, 0.16 * unit)
    return body if body.any() else mask


def _centre(mask: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    return float(y.mean()), float(x.mean())


def _upright(objects: Objects, any_way: bool = False) -> Poses:
    """Centre, principal axis and skewness of each body."""
    found = [
        _axis(_body(mask, unit), np.pi if any_way else STEEP)
        for mask, unit in zip(objects.masks, objects.units, strict=True)
    ]
    y, x, angle, mirrored = (np.array(each) for each in zip(*found, strict=True))
    return Poses(y, x, objects.units, angle, mirrored.astype(bool))


def _axis(body: np.ndarray, steep: float) -> tuple[float, float, float, bool]:
    y, x = np.nonzero(body)
    cy, cx = y.mean(), x.mean()
    dy, dx = y - cy, x - cx
    spread = np.cov(np.stack([dx, dy])) + 1e-6 * np.eye(2)
    values, vectors = np.linalg.eigh(spread)
    angle = float(np.arctan2(vectors[1, 1], vectors[0, 1]))
    angle = (angle + np.pi / 2) % np.pi - np.pi / 2
    if np.sqrt(values[1] / values[0]) < LONG or abs(angle) > steep:
        angle = 0.0
    along = dx * np.cos(angle) + dy * np.sin(angle)
    return float(cy), float(cx), angle, bool((along**3).mean() < 0)


def _channels(pictures: Pictures, objects: Objects) -> np.ndarray:
    """(n, h, w, 2): object or not, and how much lighter than the body's median it is there."""
    light = pictures.lab[..., 0]
    middle = np.array([np.median(each[mask]) for each, mask in zip(light, objects.masks, strict=True)])
    relative = np.clip((light - middle[:, None, None]) / LIGHT, -1.5, 1.5) * objects.masks
    return np.stack([objects.masks.astype(np.float32), relative.astype(np.float32)], axis=-1)


def _moved(channels: np.ndarray, poses: Poses, template: np.ndarray, steps: tuple[float, ...]) -> Poses:
    """Mirrored where that is better, then moved by ever smaller steps; part by part, in threads."""

    def one(rows: slice) -> Poses:
        mine = _mirror_test(channels[rows], poses.select(rows), template)
        for step in steps:
            mine = _search(channels[rows], mine, template, step)
        return mine

    return _in_parts(one, len(poses))


def _in_parts(work: Callable[[slice], Poses], count: int) -> Poses:
    """The poses that `work` finds for PART pictures at a time, put together; fewer, where that keeps threads busy."""
    size = min(PART, -(-count // THREADS))
    found = list(in_threads(lambda part: work(slice(part * size, (part + 1) * size)), -(-count // size)))
    columns = {name: np.concatenate([getattr(each, name) for each in found]) for name in COORDINATES}
    return Poses(**columns, kind=found[0].kind)


def _template(views: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(views.mean(axis=0), (0, 0), max(blur, 0.8))


def _misfit(channels: np.ndarray, poses: Poses, template: np.ndarray) -> np.ndarray:
    difference = (to_canvas(channels, poses, len(template)) - template) ** 2
    return difference[..., 0].mean(axis=(1, 2)) + 0.5 * difference[..., 1].mean(axis=(1, 2))


def _better(one: Poses, other: Poses, channels: np.ndarray, template: np.ndarray) -> Poses:
    wins = _misfit(channels, other, template) < _misfit(channels, one, template) - 1e-9
    return _merge(one, other, wins)


def _merge(one: Poses, other: Poses, wins: np.ndarray) -> Poses:
    return replace(one, **{name: np.where(wins, getattr(other, name), getattr(one, name)) for name in COORDINATES})


def _mirror_test(channels: np.ndarray, poses: Poses, template: np.ndarray) -> Poses:
    return _better(poses, replace(poses, mirrored=~poses.mirrored), channels, template)


def _search(channels: np.ndarray, poses: Poses, template: np.ndarray, step: float) -> Poses:
    """One move along each coordinate, both ways."""
    best = _misfit(channels, poses, template)
    for name, change in (("y", 0.08), ("x", 0.08), ("angle", 0.14), ("unit", 0.08)):
        for sign in (-1, 1):
            size = sign * change * step
            value = getattr(poses, name)
            moved = value * (1 + size) if name == "unit" else value + size * (1 if name == "angle" else poses.unit)
            trial = replace(poses, **{name: moved})
            misfit = _misfit(channels, trial, template)
            wins = misfit < best - 1e-9
            poses, best = _merge(poses, trial, wins), np.where(wins, misfit, best)
    return poses


def _restart(channels: np.ndarray, poses: Poses, objects: Objects, template: np.ndarray, any_way: bool) -> Poses:
    """Images that fit badly try again, from the upright pose and its mirror image, turned each way."""
    poor = poorly(_misfit(channels, poses, template))
    if len(poor) == 0:
        return poses
    upright = _upright(objects.select(poor), any_way)

    def one(rows: slice) -> Poses:
        few, mine, plain = channels[poor[rows]], poses.select(poor[rows]), upright.select(rows)
        for angle in (plain.angle * 0, plain.angle, plain.angle + 0.6, plain.angle - 0.6):
            for mirrored in (False, True):
                trial = replace(plain, angle=angle, mirrored=np.full(len(plain), mirrored))
                for step in (1.0, 0.5, 0.5, 0.25):
                    trial = _search(few, trial, template, step)
                mine = _better(mine, trial, few, template)
        return mine

    mine = _in_parts(one, len(poor))
    columns = {name: getattr(poses, name).copy() for name in COORDINATES}
    for name, column in columns.items():
        column[poor] = getattr(mine, name)
    return Poses(**columns, kind=poses.kind)
