"""What a user must know first: marks that are not on the object, and that the network does go by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fieldmark.guide.edits import Studio
from fieldmark.guide.mark import Mark
from fieldmark.guide.marks import Candidate
from fieldmark.guide.naming import what

OUTSIDE = 0.3  # of a mark on the object: less and it is not a mark of the object


def suspicions(marks: Sequence[Mark], candidates: Sequence[Candidate], studio: Studio) -> tuple[str, ...]:
    """A sentence for every mark outside the object that has an effect."""
    found = []
    for mark, candidate in zip(marks, candidates, strict=True):
        if mark.inside >= OUTSIDE or not mark.accepted:
            continue
        place, fixed = picture_place(candidate, studio.pictures.shape)
        stays = "always in the same place" if fixed else "outside the object"
        found.append(
            f"for {mark.classes[0]} the network reads something {place} of the picture, {stays} "
            f"({what(mark.terms[0])}): erasing it changes its mind on {mark.proof.flips:.0%} of the pictures"
        )
    return tuple(found)


def picture_place(candidate: Candidate, shape: tuple[int, int]) -> tuple[str, bool]:
    """In words where in the picture, and whether it is hardly ever elsewhere."""
    points = np.array([np.argwhere(region.mask).mean(axis=0) / shape for region in candidate.regions])
    y, x = np.median(points, axis=0)
    fixed = bool((np.median(np.abs(points - (y, x)), axis=0) < 0.05).all())
    rows = ("upper", "", "lower")[int(np.clip(y * 3, 0, 2))]
    columns = ("left", "", "right")[int(np.clip(x * 3, 0, 2))]
    if not rows and not columns:
        return "in the middle", fixed
    return f"at the {' '.join(part for part in (rows, columns) if part)}", fixed
