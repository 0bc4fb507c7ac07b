"""What a person would accept as the name of each drawn mark, in the guide's vocabulary, and a guide as regions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.scoreboard.baselines import Region
from fieldmark.guide.mark import Mark
from fieldmark.guide.marks import CANVAS
from fieldmark.guide.places import grid, nearest
from fieldmark.guide.pose import Poses, to_canvas

COLOUR_WORDS: dict[str, frozenset[str]] = {
    "wing bar": frozenset({"white", "light grey", "lighter"}),
    "eye ring": frozenset({"yellow", "yellower", "more colourful", "lighter"}),
    "red bill": frozenset({"red", "redder", "more colourful"}),
    "belly patch": frozenset({"orange", "yellower", "redder", "more colourful"}),
    "black cap": frozenset({"black", "dark grey", "darker"}),
}
SHAPE_WORDS: dict[str, frozenset[str]] = {
    "crest": frozenset({"sticks out", "sticks out thinly", "notch"}),
    "forked tail": frozenset({"sticks out", "sticks out thinly", "notch"}),
    "breast spots": frozenset({"dark spots", "light spots", "fine pattern", "black", "brown", "darker"}),
}
"""Spots: seen as dark dots, as the light between them, as a pattern, or by their colour."""


def right_word(mark: str, terms: Iterable[str]) -> bool | None:
    """Whether the first word that the guide has for a mark fits it; None for what is no drawn mark."""
    accepted = (COLOUR_WORDS | SHAPE_WORDS).get(mark)
    first = next(iter(terms), None)
    return None if accepted is None or first is None else first in accepted


@dataclass(frozen=True, eq=False)
class Drawn:
    """Where a mark is drawn: masks (n, s, s), the poses of these pictures in the guide's frame, and its outline."""

    masks: np.ndarray
    poses: Poses
    outline: np.ndarray


def place_right(plate: np.ndarray, drawn: Drawn) -> bool:
    """Whether the place that a mark is named by is, give or take one, that in which it is drawn.

    One that is said to go on, along the rim or across the object, is right where what is drawn does.
    """
    places = grid(drawn.outline)
    said = nearest(plate, places)
    true = nearest(to_canvas(drawn.masks.astype(np.float32), drawn.poses, CANVAS).mean(axis=0), places)
    near = abs(said.row - true.row) <= 1 and abs(said.column - true.column) <= 1
    return near and said.extent in ("", true.extent)


def guide_regions(
    marks: Iterable[Mark], classes: Sequence[str], predicted: np.ndarray, shape: tuple[int, ...]
) -> list[Region]:
    """The marks of a guide as regions, one for each class that a mark belongs to.

    predicted  (n,) class indices that the network gave the guide's images; shape  (h, w) of these
    """
    found = []
    for mark in marks:
        for name in mark.classes:
            label = classes.index(name)
            masks = np.zeros((len(predicted), *shape), bool)
            for example in mark.examples:
                if predicted[example.image] == label:
                    masks[example.image] = example.mask
            if masks.any():
                found.append(Region(mark.words, label, masks))
    return found
