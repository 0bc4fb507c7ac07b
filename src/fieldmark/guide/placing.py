"""Objects found where a template says they should be: of several ways to look, the one whose find is most like it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from fieldmark.guide.objects import LOOKS, Objects, find_objects
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.pose import COORDINATES, Poses, deviation, fit, laid_over, misfit, poorly

CLEARLY = 0.8  # of the misfit of what was found freely: so much better must fit what was looked for in one place
SPREAD = 2  # places along each side where an object may lie that was not found elsewhere
SAME = 0.9  # overlap (intersection over union) of two finds that are one
LIKE = 0.75  # overlap of what was looked for in one place with what is found freely there, if both are one object
TAIL, BETWEEN = 0.1, 2.56  # of the sizes that lie above, and below, their middle part; its width in standard deviations
STANDARD = 1.48  # median absolute deviations of what is normally distributed are its standard deviation
LEAST_SPREAD = 0.05  # of the logarithms of sizes: where they are more alike, this counts as one standard deviation
FARTHEST = 2.0  # standard deviations from the usual size: more is not worse, for some pictures show larger things


@dataclass(frozen=True, eq=False)
class Placed:
    """Pictures in a frame: their objects and poses."""

    objects: Objects
    poses: Poses


def best_placed(pictures: Pictures, template: np.ndarray, *, any_way: bool) -> Placed:
    """The objects that look most like the template (v, v, 2), and their poses; `any_way` as for `pose.fit`.

    Every look is laid on the template as it is; the best is refined there. The half that then fits worse is looked at
    again: where another look has found something else, it is refined, too, and wins if it is then more like the
    template. From then on an unusual size counts as unlikeness, for a part of an object may look much like the whole.
    What fits worse is looked for as large as most, and what fits much worse than most where the others lie; then the
    usual size is tried once more.
    """
    aim, pictures = _Aim(template, any_way), pictures.aside()
    seeds = [_Try.of(pictures, find_objects(pictures, refine=False, look=look), aim) for look in LOOKS]
    best = np.argmin([seed.misfit for seed in seeds], axis=0)
    chosen = seeds[0]
    for number, seed in enumerate(seeds):
        rows = np.nonzero(best == number)[0]
        chosen = chosen.merged(seed, rows, rows)
    found = chosen.refined(pictures, aim)
    worse = found.misfit > np.median(found.misfit)
    for number, seed in enumerate(seeds):
        other = _alike(seed.objects.masks, chosen.objects.masks) < SAME
        rows = np.nonzero(worse & other & (best != number))[0]
        if len(rows):
            again = seed.select(rows).refined(pictures.select(rows), aim)
            wins = again.misfit < found.misfit[rows]
            found = found.merged(again, rows[wins], np.nonzero(wins)[0])
    found, aim = found.sized(aim)
    found = found.of_usual_size(pictures, aim).sought(pictures, aim).of_usual_size(pictures, aim)
    return Placed(found.objects, found.poses)


@dataclass(frozen=True, eq=False)
class _Aim:
    """What objects should be like: the template, turned `any_way` or not, and how large most of them are.

    size, spread  median and standard deviation of the logarithms of their units
    worth         the standard deviation of the misfit: so that unlikeness and size count by what is usual of both
    """

    template: np.ndarray
    any_way: bool
    size: float = 0.0
    spread: float = 1.0
    worth: float = 0.0

    def misfit(self, pictures: Pictures, objects: Objects, poses: Poses) -> np.ndarray:
        """(n,) how unlike the template, and how unlike the others in size, each object is in its pose."""
        return misfit(pictures, objects, poses, self.template) + self.unusual(poses)

    def unusual(self, poses: Poses) -> np.ndarray:
        """(n,) what is added for an unusual size."""
        off = np.minimum(np.abs(np.log(poses.unit) - self.size) / self.spread, FARTHEST)
        return self.worth * off**2 / 2

    def over(self, poses: Poses, shape: tuple[int, int]) -> np.ndarray:
        """(n, h, w) the template's outline over every picture."""
        return laid_over(self.template[..., 0], poses, shape)


@dataclass(frozen=True, eq=False)
class _Try:
    """What one look finds in n pictures, in the pose that suits it best, and how unlike the aim it is there."""

    objects: Objects
    poses: Poses
    misfit: np.ndarray

    @classmethod
    def of(cls, pictures: Pictures, objects: Objects, aim: _Aim, start: Poses | None = None) -> _Try:
        poses = fit(pictures, objects, aim.template, start, any_way=aim.any_way)
        return cls(objects, poses, aim.misfit(pictures, objects, poses))

    @classmethod
    def at(cls, poses: Poses, pictures: Pictures, aim: _Aim) -> _Try:
        """What is found where the template lies in these poses, whatever stands apart from the border."""
        return cls.of(pictures, find_objects(pictures, aim.over(poses, pictures.shape), there=True), aim, poses)

    def refined(self, pictures: Pictures, aim: _Aim) -> _Try:
        """The objects found once more, where the template says that they are."""
        return _Try.of(pictures, find_objects(pictures, aim.over(self.poses, pictures.shape)), aim, self.poses)

    def sized(self, aim: _Aim) -> tuple[_Try, _Aim]:
        """This try and its aim, with unusual sizes counted."""
        sizes = np.log(self.poses.unit)
        size = float(np.median(sizes))
        low, high = np.quantile(sizes, (TAIL, 1 - TAIL))
        spread = max(float(high - low) / BETWEEN, LEAST_SPREAD)
        aim = replace(aim, size=size, spread=spread, worth=STANDARD * deviation(self.misfit))
        return replace(self, misfit=self.misfit + aim.unusual(self.poses)), aim

    def of_usual_size(self, pictures: Pictures, aim: _Aim) -> _Try:
        """The half that fits worse, looked for where it is, but as large as most."""
        worse = np.nonzero(self.misfit > np.median(self.misfit))[0]
        if not len(worse):
            return self
        few, mine = pictures.select(worse), self.select(worse)
        usual = replace(mine.poses, unit=np.full(len(worse), np.exp(aim.size)))
        return self.merged(mine.or_where(_Try.at(usual, few, aim), few, aim), worse)

    def sought(self, pictures: Pictures, aim: _Aim) -> _Try:
        """Objects that fit poorly looked for in the places where the others lie; what then fits better is taken."""
        poor = poorly(self.misfit)
        if not 0 < len(poor) < len(self.misfit):
            return self
        few = pictures.select(poor)
        others = self.poses.select(np.setdiff1d(np.arange(len(self.misfit)), poor))
        places = _where_others_lie(others, len(poor), any_way=aim.any_way)
        best = reduce(_Try.better, (_Try.at(poses, few, aim) for poses in places))
        return self.merged(self.select(poor).or_where(best, few, aim), poor)

    def or_where(self, there: _Try, pictures: Pictures, aim: _Aim) -> _Try:
        """What is found freely where another try lies, if that fits better; the other itself, if CLEARLY better.

        What was looked for where the template lies is like it in any case, and may miss what sticks out of it: where
        both are one object, it is taken as it was found freely.
        """
        free = there.refined(pictures, aim)
        clearly = there.misfit < CLEARLY * np.minimum(self.misfit, free.misfit)
        same = _alike(there.objects.masks, free.objects.masks) > LIKE
        kept, whole = np.nonzero(clearly & same)[0], np.nonzero(clearly & ~same)[0]
        return self.better(free).merged(free, kept, kept).merged(there, whole, whole)

    def better(self, other: _Try) -> _Try:
        """Of every picture the try whose misfit is less."""
        wins = np.nonzero(other.misfit < self.misfit)[0]
        return self.merged(other, wins, wins)

    def select(self, rows: np.ndarray) -> _Try:
        return _Try(self.objects.select(rows), self.poses.select(rows), self.misfit[rows])

    def merged(self, other: _Try, mine: np.ndarray, others: np.ndarray | slice = slice(None)) -> _Try:
        """With the `others` rows of another in place of the rows `mine`."""

        def put(own: np.ndarray, new: np.ndarray) -> np.ndarray:
            out = own.copy()
            out[mine] = new[others]
            return out

        objects = Objects(
            put(self.objects.masks, other.objects.masks), put(self.objects.contrast, other.objects.contrast)
        )
        columns: dict[str, Any] = {
            name: put(getattr(self.poses, name), getattr(other.poses, name)) for name in COORDINATES
        }
        return _Try(objects, replace(self.poses, **columns), put(self.misfit, other.misfit))


def _where_others_lie(others: Poses, count: int, *, any_way: bool) -> list[Poses]:
    """Poses that `count` objects might have by what others have: SPREAD x SPREAD places.

    In each of them mirrored or not, as the others of that side are turned; `any_way`: in four directions.
    """
    unit, shares = float(np.median(others.unit)), np.arange(1, SPREAD + 1) / (SPREAD + 1)
    ways = [(turn * np.pi / 2, False) for turn in range(4)]
    if not any_way:
        sides = [others.angle[others.mirrored == side] for side in (False, True)]
        ways = [(float(np.median(angles)), bool(side)) for side, angles in enumerate(sides) if len(angles)]
    rows = np.ones(count)
    return [
        Poses(rows * y, rows * x, rows * unit, rows * angle, np.full(count, mirrored))
        for angle, mirrored in ways
        for y in np.quantile(others.y, shares)
        for x in np.quantile(others.x, shares)
    ]


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) intersection over union of masks (n, h, w)."""
    return (one & other).sum(axis=(1, 2)) / np.maximum((one | other).sum(axis=(1, 2)), 1)
