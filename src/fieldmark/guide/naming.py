"""Sentences: where on the object, what is there, how large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldmark.guide.places import OUTLINE, Place
from fieldmark.guide.pose import UNIT
from fieldmark.guide.vocabulary import COLOURS, RELATIONS

UNEQUAL = 1.2  # how much thicker one end must be than the other to be called so
SMALL, LARGE = 0.08, 0.3  # square body units
ROWS = ("top", "upper part", "middle", "lower part", "bottom")
SIDES = ("left", "right")
SHAPE_WORDS = {
    "sticks out": "a part that sticks out",
    "sticks out thinly": "a thin part that sticks out",
    "notch": "a notch in the outline",
    "light spots": "light spots",
    "dark spots": "dark spots",
    "fine pattern": "a fine pattern",
}


@dataclass(frozen=True)
class Directions:
    """What a frame's two ends are called; `natural`: they are left and right in the pictures themselves."""

    ends: tuple[str, str]
    natural: bool

    def where(self, place: Place) -> str:
        """As "at the top, towards the thick end", "in the middle", "all along the rim"."""
        if place.extent in ("rim", "over"):
            return {"rim": "all along the rim", "over": "all over"}[place.extent]
        row = ROWS[place.row]
        if place.extent == "across":
            return f"across the {row}" if place.row in (1, 2, 3) else f"all along the {row}"
        if place.extent == "down":
            return f"all the way down, {self._column(place)}"
        if place.column == 2:
            half_way = "" if self.natural else ", half-way along"
            return "in the middle" if place.row == 2 else f"at the {row}{half_way}"
        return self._column(place) if place.row == 2 else f"at the {row}, {self._column(place, short=True)}"

    def _column(self, place: Place, short: bool = False) -> str:
        """As "at the left", "towards the thick end"; `short` after another place: "left"."""
        if self.natural:
            name = ("left", "left of the middle", "middle", "right of the middle", "right")[place.column]
            return name if short else f"in the {name}" if place.column == 2 else f"at the {name}"
        if place.column == 2:
            return "half-way along"
        end = self.ends[0] if place.column < 2 else self.ends[1]
        return f"at the {end}" if place.column in (0, 4) else f"towards the {end}"


def directions(outline: np.ndarray, kind: str, mirrored: np.ndarray, ends: tuple[str, str] | None) -> Directions:
    """The ends' names: those given; left and right where hardly anything was mirrored; else by which is thicker."""
    if ends is not None:
        return Directions(ends, False)
    turned = float(np.mean(mirrored))
    if kind != "aligned" or min(turned, 1 - turned) < 0.05:
        return Directions(SIDES, True)
    inside = outline > max(OUTLINE, 0.5)
    columns = np.nonzero(inside.any(axis=0))[0]
    if len(columns) < 3:
        return Directions(("one end", "other end"), False)
    thirds = np.array_split(columns, 3)
    thick = [float(inside[:, part].sum(axis=0).mean()) for part in (thirds[0], thirds[2])]
    if thick[0] > UNEQUAL * thick[1]:
        return Directions(("thick end", "thin end"), False)
    if thick[1] > UNEQUAL * thick[0]:
        return Directions(("thin end", "thick end"), False)
    return Directions(("first end", "other end"), False)


def what(term: str) -> str:
    """As a person says it: "red", "darker than the body", "a notch in the outline"."""
    if term in COLOURS:
        return term
    if term in RELATIONS or term == "more colourful":
        return f"{term} than the body"
    return SHAPE_WORDS[term]


def size_of(plate: np.ndarray) -> str:
    """ "small", "large" or nothing: the area of a region of the frame, in square body units."""
    area = float((plate > 0.5).sum()) / (UNIT * len(plate)) ** 2
    return "small" if area < SMALL else "large" if area > LARGE else ""


def sentence(terms: list[str], place: str, size: str) -> str:
    """As "Red, small, redder than the body, at the thick end"."""
    parts = [what(terms[0]), *([size] if size else []), *(what(term) for term in terms[1:])]
    text = f"{', '.join(parts)}, {place}"
    return text[:1].upper() + text[1:]
