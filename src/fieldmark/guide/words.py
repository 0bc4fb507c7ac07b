"""Words for a mark: which term, in which place, a person should look for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldmark.guide.marks import WHOLE, area_of
from fieldmark.guide.places import Table, around
from fieldmark.guide.vocabulary import NAMES, RELATIONS, TERMS, UNUSUAL

WITHIN = 0.35  # of what the place shows of the term lies in the region
FAINT = 0.02  # of the object: a term rarer than this everywhere is as good as absent
FAR_MORE = float(np.log(7 / 3))  # the lift over the other classes of what is clearly more common than there
CHANCE = 3.0  # standard errors by which a class must show more than the others: less may be chance
LEAST = 0.02  # how well a word must fit: less and there is nothing to say of the place
CLEAR = 6  # power of a question's clearness: what people can't answer yes or no is of little use to them
COMPARED, PATTERNED = 2.0, 1.35  # how much better than a colour's name a comparison, and a texture, must be
AGAINST_MOST = 6.0  # and what only somebody can see who knows the other objects
TEXTURES = ("light spots", "dark spots", "fine pattern")


_COSTS = dict.fromkeys((*RELATIONS, "more colourful"), COMPARED)
_COSTS |= dict.fromkeys(TEXTURES, PATTERNED) | dict.fromkeys(UNUSUAL, AGAINST_MOST)
_PLAINNESS = np.array([_COSTS.get(term, 1.0) for term in TERMS])


@dataclass(frozen=True)
class Word:
    """A term in a place, by their numbers, and how well it fitted when it was chosen."""

    term: int
    place: int
    score: float

    @property
    def name(self) -> str:
        return NAMES[self.term]


def describe(plate: np.ndarray, cls: int, table: Table, count: int = 1, *, whole: bool = False) -> list[Word]:
    """The best words for a region of a class from what the region shows, without any label: amount times log lift.

    The lift is over the whole object and over the same place in all pictures, whichever is less: a word says what is
    special about the place on this object, and about this object at the place. Where nothing is both, the place is
    compared alone: what an object has elsewhere, too, can still be far more common there than in other classes. A
    `whole` object, or most of it, leaves no rest to compare it with. Of such words the clearer question wins: that of
    which a picture shows much or next to nothing.
    """
    if not plate.any():  # all of it lies outside the frame, far from small objects
        return []
    mean = table.means[cls]
    region = plate / max(float(plate.max()), 1e-9)
    amount = (mean * region).sum(axis=(1, 2)) / region.sum()
    outline = table.outline
    usual = (mean * outline).sum(axis=(1, 2)) / outline.sum()
    elsewhere = (table.average * region).sum(axis=(1, 2)) / region.sum()
    if whole or area_of(plate) >= WHOLE:
        usual = elsewhere
    lift = np.log((amount + FAINT) / (np.maximum(usual, elsewhere) + FAINT))
    found = _fitting(amount * lift, cls, region, table)
    if not found:
        others = (len(table.means) * elsewhere - amount) / max(len(table.means) - 1, 1)
        far = np.log((amount + FAINT) / (others + FAINT)) >= FAR_MORE
        lift = np.log((amount + FAINT) / (elsewhere + FAINT))
        found = _fitting(np.where(far, amount * lift, 0), cls, region, table)
    return found[:count]


def _fitting(strength: np.ndarray, cls: int, region: np.ndarray, table: Table) -> list[Word]:
    """The words that are strong enough in a place that covers the region, and no chance there, the best first."""
    mean, errors = table.means[cls], table.errors.get(cls)
    found = []
    for place in around(region, table.places):
        top, bottom, left, right = table.places[place].box()
        seen = mean[:, top:bottom, left:right]
        within = (seen * region[top:bottom, left:right]).sum(axis=(1, 2)) / np.maximum(seen.sum(axis=(1, 2)), 1e-9)
        fits = strength * within / _PLAINNESS
        score = fits * table.clear[:, place] ** CLEAR
        good = (within >= WITHIN) & (fits >= LEAST)
        if errors is not None:
            good &= errors[:, place] >= CHANCE
        found += [Word(int(t), int(place), float(score[t])) for t in np.nonzero(good)[0]]
    return sorted(found, key=lambda word: -word.score)
