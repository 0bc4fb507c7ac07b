"""What a user must know first: what the network goes by that is not on the object, said class by class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.areas import Areas, by_picture
from fieldmark.guide.bench import EXAMPLES, Bench, choose_tested
from fieldmark.guide.causes import Effect, accepted, examine
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said
from fieldmark.guide.mark import Example, Mark
from fieldmark.guide.marks import Candidate
from fieldmark.guide.observer import Split
from fieldmark.guide.pictures import resized
from fieldmark.guide.regions import Region
from fieldmark.guide.surroundings import OUTSIDE, Spot, Surroundings, colour_of, near, rim_colour, spot_of
from fieldmark.guide.swaps import LEAST, Cue, Swaps

MOSTLY = 0.5  # of the effect of a background, which a mark or the rim must have to be the reason
NAMED = 8  # classes that a sentence names


@dataclass(frozen=True, eq=False)
class Suspects:
    """Accepted marks beside the objects, and a sentence for everything that is suspicious.

    elsewhere  share of the classes for which it is nowhere in particular: a background, or how sharp the picture is
    """

    marks: tuple[Mark, ...] = ()
    sentences: tuple[str, ...] = ()
    elsewhere: float = 0.0


NOTHING = Suspects()


@dataclass(frozen=True, eq=False)
class Search:
    """Where suspects are looked for; `regions` finds those of the evidence in more pictures."""

    classifier: Classifier
    studio: Studio
    said: Said
    split: Split
    groups: dict[int, np.ndarray]
    seed: int
    find_regions: Callable[[Studio, np.ndarray], list[Region]]

    def suspects(self, regions: Sequence[Region]) -> Suspects:
        """All of them; `regions` are those of the discovery pictures."""
        labels = self.classifier.labels
        beside = self._beside(regions)
        rows = np.concatenate([self.split.calibrate, self.split.hold_out])
        cues = Swaps(self.classifier, self.studio, self.said, rows, self.seed).cues()
        spots: dict[int, list[tuple[float, bool]]] = {cls: [] for cls in self.groups}
        for mark, spot in beside:
            spots[labels.index(mark.classes[0])].append((mark.proof.flips, spot.around))
        rims = [
            cue
            for cue in cues
            if cue.kind == "rim"
            and cue.changed > max((flips for flips, around in spots[cue.cls] if not around), default=0.0)
        ]
        known = {cls: sum(flips for flips, _ in each) for cls, each in spots.items()}
        known |= {cue.cls: cue.changed for cue in rims}
        grounds = [cue for cue in cues if cue.kind == "background" and known[cue.cls] < MOSTLY * cue.changed]
        hues = {cue.cls for cue in cues if cue.kind == "colour"}
        focus = [cue for cue in cues if cue.kind in ("sharp", "blur")]
        framed = {labels[cue.cls] for cue in rims}
        said = [of_mark(mark, spot) for mark, spot in beside if not (spot.on_rim and mark.classes[0] in framed)]
        said += [of_rim(cue, labels[cue.cls], rim_colour(self.studio, self.groups[cue.cls])) for cue in rims]
        said += of_background([cue for cue in grounds if cue.cls in hues], labels, ", and its colour alone does it")
        said += of_background([cue for cue in grounds if cue.cls not in hues], labels, "")
        said += [of_sharpness(cue, labels[cue.cls]) for cue in focus]
        elsewhere = len({cue.cls for cue in grounds + focus}) / max(len(self.groups), 1)
        return Suspects(tuple(mark for mark, _ in beside), tuple(said), elsewhere)

    def _beside(self, regions: Sequence[Region]) -> list[tuple[Mark, Spot]]:
        """The accepted marks beside the objects that change the network's mind, and where in the picture each is."""
        beside = Surroundings.of(self.studio)
        candidates = [] if beside is None else beside.marks(regions, self.said.predicted, self.groups)
        if beside is None or not candidates:
            return []
        tested = choose_tested(self.split.hold_out, self.said, self.seed)
        rows = np.concatenate([tested.get(cls, np.zeros(0, int)) for cls in sorted({mark.cls for mark in candidates})])
        areas = Areas(beside.studio, by_picture(self.find_regions(self.studio, rows)))
        bench = Bench(self.classifier, areas, self.said, tuple(candidates), tested, np.random.default_rng(self.seed))
        effects = examine(bench)
        found = []
        for mark, effect, good in zip(candidates, effects, accepted(effects), strict=True):
            if good and effect.flips - effect.control_flips >= LEAST:
                spot = spot_of(mark, self.studio.pictures.shape)
                found.append((self._mark(mark, effect, spot.words, bench, beside), spot))
        return found

    def _mark(self, mark: Candidate, effect: Effect, where: str, bench: Bench, beside: Surroundings) -> Mark:
        colour, shape = colour_of(mark, self.studio), self.studio.images.shape[1:3]
        examples = [
            Example(int(i), resized(bench.areas.of(mark, int(i)).astype(np.float32), shape) >= 0.5)
            for i in bench.tested.get(mark.cls, ())[:EXAMPLES]
        ]
        inside = np.mean([(r.mask & near(self.studio, r.image)).sum() / r.mask.sum() for r in mark.regions])
        return Mark(
            classes=(self.classifier.labels[mark.cls],),
            words=f"{colour[:1].upper()}{colour[1:]}, {where}, beside the object",
            terms=(colour,),
            where=where,
            effect=effect.drop,
            control=effect.control_drop,
            proof=effect,
            accepted=True,
            coverage=mark.coverage,
            share=mark.share,
            inside=float(inside),
            plate=mark.plate,
            examples=tuple(examples),
            ground=beside.mean_picture(self.groups[mark.cls]),
        )


def astray(
    marks: Sequence[Mark], candidates: Sequence[Candidate], studio: Studio, suspects: Suspects = NOTHING
) -> tuple[str, ...]:
    """A sentence for every proved mark of the objects' frame that is beside the object all the same.

    Where its class has a mark in the frame of the picture, that is what it is.
    """
    if studio.placed.poses.kind == "picture":
        return ()
    found, known = [], {name for mark in suspects.marks for name in mark.classes}
    for mark, candidate in zip(marks, candidates, strict=True):
        inside = [(r.mask & near(studio, r.image)).sum() / r.mask.sum() for r in candidate.regions]
        matters = mark.accepted and mark.proof.flips - mark.proof.control_flips >= LEAST
        if matters and mark.classes[0] not in known and float(np.mean(inside)) < OUTSIDE:
            found.append(
                f"for {mark.classes[0]} the network reads something beside the object ({mark.words}): erasing it "
                f"changes its mind on {mark.proof.flips:.0%} of the pictures"
            )
    return tuple(found)


def of_mark(mark: Mark, spot: Spot) -> str:
    stays = "always in the same place" if spot.fixed else "beside the object"
    return (
        f"for {mark.classes[0]} the network reads something {mark.terms[0]} {mark.where}, {stays}: erasing it changes "
        f"its mind on {mark.proof.flips:.0%} of the pictures (erasing as much elsewhere beside the object: "
        f"{mark.proof.control_flips:.0%})"
    )


def of_rim(cue: Cue, name: str, colour: str) -> str:
    return (
        f"for {name} the network reads the {colour + ' ' if colour else ''}rim of the picture: with the rim of other "
        f"classes' pictures {cue.changed:.0%} are called something else (the ring within it, or the rim of pictures of "
        f"its own class: {cue.control:.0%}; difference {_interval(cue)})"
    )


def of_background(cues: Sequence[Cue], labels: Sequence[str], ending: str) -> list[str]:
    if not cues:
        return []
    return [
        f"for {_names([labels[cue.cls] for cue in cues])} the network goes by the background{ending}: before "
        f"backgrounds of other classes {_span([cue.changed for cue in cues])} of the pictures are called something "
        f"else (before others of the own class: {_span([cue.control for cue in cues])}; "
        f"difference {_interval(min(cues, key=lambda cue: cue.effect))})"
    ]


def of_sharpness(cue: Cue, name: str) -> str:
    if cue.kind == "sharp":
        how = f"sharp: blurred to how other classes are, {cue.changed:.0%} are called something else"
    else:
        how = f"blurred: blurred as much, {cue.changed:.0%} of other classes' pictures are called {name}"
    return (
        f"for {name} the network goes by pictures being {how} (as large a change elsewhere: {cue.control:.0%}; "
        f"difference {_interval(cue)})"
    )


def _interval(cue: Cue) -> str:
    return f"{cue.effect:.0%}, 95 % interval {cue.low:.0%} to {cue.high:.0%}"


def _span(shares: Sequence[float]) -> str:
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return low if low == high else f"{low} to {high}"


def _names(names: Sequence[str]) -> str:
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED} more classes")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
