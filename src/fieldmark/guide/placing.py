"""Objects found where a template says they should be: of several ways to look, the one whose find is most like it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fieldmark.guide.objects import LOOKS, Objects, find_objects
from fieldmark.guide.pictures import Pictures
from fieldmark.guide.pose import COORDINATES, Poses, fit, laid_over, misfit

SAME = 0.9  # overlap (intersection over union) of two finds that are one


@dataclass(frozen=True, eq=False)
class Placed:
    """Pictures in a frame: their objects and poses."""

    objects: Objects
    poses: Poses


def best_placed(pictures: Pictures, template: np.ndarray, *, any_way: bool) -> Placed:
    """The objects that look most like the template (v, v, 2), and their poses; `any_way` as for `pose.fit`.

    Every look is laid on the template as it is; the best is refined there. Where another look has found something
    else, it is refined, too, and wins if it is then more like the template.
    """
    seeds = [_Try.of(pictures, find_objects(pictures, refine=False, look=look), template, any_way) for look in LOOKS]
    best = np.argmin([seed.misfit for seed in seeds], axis=0)
    chosen = seeds[0]
    for number, seed in enumerate(seeds):
        rows = np.nonzero(best == number)[0]
        chosen = chosen.merged(seed, rows, rows)
    found = chosen.refined(pictures, template, any_way)
    for number, seed in enumerate(seeds):
        rows = np.nonzero((best != number) & (_alike(seed.objects.masks, chosen.objects.masks) < SAME))[0]
        if len(rows):
            again = seed.select(rows).refined(pictures.select(rows), template, any_way)
            wins = again.misfit < found.misfit[rows]
            found = found.merged(again, rows[wins], np.nonzero(wins)[0])
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

    def refined(self, pictures: Pictures, template: np.ndarray, any_way: bool) -> _Try:
        """The objects found once more, where the template says that they are."""
        prior = laid_over(template[..., 0], self.poses, pictures.shape)
        return _Try.of(pictures, find_objects(pictures, prior), template, any_way, self.poses)

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


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) intersection over union of masks (n, h, w)."""
    return (one & other).sum(axis=(1, 2)) / np.maximum((one | other).sum(axis=(1, 2)), 1)
