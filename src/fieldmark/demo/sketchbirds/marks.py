"""The eight marks, the cues that are no mark, and the numbers of the parts in a picture."""

from __future__ import annotations

from fieldmark.errors import FieldmarkError, unknown

MARKS = (
    "crest",
    "wing bar",
    "eye ring",
    "breast spots",
    "red bill",
    "belly patch",
    "black cap",
    "forked tail",
)
"""In an order that neighbours on the bird are not neighbours here: the design `two` takes pairs around the circle."""

CUES = ("watermark", "border", "blur", "habitat")
"""What is in the picture and not on the bird: a confounder puts one of them on a class."""

PLAIN = ("background", "body", "head", "wing", "tail", "bill", "leg", "eye")
PARTS = {name: number for number, name in enumerate(PLAIN + MARKS)}
"""The number of every part in `Picture.parts`. The background is 0, and so is what stands before the bird."""


def check_mark(name: str) -> str:
    """`name`, if it is a mark or a cue; FieldmarkError with the nearest names otherwise."""
    if name in MARKS or name in CUES:
        return name
    raise FieldmarkError(unknown("mark or cue of the sketch birds", name, MARKS + CUES))
