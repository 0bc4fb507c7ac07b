"""A second look: what speaks for a class once its first marks are gone. A strong mark can hide a weaker one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.areas import Areas
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import EvidenceBy, Said, evidence, evidence_left
from fieldmark.guide.marks import Candidate
from fieldmark.guide.regions import Region, find_regions
from fieldmark.guide.verdict import same_mark

OLD = 0.5  # of a region on what was erased: it is what the fill left behind


def regions_of(
    classifier: Classifier, studio: Studio, said: Said, rows: np.ndarray, by: EvidenceBy | None = None
) -> list[Region]:
    """The regions of the evidence in the pictures `rows`, for the classes that they are called; `by` finds it."""
    return _regions(classifier, studio, said, rows, studio.images[rows], by)


def second_look(
    classifier: Classifier, studio: Studio, said: Said, marks: Sequence[Candidate], rows: np.ndarray
) -> list[Region]:
    """The regions that speak for the pictures' classes when the marks of these are erased."""
    areas = Areas(studio)
    gone = {int(i): areas.union([mark for mark in marks if mark.cls == said.predicted[i]], int(i)) for i in rows}
    rows = np.array([i for i in rows if gone[int(i)].any()], int)
    if len(rows) == 0:
        return []
    edits = np.stack([studio.erased(int(i), gone[int(i)], "inpaint") for i in rows])
    found = _regions(classifier, studio, said, rows, edits, evidence_left)
    return [each for each in found if (each.mask & gone[each.image]).sum() < OLD * each.mask.sum()]


def new_ones(marks: Sequence[Candidate], more: Sequence[Candidate]) -> list[Candidate]:
    """Those of the second look that the first did not have, each after the marks of its class."""
    return [
        replace(mark, after=tuple(old for old in marks if old.cls == mark.cls))
        for mark in more
        if not any(same_mark(mark, old) for old in marks)
    ]


def _regions(
    classifier: Classifier,
    studio: Studio,
    said: Said,
    rows: np.ndarray,
    images: np.ndarray,
    by: EvidenceBy | None = None,
) -> list[Region]:
    asked = Said(said.scores[rows], said.predicted[rows], said.margins[rows])
    maps = (by or evidence)(classifier, images, asked, studio.pictures.shape)
    units = studio.placed.objects.units
    found: list[Region] = []
    for values, i in zip(maps, rows, strict=True):
        found += find_regions(int(i), values, studio.pictures.lab[i], studio.bodies[i], float(units[i]))
    return found
