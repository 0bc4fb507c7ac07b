"""Where marks are put to the test: pictures of the hold-out, edits of them, and what the network says of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.areas import Areas, alike, moved, sticking_out
from fieldmark.guide.edits import FILLS, Studio
from fieldmark.guide.evidence import Said, margins
from fieldmark.guide.marks import Candidate
from fieldmark.guide.pose import to_canvas
from fieldmark.guide.threads import in_threads

PICTURES = 24  # a class, of the hold-out
EXAMPLES = 6  # of them those of which the network is surest
PLACEMENTS = 20  # of the control region
DYES = 3  # colours that an object is dyed in
DONORS = 12  # pictures with the most similar bodies, of which those lend their place that show least of the mark
LENDERS = 3  # donors of each picture: one may lie askew, or lend a mark of its own
UNLIKE, ASTRAY = 1 / 25, 4.0  # what a Delta E between two bodies, and outlines that part, weigh against a source
VIEW = 48  # pixels: the canvas on which outlines are compared


@dataclass(frozen=True, eq=False)
class Bench:
    """`tested` are the pictures of each class by index, the surest EXAMPLES first; `marks` those of all classes."""

    classifier: Classifier
    areas: Areas
    said: Said
    marks: tuple[Candidate, ...]
    tested: dict[int, np.ndarray]
    rng: np.random.Generator

    @cached_property
    def _shown(self) -> dict[tuple[int, int], float]:
        return {}

    @property
    def studio(self) -> Studio:
        return self.areas.studio

    @cached_property
    def everyone(self) -> np.ndarray:
        return np.concatenate([*self.tested.values(), np.zeros(0, int)]).astype(int)

    def of(self, cls: int) -> list[Candidate]:
        """The marks of a class."""
        return [mark for mark in self.marks if mark.cls == cls]

    def others(self, *classes: int) -> np.ndarray:
        """Pictures of all other classes."""
        return self.everyone[~np.isin(self.said.predicted[self.everyone], classes)]

    def some(self, rows: np.ndarray) -> np.ndarray:
        return np.sort(self.rng.permutation(rows)[:PICTURES])

    def scores(self, edits: Sequence[np.ndarray]) -> np.ndarray:
        """(edits, classes) logits."""
        return np.asarray(self.classifier.predict(np.stack(edits)).scores, np.float64)

    def erased(
        self, rows: np.ndarray, regions: Sequence[np.ndarray], cls: int, marks: Sequence[Candidate]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(fills, n) margins lost, and the classes named, when each picture's region is filled in each way."""
        ways: list[tuple[str, Sequence[int | None]]] = [(fill, [None] * len(rows)) for fill in FILLS]
        ways += [("donor", lent) for lent in zip(*(self._donors(int(i), cls, marks) for i in rows), strict=True)]
        found = []
        for fill, lenders in ways:
            found.append(self._drops(self._filled(rows, regions, fill, lenders), rows, cls))
        return np.stack([drop for drop, _ in found]), np.stack([named for _, named in found])

    def controls(self, rows: np.ndarray, regions: Sequence[np.ndarray], cls: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) mean drop and share of flips when the same shape is erased elsewhere on the picture's object.

        Elsewhere is where nothing speaks for the class, as far as there is room: erasing another mark is no control.
        """
        owners, others = [], []
        for k, (i, region) in enumerate(zip(rows, regions, strict=True)):
            speaking = self.areas.union(self.of(cls), int(i)) & ~region
            elsewhere = moved(region, self.studio.placed.objects.masks[i], PLACEMENTS, self.rng, speaking)
            owners += [k] * len(elsewhere)
            others += elsewhere
        owner = np.array(owners, int)
        edits = self._filled(rows[owner], others, "inpaint", [None] * len(others))
        drops, named = self._drops(edits, rows[owner], cls)
        count = np.maximum(np.bincount(owner, minlength=len(rows)), 1)
        flips = np.bincount(owner, (named != cls).astype(float), len(rows))
        return np.bincount(owner, drops, len(rows)) / count, flips / count

    def without(
        self, rows: np.ndarray, cls: int, marks: Sequence[Candidate]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Drops (ways, n) and the classes named without marks of the class; mean drop (n,) and flips of a control.

        Parts are erased; control: as much elsewhere. Where there are none, the object is the mark itself, and dyed or
        reshaped as other classes' objects are: erased, it would be no object. Control: as others of its own class.
        """
        alter, marks = self.altered(marks), [mark for mark in marks if not mark.whole]
        if not marks:
            drops, named = self.lent(rows, cls, self.others(cls), alter)
            kept, again = self.lent(rows, cls, self.tested[cls], alter)
            return drops, named, kept.mean(axis=0), (again != cls).mean(axis=0)
        regions = [np.logical_or.reduce([self.areas.of(mark, int(i)) for mark in marks]) for i in rows]
        return *self.erased(rows, regions, cls, marks), *self.controls(rows, regions, cls)

    def altered(self, marks: Sequence[Candidate]) -> Callable[[int, int], np.ndarray]:
        """How objects that are marks themselves are made like others: reshaped if it is their outline, else dyed."""
        return self.studio.reshaped if marks and all(mark.outline for mark in marks) else self.studio.dyed

    def lent(
        self, rows: np.ndarray, cls: int, pool: np.ndarray, alter: Callable[[int, int], np.ndarray], count: int = DYES
    ) -> tuple[np.ndarray, np.ndarray]:
        """(count, n) margins lost, and the classes named, when objects get colours or outlines of those of the pool."""
        lent = np.array([self.rng.choice(pool[pool != i] if (pool != i).any() else pool, count) for i in rows])
        found = [
            self._drops([alter(int(i), int(j)) for i, j in zip(rows, some, strict=True)], rows, cls) for some in lent.T
        ]
        return np.stack([drop for drop, _ in found]), np.stack([named for _, named in found])

    def source(self, cls: int, index: int) -> int | None:
        """A picture of the class of which the network is sure, with a similar body in a similar pose."""
        pool = self.tested.get(cls, np.zeros(0, int))
        if len(pool) == 0:
            return None
        sure = pool[self.said.margins[pool] >= np.median(self.said.margins[pool])]
        apart = np.linalg.norm(self.studio.bodies[sure] - self.studio.bodies[index], axis=1)
        astray = np.array([1 - self._overlap(int(i), index) for i in sure])
        return int(sure[(UNLIKE * apart + ASTRAY * astray).argmin()])

    def stranger(self, cls: int, index: int) -> int | None:
        """Any picture that is neither of the class nor, where there are more than two, of the class of `index`."""
        pool = self.others(cls, int(self.said.predicted[index]))
        if len(pool) == 0:
            pool = self.others(cls)
            pool = pool[pool != index]
        return int(self.rng.choice(pool)) if len(pool) else None

    def shows(self, mark: Candidate, index: int) -> float:
        """How much of the mark's place has the mark's colour, or sticks out of the object: 0 to 1."""
        key = (id(mark), index)
        if key not in self._shown:
            place = self.studio.placed.objects.masks[index]
            if not mark.loose:
                place = self.studio.place(mark.plate, index, 0.5)
            there = alike(self.studio, mark, index) | sticking_out(self.studio, index)
            self._shown[key] = float(there[place].mean()) if place.any() else 0.0
        return self._shown[key]

    def _donors(self, index: int, cls: int, marks: Sequence[Candidate]) -> list[int]:
        """LENDERS pictures of other classes; fewer where there are not so many."""
        pool = self.others(cls)
        distance = np.linalg.norm(self.studio.bodies[pool] - self.studio.bodies[index], axis=1)
        near = pool[np.argsort(distance, kind="stable")[:DONORS]]
        shown = [max((round(self.shows(mark, int(i)), 1) for mark in marks), default=0.0) for i in near]
        return [int(near[k]) for k in np.argsort(shown, kind="stable")[:LENDERS]]

    def _filled(
        self, rows: np.ndarray, regions: Sequence[np.ndarray], fill: str, lenders: Sequence[int | None]
    ) -> list[np.ndarray]:
        """The pictures, each with its region filled in that way."""
        return list(in_threads(lambda k: self.studio.erased(int(rows[k]), regions[k], fill, lenders[k]), len(rows)))

    def _drops(self, edits: Sequence[np.ndarray], rows: np.ndarray, cls: int) -> tuple[np.ndarray, np.ndarray]:
        if not len(edits):
            return np.zeros(0), np.zeros(0, int)
        scores = self.scores(edits)
        return self.said.margins[rows] - margins(scores, np.full(len(scores), cls)), scores.argmax(axis=1)

    def _overlap(self, one: int, other: int) -> float:
        both, either = self._outlines[one] & self._outlines[other], self._outlines[one] | self._outlines[other]
        return float(both.sum() / max(either.sum(), 1))

    @cached_property
    def _outlines(self) -> dict[int, np.ndarray]:
        rows = self.everyone
        masks, poses = self.studio.placed.objects.masks[rows], self.studio.placed.poses.select(rows)
        views = to_canvas(masks.astype(np.float32), poses, VIEW) > 0.5
        return {int(i): view for i, view in zip(rows, views, strict=True)}


def choose_tested(rows: np.ndarray, said: Said, seed: int) -> dict[int, np.ndarray]:
    """PICTURES a class of the hold-out `rows`: those of which the network is surest first, then any."""
    rng = np.random.default_rng(seed)
    found = {}
    for cls in np.unique(said.predicted[rows]):
        own = rows[said.predicted[rows] == cls]
        own = own[np.argsort(-said.margins[own], kind="stable")]
        found[int(cls)] = np.concatenate([own[:EXAMPLES], rng.permutation(own[EXAMPLES:])[: PICTURES - EXAMPLES]])
    return found
