"""Marks that are the object itself: a class that is known by the colour of all of it, or by its outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.areas import Areas
from fieldmark.guide.bench import Bench
from fieldmark.guide.causes import DECIDES, mean
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said
from fieldmark.guide.marks import Candidate, make_candidate
from fieldmark.guide.observer import words_of
from fieldmark.guide.places import Table
from fieldmark.guide.regions import Region
from fieldmark.guide.vocabulary import kind_of

PICTURES, OTHERS = 8, 5  # of a class, of those that marks are discovered in; other classes that it is made like


@dataclass(frozen=True, eq=False)
class Wholes:
    """Where objects are dyed and reshaped to see what classes go by; `groups` are the discovery pictures of each."""

    classifier: Classifier
    studio: Studio
    said: Said
    groups: dict[int, np.ndarray]
    seed: int

    def among(self, found: Sequence[Candidate], table: Table) -> list[Candidate]:
        """The marks without those of whole objects that are not seen by dyeing, and with all that are seen so.

        Dyeing leaves textures as they are: a whole object that is told by one stays a mark, if not a proved one.
        """
        if self.studio.placed.poses.kind == "picture" or len(self.groups) < 2:
            return list(found)
        tested = {cls: rows[:PICTURES] for cls, rows in self.groups.items()}
        rng = np.random.default_rng(self.seed)
        bench = Bench(self.classifier, Areas(self.studio), self.said, (), tested, rng)
        dyed, shaped = ({c for c in tested if goes_by(bench, c, a)} for a in (self.studio.dyed, self.studio.reshaped))
        kept = [mark for mark in found if not mark.whole or mark.cls in dyed or _of_a_shape(mark, table)]
        new = dyed - {mark.cls for mark in kept if mark.whole}
        kept += [replace(self._object(cls), whole=True) for cls in sorted(new)]
        kept += [replace(self._object(cls), outline=True, whole=True) for cls in sorted(shaped)]
        return sorted(kept, key=lambda mark: (mark.cls, -mark.share * mark.coverage))

    def _object(self, cls: int) -> Candidate:
        placed, bodies = self.studio.placed, self.studio.bodies
        regions = [Region(int(i), placed.objects.masks[i], 1.0, bodies[i]) for i in self.groups[cls]]
        return make_candidate(cls, regions, 1.0, placed.poses, bodies)


def goes_by(bench: Bench, cls: int, alter: Callable[[int, int], np.ndarray]) -> bool:
    """Whether the network calls a class's objects otherwise when they are altered to be as those of most classes are.

    What happens when they are made like others of their own class is taken off. That one other class is known by its
    colour, or its outline, says nothing of this one.
    """
    rows = bench.tested[cls]
    others = [pool for other, pool in bench.tested.items() if other != cls]
    some = np.unique(np.linspace(0, len(others) - 1, OTHERS).round().astype(int))
    shares = [mean(bench.lent(rows, cls, others[k], alter, count=1)[1] != cls) for k in some]
    most = float(np.sort(shares)[(len(shares) - 1) // 2])
    return most - mean(bench.lent(rows, cls, rows, alter)[1] != cls) >= DECIDES


def _of_a_shape(mark: Candidate, table: Table) -> bool:
    return any(kind_of(word.name) == "shape" for word in words_of(mark, table))
