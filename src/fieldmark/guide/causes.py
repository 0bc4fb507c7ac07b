"""Does the network really go by a mark? Erase it, put it on others, and compare with the same done to another place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.edits import FILLS, Studio
from fieldmark.guide.evidence import Said, margins
from fieldmark.guide.marks import Candidate
from fieldmark.guide.objects import dilated, opened
from fieldmark.guide.regions import UNLIKE_BODY
from fieldmark.guide.vocabulary import BROAD
from fieldmark.progress import track

LEVEL = 0.2  # of a plate's maximum: what is erased
WHOLE = 0.35  # a protrusion with this share inside the region goes with it
PART = 0.15  # a patch of the mark's colour with this share inside goes with it, too
SAME_COLOUR = 26.0  # Delta E to the mark's colour
PLACEMENTS = 20  # of the control region
OVERLAP = 0.05  # of the control with the mark's region, at most
PICTURES = 24  # a mark, of the hold-out
LOGITS = 0.5  # an effect below this above twice the control's is none
CHANCE = 0.05  # false discoveries among accepted marks
SIGN_FLIPS = 2000


@dataclass(frozen=True)
class Effect:
    """What erasing or transplanting does on n pictures of the hold-out, beside its control.

    drop, control_drop   mean fall of the class's margin, in logits
    flips, control_flips share of pictures that are then called something else
    p                    of the paired sign-flip test, mark against control
    swapped, swap_control share of pictures of other classes that become this class when their own marks are erased
                         and all marks of this class put in; and when the same places of another class's are put in
    added, add_control   the same of this mark alone, without erasing
    """

    n: int
    drop: float
    control_drop: float
    flips: float
    control_flips: float
    p: float
    fills_agree: bool
    swapped: float
    swap_control: float
    added: float
    add_control: float


def region_of(studio: Studio, mark: Candidate, index: int) -> np.ndarray:
    """(h, w) bool: what is erased for a mark in a picture: its place, and protrusions that largely lie in it."""
    region = studio.place(mark.plate, index, LEVEL)
    mask, unit = studio.placed.objects.masks[index], studio.placed.objects.units[index]
    own = [each.mask for each in mark.regions if each.image == index]
    for each in own:
        region = region | each
    sticking = _touched(mask & ~opened(mask, BROAD * unit), region, WHOLE)
    return dilated(region | sticking | _touched(_alike(studio, mark, index), region, PART), 0.03 * unit)


def examine(
    classifier: Classifier, studio: Studio, said: Said, marks: Sequence[Candidate], rows: np.ndarray, seed: int
) -> list[Effect]:
    """The effects of marks on the pictures `rows` (indices of the hold-out)."""
    bench = _Bench(classifier, studio, said, tuple(marks), rows, np.random.default_rng(seed))
    return [bench.effect(mark) for mark in track(marks, label="Proof")]


def accepted(effects: Sequence[Effect]) -> np.ndarray:
    """(marks,) bool: the effect is larger than the control's, by the test and by size, and two fills agree."""
    p = np.array([effect.p for effect in effects])
    large = [e.drop > 2 * max(e.control_drop, 0) + LOGITS and e.fills_agree for e in effects]
    return benjamini_hochberg(p) & np.array(large, bool)


def benjamini_hochberg(p: np.ndarray, rate: float = CHANCE) -> np.ndarray:
    """Which of the hypotheses are rejected with that share of false discoveries [benjamini1995]."""
    if len(p) == 0:
        return np.zeros(0, bool)
    order = np.argsort(p)
    below = p[order] <= rate * np.arange(1, len(p) + 1) / len(p)
    last = np.nonzero(below)[0].max() + 1 if below.any() else 0
    found = np.zeros(len(p), bool)
    found[order[:last]] = True
    return found


def sign_flip(differences: np.ndarray, seed: int) -> float:
    """One-sided p of the mean of paired differences being above 0, by flipping signs at random."""
    if len(differences) == 0:
        return 1.0
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (SIGN_FLIPS, len(differences)))
    return float((1 + ((signs * differences).mean(axis=1) >= differences.mean()).sum()) / (1 + SIGN_FLIPS))


@dataclass(frozen=True, eq=False)
class _Bench:
    classifier: Classifier
    studio: Studio
    said: Said
    marks: tuple[Candidate, ...]
    rows: np.ndarray
    rng: np.random.Generator

    def effect(self, mark: Candidate) -> Effect:
        own = self._some(self.rows[self.said.predicted[self.rows] == mark.cls])
        regions = [region_of(self.studio, mark, int(i)) for i in own]
        drops, flips = self._erased(own, regions, mark.cls)
        moved, moved_flips = self._controls(own, regions, mark.cls)
        typical = np.median(drops, axis=0)
        agree = int(((drops - moved).mean(axis=1) > LOGITS).sum()) >= 2 if len(own) else False
        others = self._some(self.rows[self.said.predicted[self.rows] != mark.cls])
        swapped, added = self._transplanted(mark, others, own)
        swap_control, add_control = self._transplanted(mark, others, None)
        return Effect(
            n=len(own),
            drop=_mean(typical),
            control_drop=_mean(moved),
            flips=_mean(np.median(flips, axis=0) > 0.5),
            control_flips=_mean(moved_flips),
            p=sign_flip(typical - moved, 0),
            fills_agree=agree,
            swapped=swapped,
            swap_control=swap_control,
            added=added,
            add_control=add_control,
        )

    def _some(self, rows: np.ndarray) -> np.ndarray:
        return np.sort(self.rng.permutation(rows)[:PICTURES])

    def _erased(self, rows: np.ndarray, regions: list[np.ndarray], cls: int) -> tuple[np.ndarray, np.ndarray]:
        """(fills, n) margin drops, and whether another class is named."""
        found = []
        for fill in FILLS:
            edits = [
                self.studio.erased(int(i), region, fill, self._donor(int(i), cls))
                for i, region in zip(rows, regions, strict=True)
            ]
            found.append(self._drops(edits, rows, cls))
        return np.stack([drop for drop, _ in found]), np.stack([flip for _, flip in found])

    def _controls(self, rows: np.ndarray, regions: list[np.ndarray], cls: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) mean drop and flips when the same shape is erased elsewhere on the picture's object."""
        edits, owners = [], []
        for k, (i, region) in enumerate(zip(rows, regions, strict=True)):
            for other in moved(region, self.studio.placed.objects.masks[i], PLACEMENTS, self.rng):
                edits.append(self.studio.erased(int(i), other, "inpaint"))
                owners.append(k)
        owner = np.array(owners, int)
        drops, flips = self._drops(edits, rows[owner] if len(owner) else rows[:0], cls)
        count = np.maximum(np.bincount(owner, minlength=len(rows)), 1)
        return (
            np.bincount(owner, drops, len(rows)) / count,
            np.bincount(owner, flips.astype(float), len(rows)) / count,
        )

    def _transplanted(self, mark: Candidate, rows: np.ndarray, sources: np.ndarray | None) -> tuple[float, float]:
        """Shares of pictures called the mark's class after a swap and after an addition."""
        swaps, adds = [], []
        for i in rows:
            source = self._source(mark, int(i), sources)
            if source is None:
                continue
            region = region_of(self.studio, mark, int(i))
            whole, base = region, None
            for other in self.marks:
                if other.cls == self.said.predicted[i]:
                    base = self.studio.erased(int(i), region_of(self.studio, other, int(i)), "inpaint", base=base)
                elif other.cls == mark.cls:
                    whole = whole | region_of(self.studio, other, int(i))
            swaps.append(self.studio.with_part_of(int(i), source, whole, base))
            adds.append(self.studio.with_part_of(int(i), source, region))
        return self._share(swaps, mark.cls), self._share(adds, mark.cls)

    def _source(self, mark: Candidate, index: int, sources: np.ndarray | None) -> int | None:
        pool = sources
        if pool is None:
            of = self.said.predicted[self.rows]
            pool = self.rows[(of != mark.cls) & (of != self.said.predicted[index])]
        return int(self.rng.choice(pool)) if len(pool) else None

    def _donor(self, index: int, cls: int) -> int | None:
        """A picture of another class whose body has the most similar colour."""
        pool = self.rows[self.said.predicted[self.rows] != cls]
        if len(pool) == 0:
            return None
        distance = np.linalg.norm(self.studio.bodies[pool] - self.studio.bodies[index], axis=1)
        return int(pool[distance.argmin()])

    def _drops(self, edits: list[np.ndarray], rows: np.ndarray, cls: int) -> tuple[np.ndarray, np.ndarray]:
        if not edits:
            return np.zeros(0), np.zeros(0, bool)
        scores = self._scores(edits)
        fall = self.said.margins[rows] - margins(scores, np.full(len(scores), cls))
        return fall, scores.argmax(axis=1) != cls

    def _share(self, edits: list[np.ndarray], cls: int) -> float:
        return float((self._scores(edits).argmax(axis=1) == cls).mean()) if edits else 0.0

    def _scores(self, edits: list[np.ndarray]) -> np.ndarray:
        return np.asarray(self.classifier.predict(np.stack(edits)).scores, np.float64)


def moved(region: np.ndarray, mask: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The region's shape in up to `count` other places of the object, hardly touching where it was."""
    y, x = np.nonzero(region)
    if len(y) == 0:
        return []
    on_object = np.argwhere(mask)
    found: list[np.ndarray] = []
    for _ in range(6 * count):
        if len(found) == count or len(on_object) == 0:
            break
        middle = on_object[rng.integers(len(on_object))]
        ys, xs = y + middle[0] - round(y.mean()), x + middle[1] - round(x.mean())
        inside = (ys >= 0) & (ys < region.shape[0]) & (xs >= 0) & (xs < region.shape[1])
        if inside.mean() < 0.9:
            continue
        other = np.zeros_like(region)
        other[ys[inside], xs[inside]] = True
        if (other & region).sum() <= OVERLAP * region.sum():
            found.append(other)
    return found


def _alike(studio: Studio, mark: Candidate, index: int) -> np.ndarray:
    """(h, w) bool: the pixels of the mark's colour, where that is clearly not the body's."""
    if np.linalg.norm(mark.colour) < UNLIKE_BODY:
        return np.zeros(studio.pictures.shape, bool)
    from_body = studio.pictures.lab[index] - studio.bodies[index]
    own = np.linalg.norm(from_body - mark.colour, axis=-1)
    return (own < SAME_COLOUR) & (own < np.linalg.norm(from_body, axis=-1))


def _touched(parts: np.ndarray, region: np.ndarray, share: float) -> np.ndarray:
    """The connected parts that lie in the region by at least that share of their pixels."""
    count, labels = cv2.connectedComponents(parts.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels.ravel(), minlength=count)
    inside = np.bincount(labels.ravel(), region.ravel().astype(float), count)
    taken = inside >= share * np.maximum(sizes, 1)
    taken[0] = False
    return taken[labels]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
