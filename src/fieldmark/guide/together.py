"""All marks of a class erased at once: what becomes of its pictures, and which class needs no mark at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.bench import Bench
from fieldmark.guide.causes import mean, turned
from fieldmark.guide.marks import Candidate

MOSTLY = 0.5  # of the pictures of other classes that become one class without their marks: it is the default
LEAST = 2  # classes that must lose their pictures to it


@dataclass(frozen=True)
class Together:
    """What erasing all proved marks of a class at once does on n of its hold-out pictures.

    flips   share that is then called something else; `control_flips`: when as much is erased elsewhere
    lost    the fall of the margin beyond the control's, as a share of the margin
    called  share that is then called each class, by most fills; 0 where objects were altered: what they are
            called then is the class that lent its colour or outline, not what is left without marks
    """

    n: int
    flips: float
    control_flips: float
    lost: float
    called: tuple[float, ...]


@dataclass(frozen=True)
class Default:
    """The class that is left: `share` of n pictures of other classes become it when their marks are erased.

    kept  share of its own margin that is left when its own proved marks are erased; 1 where it has none
    """

    cls: int
    n: int
    share: float
    kept: float


def erase_together(bench: Bench, marks: Sequence[Candidate]) -> dict[int, Together]:
    """For every class that has any of the marks: what is left of it without them."""
    found = {}
    for cls in sorted({mark.cls for mark in marks} & set(bench.tested)):
        rows, own = bench.tested[cls], [mark for mark in marks if mark.cls == cls]
        drops, named, moved, moved_flips = bench.without(rows, cls, own)
        counts = np.zeros(bench.said.scores.shape[1])
        for column in named.T if not all(mark.whole for mark in own) else ():
            classes, times = np.unique(column, return_counts=True)
            counts[classes[times.argmax()]] += times.max() > len(column) / 2
        found[cls] = Together(
            n=len(rows),
            flips=mean(turned(named, cls)),
            control_flips=mean(moved_flips),
            lost=mean(np.median(drops, axis=0) - moved) / max(mean(bench.said.margins[rows]), 1e-6),
            called=tuple(float(count) / len(rows) for count in counts),
        )
    return found


def default_of(together: Mapping[int, Together]) -> Default | None:
    """The class that most pictures of the others become without their marks, if one does."""
    found = []
    for cls in range(max((len(each.called) for each in together.values()), default=0)):
        others = [each for other, each in together.items() if other != cls]
        n = sum(each.n for each in others)
        share = sum(each.n * each.called[cls] for each in others) / max(n, 1)
        losing = sum(each.called[cls] >= MOSTLY for each in others)
        if share >= MOSTLY and losing >= LEAST:
            kept = 1 - together[cls].lost if cls in together else 1.0
            found.append(Default(cls, n, share, kept))
    return max(found, key=lambda each: each.share, default=None)
