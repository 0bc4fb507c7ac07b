"""What a person would accept as the name of each drawn mark, in the guide's vocabulary, and a guide as regions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.scoreboard.baselines import Region
from fieldmark.guide.guide import FieldGuide

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


def guide_regions(guide: FieldGuide, predicted: np.ndarray, shape: tuple[int, int]) -> list[Region]:
    """The accepted marks of a guide as regions, one for each class that a mark belongs to.

    predicted  (n,) class indices that the network gave the guide's images; shape  (h, w) of these
    """
    found = []
    for mark in guide.marks:
        if not mark.accepted:
            continue
        for name in mark.classes:
            label = guide.classes.index(name)
            masks = np.zeros((len(predicted), *shape), bool)
            for example in mark.examples:
                if predicted[example.image] == label:
                    masks[example.image] = example.mask
            if masks.any():
                found.append(Region(mark.words, label, masks))
    return found
