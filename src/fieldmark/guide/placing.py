"""Objects found where a template says they should be: of several ways to look, the one whose find is most like it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from fieldmark.guide.objects import LOOKS, Objects, find_objects
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.pose import COORDINATES, Poses, fit, laid_over, misfit, poorly

CLEARLY = 0.8  # of the misfit of what was found freely: so much better must fit what was looked for in one place
SPREAD = 2  # places along each side where an object may lie that was not found elsewhere
SAME = 0.9  # overlap (intersection over union) of two finds that are one


@dataclass(frozen=True, eq=False)
class Placed:
    """Pictures in a frame: their objects and poses."""

    objects: Objects
    poses: Poses


def best_placed(pictures: Pictures, template: np.ndarray, *, any_way: bool) -> Placed:
    """The objects that look most like the template (v, v, 2), and their poses; `any_way` as for `pose.fit`.

    Every look is laid on the template as it is; the best is refined there. The half that then fits worse is looked at
    again: where another look has found something else, it is refined, too, and wins if it is then more like the
    template. So does what is found when the object is taken to be as large as most, for a part of it may look much like
    the whole. Objects that are still much less like the template than most are sought where the others lie; then the
    usual size is tried once more.
    """
    seeds = [_Try.of(pictures, find_objects(pictures, refine=False, look=look), template, any_way) for look in LOOKS]
    best = np.argmin([seed.misfit for seed in seeds], axis=0)
    chosen = seeds[0]
    for number, seed in enumerate(seeds):
        rows = np.nonzero(best == number)[0]
        chosen = chosen.merged(seed, rows, rows)
    found = chosen.refined(pictures, template, any_way)
    worse = found.misfit > np.median(found.misfit)
    for number, seed in enumerate(seeds):
        other = _alike(seed.objects.masks, chosen.objects.masks) < SAME
        rows = np.nonzero(worse & other & (best != number))[0]
        if len(rows):
            again = seed.select(rows).refined(pictures.select(rows), template, any_way)
            wins = again.misfit < found.misfit[rows]
            found = found.merged(again, rows[wins], np.nonzero(wins)[0])
    found = found.of_usual_size(pictures, template, any_way).sought(pictures, template, any_way)
    found = found.of_usual_size(pictures, template, any_way)
    return Placed(found.objects, found.poses)


@dataclass(frozen=True, eq=False)
class _Try:
    """What one look finds in n pictures, in the pose that suits it best, and how unlike the template it is there."""

    objects: Objects
    poses: Poses
    misfit: np.ndarray

    @classmethod
    def of(
        cls, pictures: Pictures, objects: Objects, template: np.ndarray, any_way: bool, start: Poses | None = None
    ) -> _Try:
        poses = fit(pictures, objects, template, start, any_way=any_way)
        return cls(objects, poses, misfit(pictures, objects, poses, template))

    @classmethod
    def at(cls, poses: Poses, pictures: Pictures, template: np.ndarray, any_way: bool) -> _Try:
        """What is found where the template lies in these poses, whatever stands apart from the border."""
        prior = laid_over(template[..., 0], poses, pictures.shape)
        return cls.of(pictures, find_objects(pictures, prior, there=True), template, any_way, poses)

    def refined(self, pictures: Pictures, template: np.ndarray, any_way: bool) -> _Try:
        """The objects found once more, where the template says that they are."""
        prior = laid_over(template[..., 0], self.poses, pictures.shape)
        return _Try.of(pictures, find_objects(pictures, prior), template, any_way, self.poses)

    def of_usual_size(self, pictures: Pictures, template: np.ndarray, any_way: bool) -> _Try:
        """The half that fits worse, looked for where it is, but as large as most."""
        worse = np.nonzero(self.misfit > np.median(self.misfit))[0]
        if not len(worse):
            return self
        few, mine = pictures.select(worse), self.select(worse)
        usual = replace(mine.poses, unit=np.full(len(worse), np.median(self.poses.unit)))
        found = mine.or_where(_Try.at(usual, few, template, any_way), few, template, any_way)
        return self.merged(found, worse, np.arange(len(worse)))

    def sought(self, pictures: Pictures, template: np.ndarray, any_way: bool) -> _Try:
        """Objects that fit poorly looked for in the places where the others lie; what then fits better is taken."""
        poor = poorly(self.misfit)
        if not 0 < len(poor) < len(self.misfit):
            return self
        few = pictures.select(poor)
        others = np.setdiff1d(np.arange(len(self.misfit)), poor)
        places = _where_others_lie(self.poses, others, len(poor), any_way=any_way)
        best = reduce(_Try.better, (_Try.at(poses, few, template, any_way) for poses in places))
        rows = np.arange(len(poor))
        return self.merged(self.select(poor).or_where(best, few, template, any_way), poor, rows)

    def or_where(self, there: _Try, pictures: Pictures, template: np.ndarray, any_way: bool) -> _Try:
        """What is found freely where another try lies, if that fits better; the other itself, if CLEARLY better.

        What was looked for where the template lies is like it in any case, and may miss what sticks out of it.
        """
        return self.better(there.refined(pictures, template, any_way)).better(there, CLEARLY)

    def better(self, other: _Try, share: float = 1.0) -> _Try:
        """Of every picture the other try where its misfit is less than that share of this one's."""
        wins = np.nonzero(other.misfit < share * self.misfit)[0]
        return self.merged(other, wins, wins)

    def select(self, rows: np.ndarray) -> _Try:
        return _Try(self.objects.select(rows), self.poses.select(rows), self.misfit[rows])

    def merged(self, other: _Try, mine: np.ndarray, others: np.ndarray) -> _Try:
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


def _where_others_lie(poses: Poses, among: np.ndarray, count: int, *, any_way: bool) -> list[Poses]:
    """Poses that `count` objects might have by what those `among` others have: SPREAD x SPREAD places.

    In each of them mirrored or not, as the others of that side are turned; `any_way`: in four directions.
    """
    others = poses.select(among)
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
