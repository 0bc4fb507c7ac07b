"""Does the network really go by a mark? Erase it, put it on others, and compare with the same done to another place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.bench import Bench
from fieldmark.guide.chance import benjamini_hochberg, sign_flip
from fieldmark.guide.marks import Candidate
from fieldmark.progress import track

LOGITS = 0.5  # an effect below this above twice the control's is none
MATTERS = 0.3  # of the margin that a mark must take with it, or of the pictures that must be called otherwise


@dataclass(frozen=True)
class Effect:
    """What erasing or transplanting does on n pictures of the hold-out, beside its control.

    drop, control_drop   mean fall of the class's margin, in logits
    flips, control_flips share of pictures that are then called something else
    p                    of the paired sign-flip test, mark against control
    swapped, swap_control share of pictures of other classes that become this class when their own marks are erased
                         and all marks of this class put in; and when the same places of another class's are put in
    added, add_control   the same of this mark alone, without erasing
    lost                 the drop beyond the control's, as a share of the margin that there was
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
    lost: float = 0.0


def examine(bench: Bench) -> list[Effect]:
    """The effects of the bench's marks, in their order."""
    swaps = {cls: transplanted(bench, cls, None) for cls in sorted({mark.cls for mark in bench.marks})}
    return [effect_of(bench, mark, swaps[mark.cls]) for mark in track(bench.marks, label="Proof")]


def accepted(effects: Sequence[Effect]) -> np.ndarray:
    """(marks,) bool: the effect is larger than the control's, by the test and by size, and two fills agree."""
    p = np.array([effect.p for effect in effects])
    large = [
        e.drop > 2 * max(e.control_drop, 0) + LOGITS
        and e.fills_agree
        and max(e.lost, e.flips - e.control_flips) >= MATTERS
        for e in effects
    ]
    return benjamini_hochberg(p) & np.array(large, bool)


def effect_of(bench: Bench, mark: Candidate, swaps: tuple[float, float]) -> Effect:
    own = bench.tested.get(mark.cls, np.zeros(0, int))
    regions = [bench.areas.of(mark, int(i)) for i in own]
    drops, named = bench.erased(own, regions, mark.cls, [mark])
    moved, moved_flips = bench.controls(own, regions, mark.cls)
    typical = np.median(drops, axis=0)
    added, add_control = transplanted(bench, mark.cls, mark)
    return Effect(
        n=len(own),
        drop=mean(typical),
        control_drop=mean(moved),
        flips=mean(np.median(named != mark.cls, axis=0) > 0.5),
        control_flips=mean(moved_flips),
        p=sign_flip(typical - moved, 0),
        fills_agree=bool(len(own)) and int(((drops - moved).mean(axis=1) > LOGITS).sum()) >= 2,
        swapped=swaps[0],
        swap_control=swaps[1],
        added=added,
        add_control=add_control,
        lost=mean(typical - moved) / max(mean(bench.said.margins[own]), 1e-6),
    )


def transplanted(bench: Bench, cls: int, mark: Candidate | None) -> tuple[float, float]:
    """Shares of other classes' pictures called the class: with its mark put in, and with the same place of strangers'.

    Without a mark: all of the class's marks are put in, and what speaks for the pictures' own class is erased first.
    """
    edits, controls = [], []
    wanted = bench.of(cls) if mark is None else [mark]
    for i in bench.some(bench.others(cls)):
        source, stranger = bench.source(cls, int(i)), bench.stranger(cls, int(i))
        if source is None:
            continue
        base = None
        if mark is None:
            own = bench.areas.union(bench.of(int(bench.said.predicted[i])), int(i))
            base = bench.studio.erased(int(i), own, "inpaint")
            area = bench.areas.union(wanted, source)
        else:
            area = bench.areas.of(mark, source)
        region = bench.studio.carried(area, source, int(i))
        for each in wanted:
            region = region | bench.areas.place(each, int(i))
        edits.append(bench.studio.with_part_of(int(i), source, region, base, area))
        if stranger is not None:
            controls.append(bench.studio.with_part_of(int(i), stranger, region, base))
    return _share(bench, edits, cls), _share(bench, controls, cls)


def _share(bench: Bench, edits: Sequence[np.ndarray], cls: int) -> float:
    return mean(bench.scores(edits).argmax(axis=1) == cls) if len(edits) else 0.0


def mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
