"""Does the network really go by a mark? Erase it, put it on others, and compare with the same done to another place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.guide.bench import Bench
from fieldmark.guide.chance import benjamini_hochberg, sign_flip
from fieldmark.guide.edits import FILLS
from fieldmark.guide.evidence import margins
from fieldmark.guide.marks import Candidate
from fieldmark.progress import track

LOGITS = 0.5  # an effect below this above twice the control's is none
MATTERS = 0.3  # of the margin that a mark must take with it, or of the pictures that must be called otherwise
AGREEING = 2  # ways of erasing
FEW = 8  # pictures without the mark: with fewer, all of the others are taken
DECIDES = (
    0.5  # of the pictures: a mark with so many flips needs no other proof; with fewer it must bring its class, too
)


@dataclass(frozen=True)
class Effect:
    """What erasing or transplanting does on n pictures of the hold-out, beside its control.

    drop, control_drop   mean fall of the class's margin, in logits
    flips, control_flips share of pictures that are then called something else: when erased in two ways at least, since
                         any one way may fail for reasons of its own (a stump is left, a donor lies askew)
    p                    of the paired sign-flip test, mark against control
    swapped, swap_control share of pictures of other classes that become this class when their own marks are erased
                         and all marks of this class put in; and when the same places of another class's are put in
    added, add_control   the same of this mark alone, without erasing
    lost                 the drop beyond the control's, as a share of the margin that there was
    gain                 median rise of the class's margin in others that get the mark, beyond the control's, in logits
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
    gain: float = 0.0


def examine(bench: Bench) -> list[Effect]:
    """The effects of the bench's marks, in their order."""
    swaps = {cls: transplanted(bench, cls) for cls in sorted({mark.cls for mark in bench.marks})}
    return [effect_of(bench, mark, swaps[mark.cls]) for mark in track(bench.marks, label="Proof")]


def accepted(effects: Sequence[Effect]) -> np.ndarray:
    """(marks,) bool: the effect is larger than the control's, by the test and by size, and most fills agree.

    Among them must be one that borrows nothing: what a donor lends may be a mark of its own."""
    p = np.array([effect.p for effect in effects])
    large = [
        e.drop > 2 * max(e.control_drop, 0) + LOGITS
        and e.fills_agree
        and max(e.lost, e.flips - e.control_flips) >= MATTERS
        and (e.flips - e.control_flips >= DECIDES or e.gain > LOGITS)
        for e in effects
    ]
    return benjamini_hochberg(p) & np.array(large, bool)


def effect_of(bench: Bench, mark: Candidate, swaps: tuple[float, float]) -> Effect:
    own = bench.tested.get(mark.cls, np.zeros(0, int))
    drops, named, moved, moved_flips = bench.without(own, mark.cls, [mark])
    typical, agree = np.median(drops, axis=0), (drops - moved).mean(axis=1) > LOGITS
    added, add_control, gain = put_on_others(bench, mark)
    return Effect(
        n=len(own),
        drop=mean(typical),
        control_drop=mean(moved),
        flips=mean(turned(named, mark.cls)),
        control_flips=mean(moved_flips),
        p=sign_flip(typical - moved, 0),
        fills_agree=bool(len(own)) and float(agree.mean()) > 0.5 and bool(agree[: len(FILLS)].any()),
        swapped=swaps[0],
        swap_control=swaps[1],
        added=added,
        add_control=add_control,
        lost=mean(typical - moved) / max(mean(bench.said.margins[own]), 1e-6),
        gain=gain,
    )


def turned(named: np.ndarray, cls: int) -> np.ndarray:
    """(n,) bool: pictures that two ways or more make called something else; named (ways, n) classes."""
    return (named != cls).sum(axis=0) >= AGREEING


def transplanted(bench: Bench, cls: int) -> tuple[float, float]:
    """Shares of other classes' pictures called the class when what speaks for their own is erased and its marks put in.

    The second: when the same places of strangers' are put in.
    """
    bases = {}
    for i in bench.some(bench.others(cls)):
        own = bench.areas.union(bench.of(int(bench.said.predicted[i])), int(i))
        bases[int(i)] = bench.studio.erased(int(i), own, "inpaint")
    edits, controls = _with_marks(bench, cls, bench.of(cls), bases)
    return tuple(mean(_named(bench, some) == cls) for some in (edits, controls))  # type: ignore[return-value]


def put_on_others(bench: Bench, mark: Candidate) -> tuple[float, float, float]:
    """Shares of others called the mark's class when it alone is put on them, and strangers' same place; the gain."""
    own = bench.tested.get(mark.cls, np.zeros(0, int))
    if len(own) == 0:
        return 0.0, 0.0, 0.0
    shown = float(np.median([bench.shows(mark, int(i)) for i in own]))
    others = bench.others(mark.cls)
    lacking = [i for i in others if bench.shows(mark, int(i)) < 0.5 * shown]
    rows = bench.some(np.array(lacking, int) if len(lacking) >= FEW else others)
    edits, controls = _with_marks(bench, mark.cls, [mark], {int(i): None for i in rows})
    if not edits or not controls:
        return 0.0, 0.0, 0.0
    after, moved = bench.scores(edits), bench.scores(controls)
    cls = np.full(len(after), mark.cls)
    gain = float(np.median(margins(after, cls) - margins(moved, cls)))
    return mean(after.argmax(axis=1) == mark.cls), mean(moved.argmax(axis=1) == mark.cls), gain


def _with_marks(
    bench: Bench, cls: int, marks: Sequence[Candidate], bases: Mapping[int, np.ndarray | None]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures (or edits of them) with marks of the best source of the class, and with the same places of strangers.

    Where the object's colour is one of them, or the object itself the only one, the picture's own object in the colour,
    or the outline, of the source, and of the stranger.
    """
    edits, controls = [], []
    alter, dyes = bench.altered(marks), any(mark.whole and not mark.outline for mark in marks)
    marks = [] if dyes else [mark for mark in marks if not mark.whole]
    for i, base in bases.items():
        source, stranger = bench.source(cls, i), bench.stranger(cls, i)
        if source is None or stranger is None:
            continue
        if not marks:
            edits.append(alter(i, source))
            controls.append(alter(i, stranger))
            continue
        alone = len(marks) == 1 and base is None
        area = bench.areas.of(marks[0], source) if alone else bench.areas.union(marks, source)
        region = bench.studio.carried(area, source, i)
        for mark in marks:
            region = region | bench.areas.place(mark, i)
        edits.append(bench.studio.with_part_of(i, source, region, base, area))
        controls.append(bench.studio.with_part_of(i, stranger, region, base))
    return edits, controls


def _named(bench: Bench, edits: Sequence[np.ndarray]) -> np.ndarray:
    return bench.scores(edits).argmax(axis=1) if len(edits) else np.zeros(0, int)


def mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
