"""Marks at no place in particular, a colour wherever on the object it is, and the words for what has no place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from fieldmark.guide.marks import COLOUR, Candidate, find_marks, make_candidate, one_an_image
from fieldmark.guide.pictures import adapted
from fieldmark.guide.places import ANYWHERE, AS_A_WHOLE, Table
from fieldmark.guide.pose import Poses
from fieldmark.guide.regions import UNLIKE_BODY, Region
from fieldmark.guide.vocabulary import COLOURS, TERMS, colour_names
from fieldmark.guide.words import Word, describe

ONE_COLOUR = 1.0  # of COLOUR's distance between regions that are one thing
MANY = 0.6  # of the pictures of a class must show what has no place
STRAYS = 0.6  # of them: fewer have it at the place where most have it
RARE = 0.01  # of the object: a colour rarer than this everywhere is as good as absent
ODD, FITS = 0.05, 0.2  # an outline rarer than this is as good as absent; amount times log lift that is worth a word
LIFT = 0.2  # logarithm: how much more of its colour a class must show than all do


def find_all(regions: list[Region], predicted: np.ndarray, poses: Poses, table: Table) -> list[Candidate]:
    """The marks of these regions, those in one place and those in none."""
    return with_loose(find_marks(regions, predicted, poses, table.bodies), regions, predicted, poses, table)


def with_loose(
    found: Sequence[Candidate], regions: Sequence[Region], predicted: np.ndarray, poses: Poses, table: Table
) -> list[Candidate]:
    """The marks, where those of one colour that is not the body's and of ever other places have become one.

    What is in one place of most pictures stays there, if there is a word for it at that place.
    """
    bodies = table.bodies
    kept, loose = list(found), []
    for cls in np.unique(predicted[[region.image for region in regions]]) if regions else []:
        own = [region for region in regions if predicted[region.image] == cls]
        count = len({region.image for region in own})
        apart = [region for region in own if _unlike(region, bodies) >= UNLIKE_BODY]
        for members in _of_one_colour(apart):
            rivals = [mark for mark in kept if mark.cls == cls and _mostly(mark, members)]
            coverage = len({region.image for region in members}) / count
            placed = (mark for mark in rivals if mark.coverage >= STRAYS * coverage)
            if coverage >= MANY and not any(describe(mark.plate, mark.cls, table) for mark in placed):
                kept = [mark for mark in kept if mark not in rivals]
                members = one_an_image(members)
                loose.append(make_candidate(int(cls), members, coverage, poses, bodies, loose=True))
    return sorted([*kept, *loose], key=lambda mark: (mark.cls, -mark.share * mark.coverage))


def describe_loose(mark: Candidate, table: Table) -> list[Word]:
    """The names of the mark's colour, by how much more of it the class shows than all classes do, the best first."""
    colours = adapted(np.stack([region.colour for region in mark.regions])[None], table.light[mark.images])
    names = colour_names(colours)[0].mean(axis=0)
    weight = table.outline / max(float(table.outline.sum()), 1e-9)
    shown, usual = ((each[: len(COLOURS)] * weight).sum(axis=(1, 2)) for each in (table.means[mark.cls], table.average))
    lift = np.log((shown + RARE) / (usual + RARE))
    found = [Word(TERMS.index(name), ANYWHERE, float(n * up)) for name, n, up in zip(COLOURS, names, lift, strict=True)]
    return sorted((word for word in found if word.score >= LIFT), key=lambda word: -word.score)


def describe_outline(mark: Candidate, table: Table) -> list[Word]:
    """The words for the outlines of a mark's class by amount times log lift over all classes, the best first."""
    amounts = table.whole[:, len(TERMS) :]
    usual = amounts[table.discovered].mean(axis=0)
    shown = amounts[mark.images].mean(axis=0)
    fits = shown * np.log((shown + ODD) / (usual + ODD))
    found = [Word(len(TERMS) + i, AS_A_WHOLE, float(fit)) for i, fit in enumerate(fits) if fit >= FITS]
    return sorted(found, key=lambda word: -word.score)


def _unlike(region: Region, bodies: np.ndarray) -> float:
    return float(np.linalg.norm(region.colour - bodies[region.image]))


def _of_one_colour(regions: Sequence[Region]) -> list[list[Region]]:
    if len(regions) < 2:
        return []
    groups = fcluster(linkage(COLOUR * np.stack([r.colour for r in regions]), "average"), ONE_COLOUR, "distance")
    return [[r for r, g in zip(regions, groups, strict=True) if g == group] for group in np.unique(groups)]


def _mostly(mark: Candidate, regions: Sequence[Region]) -> bool:
    """Whether most of a mark is made of some regions."""
    known = {id(region) for region in regions}
    return sum(id(region) in known for region in mark.regions) > 0.5 * len(mark.regions)
