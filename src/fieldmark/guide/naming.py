"""Sentences: where on the object, what is there, how large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldmark.guide.frame import Frame
from fieldmark.guide.marks import area_of
from fieldmark.guide.places import OUTLINE, Place
from fieldmark.guide.vocabulary import COLOURS, OUTLINES, RELATIONS

UNEQUAL = 1.2  # how much thicker one end must be than the other to be called so
SMALL, LARGE = 0.08, 0.3  # square body units
ROWS = ("top", "upper part", "middle", "lower part", "bottom")
SIDES = ("left", "right")
EXTENTS = {"rim": "all along the rim", "over": "all over", "anywhere": "somewhere", "as a whole": "as a whole"}
SHAPE_WORDS = {
    "sticks out": "a part that sticks out",
    "sticks out thinly": "a thin part that sticks out",
    "notch": "a notch in the outline",
    "light spots": "light spots",
    "dark spots": "dark spots",
    "fine pattern": "a fine pattern",
    "reaches further": "a part where most have none",
    "ends sooner": "a gap where most have a part",
}


@dataclass(frozen=True)
class Directions:
    """What a frame's two ends are called; `natural`: they are left and right in the pictures themselves.

    sides  what lies along the frame's top and bottom is called, where objects are turned any way: nothing is up then
    """

    ends: tuple[str, str]
    natural: bool
    sides: tuple[str, str] | None = None

    def where(self, place: Place) -> str:
        """As "at the top, towards the thick end", "in the middle", "all along the rim"."""
        if place.extent in EXTENTS:
            return EXTENTS[place.extent]
        if self.sides is not None:
            return self._lying(place)
        row = ROWS[place.row]
        if place.extent == "across":
            return f"across the {row}" if place.row in (1, 2, 3) else f"all along the {row}"
        if place.extent == "down":
            return f"all the way down, {self._column(place)}"
        if place.column == 2:
            half_way = "" if self.natural else ", half-way along"
            return "in the middle" if place.row == 2 else f"{_on(place.row)}{half_way}"
        return self._column(place) if place.row == 2 else f"{_on(place.row)}, {self._column(place, short=True)}"

    def _lying(self, place: Place) -> str:
        """As "towards the thick end, at one side", "from end to end, in the middle"."""
        assert self.sides is not None
        middle = place.row == 2
        side = "" if middle else _at(self.sides[place.row > 2], place.row in (0, 4))
        if place.extent == "across":
            return f"from end to end, {'in the middle' if middle else side}"
        if place.extent == "down":
            return f"from side to side, {self._column(place)}"
        if place.column == 2:
            return "in the middle" if middle else f"{side}, half-way along"
        return self._column(place) if middle else f"{self._column(place)}, {side}"

    def _column(self, place: Place, short: bool = False) -> str:
        """As "at the left", "towards the thick end"; `short` after another place: "left"."""
        if self.natural:
            name = ("left", "left of the middle", "middle", "right of the middle", "right")[place.column]
            lone = f"{'' if place.column in (1, 3) else 'in the ' if place.column == 2 else 'at the '}{name}"
            return name if short else lone
        if place.column == 2:
            return "half-way along"
        return _at(self.ends[place.column > 2], place.column in (0, 4))


def _on(row: int) -> str:
    """As "at the top", "in the lower part"."""
    return f"{'at' if row in (0, 4) else 'in'} the {ROWS[row]}"


def _at(name: str, there: bool) -> str:
    """As "at the thick end", "towards one side"."""
    article = "" if name.startswith(("one ", "the ")) else "the "
    return f"{'at' if there else 'towards'} {article}{name}"


def directions(outline: np.ndarray, frame: Frame, mirrored: np.ndarray, ends: tuple[str, str] | None) -> Directions:
    """The ends' names: those given; left and right where hardly anything was mirrored; else by which is thicker."""
    turned = float(np.mean(mirrored))
    sides = _thicker(outline.T, "side") if frame.any_way else None
    if ends is not None:
        return Directions(ends, False, sides)
    if frame.kind != "aligned" or (sides is None and min(turned, 1 - turned) < 0.05):
        return Directions(SIDES, True)
    return Directions(_thicker(outline, "end"), False, sides)


def _thicker(outline: np.ndarray, noun: str) -> tuple[str, str]:
    """What an outline's left and right are called: as ("thick end", "thin end"), or nothing of the kind."""
    inside = outline > max(OUTLINE, 0.5)
    columns = np.nonzero(inside.any(axis=0))[0]
    if len(columns) >= 3:
        thirds = np.array_split(columns, 3)
        thick = [float(inside[:, part].sum(axis=0).mean()) for part in (thirds[0], thirds[2])]
        if thick[0] > UNEQUAL * thick[1]:
            return f"thick {noun}", f"thin {noun}"
        if thick[1] > UNEQUAL * thick[0]:
            return f"thin {noun}", f"thick {noun}"
    return f"one {noun}", f"the other {noun}"


def what(term: str) -> str:
    """As a person says it: "red", "darker than the body", "a notch in the outline"."""
    if term in COLOURS or term in OUTLINES:
        return term
    if term in RELATIONS or term == "more colourful":
        return f"{term} than the body"
    return SHAPE_WORDS[term]


def size_of(plate: np.ndarray) -> str:
    """ "small", "large" or nothing: the area of a region of the frame, in square body units."""
    area = area_of(plate)
    return "small" if area < SMALL else "large" if area > LARGE else ""


def sentence(terms: list[str], place: str, size: str) -> str:
    """As "Red, small, redder than the body, at the thick end"."""
    parts = [what(terms[0]), *([size] if size else []), *(what(term) for term in terms[1:])]
    text = f"{', '.join(parts)}, {place}"
    return text[:1].upper() + text[1:]
