"""What a class must not have: the mark of another class, missing where the network looks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.bench import Bench
from fieldmark.guide.causes import LOGITS, Effect, mean
from fieldmark.guide.chance import sign_flip
from fieldmark.guide.evidence import margins
from fieldmark.guide.marks import Candidate

THERE = 0.4  # cosine of the place that speaks for a class with that of another class's mark
MISSING = 0.5  # of what a mark's own class shows of it: a class that shows less has it not


@dataclass(frozen=True, eq=False)
class Absence:
    """A class whose pictures speak by the absence of a mark of other classes; `effect` is that of putting it in."""

    cls: int
    mark: Candidate
    effect: Effect


def absences(bench: Bench, marks: Sequence[Candidate], proved: np.ndarray) -> list[Absence]:
    """For every unproved mark of a class at the place of a proved mark that it lacks: that mark put in.

    The strongest mark at the place stands for all; whether it counts is for `causes.accepted` to say.
    """
    found = []
    strong = [mark for mark, good in zip(marks, proved, strict=True) if good and not mark.whole]
    for cls in sorted({mark.cls for mark in marks} & set(bench.tested)):
        seen: list[Candidate] = []
        for own in (mark for mark, good in zip(marks, proved, strict=True) if mark.cls == cls and not good):
            rivals = [mark for mark in strong if mark.cls != cls and cosine(mark, own) >= THERE]
            rivals = [mark for mark in rivals if lacks(bench, cls, mark) and mark not in seen]
            if rivals and not any(cosine(rivals[0], old) >= THERE for old in seen):
                best = max(rivals, key=lambda mark: mark.share * mark.coverage)
                seen.append(best)
                found.append(Absence(cls, best, put_in(bench, cls, best)))
    return found


def lacks(bench: Bench, cls: int, mark: Candidate) -> bool:
    """Whether pictures of a class show clearly less at the mark's place than those of its own class."""
    own, other = (
        float(np.median([bench.shows(mark, int(i)) for i in bench.tested.get(which, np.zeros(0, int))] or [0.0]))
        for which in (mark.cls, cls)
    )
    return own > 0 and other < MISSING * own


def put_in(bench: Bench, cls: int, mark: Candidate) -> Effect:
    """What putting the mark on pictures of a class does; control: the same place of other pictures of the class."""
    rows = bench.tested[cls]
    edits, controls = [], []
    for i in rows:
        source = bench.source(mark.cls, int(i))
        assert source is not None
        area = bench.areas.of(mark, source)
        region = bench.studio.carried(area, source, int(i)) | bench.areas.place(mark, int(i))
        peers = rows[rows != i] if len(rows) > 1 else rows
        edits.append(bench.studio.with_part_of(int(i), source, region, area=area))
        controls.append(bench.studio.with_part_of(int(i), int(bench.rng.choice(peers)), region))
    before = bench.said.margins[rows]
    after, moved = (bench.scores(some) for some in (edits, controls))
    drop, control = (before - margins(scores, np.full(len(rows), cls)) for scores in (after, moved))
    flips, moved_flips = (mean(scores.argmax(axis=1) != cls) for scores in (after, moved))
    return Effect(
        n=len(rows),
        drop=mean(drop),
        control_drop=mean(control),
        flips=flips,
        control_flips=moved_flips,
        p=sign_flip(drop - control, 0),
        fills_agree=bool(mean(drop - control) > LOGITS),
        swapped=0.0,
        swap_control=0.0,
        added=mean(after.argmax(axis=1) == mark.cls),
        add_control=mean(moved.argmax(axis=1) == mark.cls),
        lost=mean(drop - control) / max(mean(before), 1e-6),
    )


def cosine(one: Candidate, other: Candidate) -> float:
    """How alike two places in the frame are: 0 to 1."""
    norms = float(np.linalg.norm(one.plate) * np.linalg.norm(other.plate))
    return float((one.plate * other.plate).sum()) / norms if norms > 0 else 0.0
