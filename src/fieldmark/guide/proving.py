"""All that is proved of a network's marks: one by one, all of a class at once, and by what a class must not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.absence import Absence, absences
from fieldmark.guide.areas import Areas, by_picture
from fieldmark.guide.bench import Bench, choose_tested
from fieldmark.guide.causes import DECIDES, Effect, accepted, examine
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said
from fieldmark.guide.marks import Candidate
from fieldmark.guide.second import regions_of
from fieldmark.guide.together import Default, Together, default_of, erase_together

OWN = 0.5  # of a mark's pixels: one with less, and without a proof of its own, is a stronger mark seen once more


@dataclass(frozen=True, eq=False)
class Proof:
    """Of each mark its effect and whether it is accepted; the absences that are; of each class the joint erase.

    again  (marks,) bool: unproved marks that are mostly a stronger one's pixels
    """

    bench: Bench
    effects: tuple[Effect, ...]
    accepted: np.ndarray
    again: np.ndarray
    absences: tuple[Absence, ...]
    together: dict[int, Together]
    default: Default | None

    def proved(self) -> set[int]:
        """The classes with a proved mark, and the one that is left without marks."""
        found = {mark.cls for mark, good in zip(self.bench.marks, self.accepted, strict=True) if good}
        return found | {each.cls for each in self.absences} | ({self.default.cls} if self.default else set())


def prove(
    classifier: Classifier,
    studio: Studio,
    said: Said,
    marks: Sequence[Candidate],
    told: np.ndarray,
    hold_out: np.ndarray,
    seed: int,
) -> Proof:
    """Everything by pictures of the hold-out that nothing was learned from.

    `told` (marks,) bool are those by whose words the class is told: what others show as much of speaks by something
    that is missing. Marks that were seen only on a second look have to decide.
    """
    tested = choose_tested(hold_out, said, seed)
    rows = np.concatenate([*tested.values(), np.zeros(0, int)]).astype(int)
    areas = Areas(studio, by_picture(regions_of(classifier, studio, said, rows)), tuple(marks))
    bench = Bench(classifier, areas, said, tuple(marks), tested, np.random.default_rng(seed))
    effects = examine(bench)
    decides = [
        not mark.after or max(e.flips - e.control_flips, e.lost) >= DECIDES
        for mark, e in zip(marks, effects, strict=True)
    ]
    good = accepted(effects) & np.array(decides, bool) & told
    left = [areas.left(mark, tested.get(mark.cls, np.zeros(0, int))) for mark in marks]
    missing = absences(bench, marks, good)
    without = accepted([each.effect for each in missing])
    together = erase_together(bench, [mark for mark, fine in zip(marks, good, strict=True) if fine])
    return Proof(
        bench=bench,
        effects=tuple(effects),
        accepted=good,
        again=~good & (np.array(left) < OWN),
        absences=tuple(each for each, fine in zip(missing, without, strict=True) if fine),
        together=together,
        default=default_of(together),
    )
