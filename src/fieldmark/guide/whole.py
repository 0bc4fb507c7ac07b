"""Marks that are the object itself: a class that is known by the colour of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.areas import Areas
from fieldmark.guide.bench import Bench
from fieldmark.guide.causes import DECIDES, mean
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said
from fieldmark.guide.marks import Candidate, make_candidate
from fieldmark.guide.regions import Region

PICTURES = 12  # a class, of those that marks are discovered in


@dataclass(frozen=True, eq=False)
class Wholes:
    """Where objects are dyed to see who goes by their colour; `groups` are the discovery pictures of each class."""

    classifier: Classifier
    studio: Studio
    said: Said
    groups: dict[int, np.ndarray]
    seed: int

    def among(self, found: Sequence[Candidate]) -> list[Candidate]:
        """The marks without those of whole objects that are not seen by dyeing, and with all those that are."""
        if self.studio.placed.poses.kind == "picture" or len(self.groups) < 2:
            return list(found)
        tested = {cls: rows[:PICTURES] for cls, rows in self.groups.items()}
        rng = np.random.default_rng(self.seed)
        bench = Bench(self.classifier, Areas(self.studio), self.said, (), tested, rng)
        dyed = {cls for cls in tested if goes_by_colour(bench, cls)}
        kept = [mark for mark in found if not mark.whole or mark.cls in dyed]
        new = dyed - {mark.cls for mark in kept if mark.whole}
        return sorted([*kept, *(self._object(cls) for cls in new)], key=lambda m: (m.cls, -m.share * m.coverage))

    def _object(self, cls: int) -> Candidate:
        placed, bodies = self.studio.placed, self.studio.bodies
        regions = [Region(int(i), placed.objects.masks[i], 1.0, bodies[i]) for i in self.groups[cls]]
        return make_candidate(cls, regions, 1.0, placed.poses, bodies)


def goes_by_colour(bench: Bench, cls: int) -> bool:
    """Whether the network calls a class's objects otherwise when they are dyed as those of most other classes are.

    What happens when they are dyed as others of their own class are is taken off. That one other class is known by its
    colour says nothing of this one.
    """
    rows = bench.tested[cls]
    shares = [mean(bench.dyed(rows, cls, pool)[1] != cls) for other, pool in bench.tested.items() if other != cls]
    return float(np.median(shares)) - mean(bench.dyed(rows, cls, rows)[1] != cls) >= DECIDES
