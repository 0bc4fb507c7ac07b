"""The stages of a guide, in order: objects, evidence, marks, words, proof, key, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.album import confusions, keep_pictures
from fieldmark.guide.asking import Asked, ask
from fieldmark.guide.bench import EXAMPLES, Bench
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import EvidenceBy, Said, evidence
from fieldmark.guide.frame import Frame, learn_frame
from fieldmark.guide.loose import find_all
from fieldmark.guide.mark import Example, Key, Lack, Mark, question
from fieldmark.guide.marks import CANVAS, Candidate, find_marks
from fieldmark.guide.naming import Directions, directions, sentence, size_of
from fieldmark.guide.observer import Split, described, tells, words_of
from fieldmark.guide.pictures import Pictures, resized
from fieldmark.guide.places import Table, tabulate
from fieldmark.guide.placing import Placed
from fieldmark.guide.pose import Poses, to_canvas
from fieldmark.guide.proving import Proof, prove
from fieldmark.guide.regions import Region
from fieldmark.guide.second import new_ones, regions_of, second_look
from fieldmark.guide.suspicions import Search, Suspects, astray
from fieldmark.guide.verdict import Findings, stability, top_share, verdict
from fieldmark.guide.vocabulary import kind_of
from fieldmark.guide.whole import Wholes
from fieldmark.guide.words import TEXTURES, Word

if TYPE_CHECKING:
    from fieldmark.guide.guide import FieldGuide

HALF = 0.5  # of the chosen word's score: what else is worth saying of a mark
SPOTTED = 0.25  # the same for the colour of spots: people ask for it


@dataclass(frozen=True, eq=False)
class Seen:
    """What the images show whatever a network says of them: the pictures, and their objects in a frame."""

    pictures: Pictures
    frame: Frame
    placed: Placed

    @classmethod
    def of(cls, images: np.ndarray, rows: np.ndarray) -> Seen:
        """The frame is learned from `rows` of the images (n, h, w, c)."""
        pictures = Pictures.of(images)
        frame = learn_frame(pictures.select(rows))
        return cls(pictures, frame, frame.place(pictures))


@dataclass(frozen=True, eq=False)
class LaidOut:
    """All that marks are looked for in; `groups` are the discovery pictures of each class."""

    frame: Frame
    shared: np.ndarray
    groups: dict[int, np.ndarray]
    table: Table
    studio: Studio
    regions: tuple[Region, ...]


@dataclass(frozen=True, eq=False)
class Making:
    """All that a guide is made from."""

    classifier: Classifier
    images: np.ndarray
    said: Said
    split: Split
    left_out: tuple[str, ...]
    ends: tuple[str, str] | None
    seed: int
    seen: Seen | None = None  # of these images, where another guide has it already
    evidence_by: EvidenceBy = evidence

    def guide(self, cls: type[FieldGuide]) -> FieldGuide:
        return self.from_laid_out(cls, self.lay_out())

    def lay_out(self) -> LaidOut:
        """The pictures with their objects in one frame, in words, and the regions of the evidence: no mark yet."""
        discover, predicted = self.split.discover, self.said.predicted
        seen = self.seen or Seen.of(self.images, discover)
        outline = to_canvas(
            seen.placed.objects.masks[discover].astype(np.float32), seen.placed.poses.select(discover), CANVAS
        )
        shared = outline.mean(axis=0)
        groups = {int(c): discover[predicted[discover] == c] for c in np.unique(predicted[discover])}
        table = tabulate(seen.pictures, seen.placed.objects, seen.placed.poses, shared, groups)
        studio = Studio(self.images, seen.pictures, seen.placed, table.bodies)
        return LaidOut(seen.frame, shared, groups, table, studio, tuple(self._regions(studio, discover)))

    def from_laid_out(self, cls: type[FieldGuide], laid: LaidOut) -> FieldGuide:
        labels, predicted, hold_out = tuple(self.classifier.labels), self.said.predicted, self.split.hold_out
        table, studio = laid.table, laid.studio
        seen, kept = self._described(laid)
        search = Search(self.classifier, studio, self.said, self.split, laid.groups, self.seed, self._regions)
        suspects, base = search.suspects(laid.regions), self._base(laid)
        alone = {"warnings": (*suspects.sentences, *self.left_out), "marks": suspects.marks, **base}
        if not kept:
            share = top_share(laid.regions, self.split.discover)
            reason = f"no place shows up in the evidence again and again (strongest place: {share:.0%} of it)"
            return cls(verdict=reason, **alone)
        told = [tells(word, one.cls, table, hold_out, predicted) for one, word in kept]
        tried = [one for one, _ in kept]
        proof = prove(self.classifier, studio, self.said, tried, np.array(told), hold_out, self.seed)
        asked = ask(kept, table, self.split, predicted, len(labels), self.seed)
        known = zip(kept, proof.accepted, proof.again, strict=True)
        stays = [
            pair for pair, good, again in known if good or (not again and (asked.asks(pair[0]) or not pair[0].after))
        ]
        if not stays:
            reason = "what speaks for the classes shows up only with other evidence erased, and none of it is proved"
            return cls(verdict=reason, **alone)
        facing = directions(laid.shared, laid.frame, studio.placed.poses.mirrored, self.ends)
        marks = self._marks(laid, stays, facing, proof)
        found = self._findings(laid, seen, asked, proof, suspects, marks)
        everything = [*marks, *suspects.marks]
        ordered = sorted(everything, key=lambda mark: (labels.index(mark.classes[0]), -mark.effect))
        astray_too = astray(marks, [one for one, _ in stays], studio, suspects)
        return cls(
            verdict=verdict(found),
            findings=found,
            fidelity=asked.fidelity,
            key=_key(asked, laid, labels, facing, self.images.shape[1:]),
            pictures=keep_pictures(studio.pictures, self.said, hold_out, asked.says, labels, ordered),
            parted=tuple(int(i) for i in hold_out[asked.says != predicted[hold_out]]),
            confusions=confusions(predicted[hold_out], asked.says, labels),
            together={labels[one]: each for one, each in proof.together.items()},
            default=proof.default,
            lacking=_lacking(proof, stays, marks, labels),
            warnings=(*suspects.sentences, *astray_too, *self.left_out),
            marks=tuple(ordered),
            **base,
        )

    def _described(self, laid: LaidOut) -> tuple[list[Candidate], list[tuple[Candidate, Word]]]:
        """The marks that the evidence shows at first sight; and all that there are words for, with these."""
        predicted, studio, table = self.said.predicted, laid.studio, laid.table
        seen = find_all(list(laid.regions), predicted, studio.placed.poses, table)
        first = Wholes(self.classifier, studio, self.said, laid.groups, self.seed).among(seen, table)
        candidates = [*first, *self._more(first, studio)]
        words = described(candidates, table)
        return seen, [(one, word) for one, word in zip(candidates, words, strict=True) if word is not None]

    def _base(self, laid: LaidOut) -> dict[str, Any]:
        """What every guide says, whatever its verdict."""
        labels, predicted, studio = tuple(self.classifier.labels), self.said.predicted, laid.studio
        return {
            "classes": labels,
            "frame": f"{laid.frame.kind}: {laid.frame.reason}",
            "plates": _plates(studio.pictures, studio.placed.poses, self.split.discover, predicted, labels),
            "counts": {labels[c]: int((predicted == c).sum()) for c in np.unique(predicted)},
        }

    def _findings(
        self,
        laid: LaidOut,
        seen: Sequence[Candidate],
        asked: Asked,
        proof: Proof,
        suspects: Suspects,
        marks: Sequence[Mark],
    ) -> Findings:
        """All that the verdict is about."""
        labels, classes = list(self.classifier.labels), max(len(laid.groups), 1)
        beside = {labels.index(mark.classes[0]) for mark in suspects.marks}
        whole = {mark.classes for mark in marks if mark.whole and mark.accepted}
        return Findings(
            asked.fidelity.described,
            top_share(laid.regions, self.split.discover),
            len(proof.proved() | beside) / classes,
            stability(
                list(laid.regions), seen, self.said.predicted, laid.studio.placed.poses, laid.table, seed=self.seed
            ),
            suspects.elsewhere,
            whole=len(whole) / classes,
        )

    def _regions(self, studio: Studio, rows: np.ndarray) -> list[Region]:
        return regions_of(self.classifier, studio, self.said, rows, self.evidence_by)

    def _marks(
        self, laid: LaidOut, stays: Sequence[tuple[Candidate, Word]], facing: Directions, proof: Proof
    ) -> list[Mark]:
        labels, table = self.classifier.labels, laid.table
        measured = {id(mark): i for i, mark in enumerate(proof.bench.marks)}
        found = []
        for mark, word in stays:
            effect, good = proof.effects[measured[id(mark)]], proof.accepted[measured[id(mark)]]
            terms = _terms(mark, word, table)
            where = facing.where(table.named(word.place, mark.plate))
            found.append(
                Mark(
                    classes=(labels[mark.cls],),
                    words=sentence(terms, where, "" if mark.loose or mark.outline else size_of(mark.plate)),
                    terms=tuple(terms),
                    where=where,
                    effect=effect.drop,
                    control=effect.control_drop,
                    proof=effect,
                    accepted=bool(good),
                    coverage=mark.coverage,
                    share=mark.share,
                    inside=_inside(mark, laid.studio),
                    plate=mark.plate,
                    examples=self._examples(mark, proof.bench),
                    whole=mark.whole,
                    outline=mark.outline,
                )
            )
        return found

    def _more(self, first: Sequence[Candidate], studio: Studio) -> list[Candidate]:
        """Marks that show when the first ones are erased from the pictures that they were found in."""
        seen = second_look(self.classifier, studio, self.said, first, self.split.discover)
        return new_ones(first, find_marks(seen, self.said.predicted, studio.placed.poses, studio.bodies))

    def _examples(self, mark: Candidate, bench: Bench) -> tuple[Example, ...]:
        """The hold-out pictures of the class of which the network is surest, with the mark's region."""
        shape = self.images.shape[1:3]
        return tuple(
            Example(int(i), resized(bench.areas.of(mark, int(i)).astype(np.float32), shape) >= 0.5)
            for i in bench.tested.get(mark.cls, ())[:EXAMPLES]
        )


def _key(asked: Asked, laid: LaidOut, labels: tuple[str, ...], facing: Directions, shape: tuple[int, ...]) -> Key:
    words = tuple(word for word, _ in asked.words)
    where = [facing.where(laid.table.named(word.place, plate)) for word, plate in asked.words]
    questions = tuple(question(word, place) for word, place in zip(words, where, strict=True))
    return Key(labels, asked.tree, words, questions, laid.frame, laid.shared, shape)


def _lacking(
    proof: Proof, stays: Sequence[tuple[Candidate, Word]], marks: Sequence[Mark], labels: Sequence[str]
) -> dict[str, tuple[Lack, ...]]:
    said = {id(one): mark.words for (one, _), mark in zip(stays, marks, strict=True)}
    found: dict[str, tuple[Lack, ...]] = {}
    for each in proof.absences:
        lack = Lack(said[id(each.mark)], labels[each.mark.cls], each.effect)
        found[labels[each.cls]] = (*found.get(labels[each.cls], ()), lack)
    return found


def _terms(mark: Candidate, word: Word, table: Table) -> list[str]:
    """The chosen term, and of each other kind (colour, comparison, shape) the best that is half as good.

    A colour's name needs no comparison of hues beside it, and is said before the pattern that is of that colour.
    """
    best = {kind_of(word.name): word.name}  # in the order in which they are said
    for other in words_of(mark, table, count=200):
        kind = kind_of(other.name)
        if other.score >= (SPOTTED if kind == "colour" and word.name in TEXTURES else HALF) * word.score:
            best.setdefault(kind, other.name)
    if "colour" in best and kind_of(word.name) != "comparison":
        best.pop("comparison", None)
    if best.get("shape") in TEXTURES and "colour" in best:
        best = {"colour": best["colour"], **best}
    return list(best.values())


def _inside(mark: Candidate, studio: Studio) -> float:
    """The share of the mark's regions that lies on the objects, on average."""
    shares = [
        (region.mask & studio.placed.objects.masks[region.image]).sum() / region.mask.sum() for region in mark.regions
    ]
    return float(np.mean(shares))


def _plates(
    pictures: Pictures, poses: Poses, rows: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> dict[str, np.ndarray]:
    """The mean picture of every class in the frame; what no picture reaches has the mean colour of the rest."""
    colours = to_canvas(pictures.rgb[rows], poses.select(rows), CANVAS).astype(np.float32)
    there = to_canvas(np.ones((len(rows), *pictures.shape), np.float32), poses.select(rows), CANVAS)[..., None]
    found = {}
    for cls in np.unique(predicted[rows]):
        own = predicted[rows] == cls
        weight = there[own].sum(axis=0)
        mean = colours[own].sum(axis=0) / np.maximum(weight, 1)
        usual = mean[weight[..., 0] > 0.5 * own.sum()].mean(axis=0)
        trust = np.clip(weight / own.sum(), 0, 1)
        found[labels[cls]] = (trust * mean + (1 - trust) * usual).round().clip(0, 255).astype(np.uint8)
    return found
