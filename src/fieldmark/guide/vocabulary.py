"""The words there are: for each, a map of how much of it every pixel shows. None was made for one kind of object.

Colours are named as people name them; relations compare with the body's own colour; shapes come from the outline.
"""

from __future__ import annotations

import cv2
import numpy as np

from fieldmark.guide.objects import closed, dilated, disk, eroded, opened

# Typical sRGB colours of the basic colour words; a pixel takes the word of the nearest one in CIELAB.
COLOURS: dict[str, tuple[str, ...]] = {
    "black": ("000000", "1e1e1e", "2b2b30"),
    "dark grey": ("484848", "5a5a5e"),
    "grey": ("7d7d7d", "949494"),
    "light grey": ("b4b4b4", "cccccc"),
    "white": ("ffffff", "ececec"),
    "red": ("d21e1e", "e8402e", "a01515", "f04848"),
    "orange": ("f08c1e", "e87030", "ffa54a"),
    "brown": ("6b4423", "8b5a2b", "4f3018", "a0703c"),
    "tan": ("c8a878", "d8c098", "b09468"),
    "yellow": ("f0dc28", "fff060", "d8b820"),
    "olive": ("76762c", "90904a", "5c6030"),
    "green": ("2c9a3c", "5ac85a", "1c641e", "7cb87c", "3c7848"),
    "blue": ("2850c8", "5a8ce6", "1e2d78", "78aadc", "46648c"),
    "cyan": ("28b4c8", "78dce0", "2c8c90"),
    "purple": ("7832a0", "a064c8", "4b1e64"),
    "pink": ("f08cb4", "ffb8cc", "d84890"),
}
RELATIONS: dict[str, tuple[int, int]] = {
    "darker": (0, -1),
    "lighter": (0, 1),
    "greener": (1, -1),
    "redder": (1, 1),
    "bluer": (2, -1),
    "yellower": (2, 1),
}
UNUSUAL = ("reaches further", "ends sooner")  # than most of the objects in the frame
SHAPES = ("sticks out", "sticks out thinly", "notch", "light spots", "dark spots", "fine pattern", *UNUSUAL)
TERMS: tuple[str, ...] = (*COLOURS, *RELATIONS, "more colourful", *SHAPES)
OUTLINES = ("long", "round", "deeply cut", "box-shaped", "wide", "tall")  # of an object as a whole: no place has them
NAMES = (*TERMS, *OUTLINES)

BROAD, THIN, NOTCH = 0.16, 0.09, 0.30  # body units: radii of what is a body, a thin part, a gap
JUST, CLEARLY = 10.0, 28.0  # Delta from the body's colour: not yet a difference, surely one
SPOT = 28 / 255  # of the lightness range: a spot stands out by at least this
SLIVER = 0.05  # body units: what an outline is off by as a rule, thinner than that, is nothing unusual


def _lab_of(hexes: tuple[str, ...]) -> np.ndarray:
    rgb = np.array([[int(text[i : i + 2], 16) for i in (0, 2, 4)] for text in hexes], np.float32)
    return cv2.cvtColor(rgb[None] / 255, cv2.COLOR_RGB2LAB)[0]


_PROTOTYPES = np.concatenate([_lab_of(hexes) for hexes in COLOURS.values()])
_OWNER = np.repeat(np.arange(len(COLOURS)), [len(hexes) for hexes in COLOURS.values()])
_WEIGHT = np.array([0.6, 1.0, 1.0], np.float32)  # two lights of one colour are still that colour


def kind_of(term: str) -> str:
    """ "colour", "comparison" (with the body), "shape" or "outline"."""
    if term in OUTLINES:
        return "outline"
    return "colour" if term in COLOURS else "shape" if term in SHAPES else "comparison"


def look(lab: np.ndarray, own: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
    """(h, w, len(TERMS)) how much of every term each pixel shows, 0 to 1; lab (h, w, 3), own (h, w) bool the object.

    usual (h, w) bool: where most objects are; this one is thought to be there also where its mask has missed it.
    """
    mask = own if usual is None else own | usual
    unit = float(np.sqrt(max(mask.sum(), 1)))
    body = body_colour(lab, mask)
    near = dilated(mask, 1.0)
    colours = colour_names(lab) * near[..., None]
    relations = _relations(lab - body) * near[..., None]
    shapes = _shapes(lab[..., 0], mask, unit)
    return np.concatenate([colours, relations, shapes, _unusual(own, usual, unit)], axis=-1)


def body_colour(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(3,) the median colour of the eroded, opened mask."""
    unit = float(np.sqrt(max(mask.sum(), 1)))
    for candidate in (eroded(opened(mask, BROAD * unit), 0.05 * unit), mask):
        if candidate.any():
            return np.median(lab[candidate], axis=0)
    return np.median(lab.reshape(-1, 3), axis=0)


def colour_names(lab: np.ndarray) -> np.ndarray:
    """(h, w, len(COLOURS)) one-hot: the nearest colour word of every pixel."""
    flat = lab.reshape(-1, 3) * _WEIGHT
    distances = ((flat[:, None] - _PROTOTYPES * _WEIGHT) ** 2).sum(-1)
    names = _OWNER[distances.argmin(-1)]
    return np.eye(len(COLOURS), dtype=np.float32)[names].reshape(*lab.shape[:2], -1)


def _relations(difference: np.ndarray) -> np.ndarray:
    """Comparisons with the body; of two hues only the one that it is more of: a blue thing may be redder than grey."""
    size = np.abs(difference)
    main = {0: True, 1: size[..., 1] >= size[..., 2], 2: size[..., 2] >= size[..., 1]}
    ramps = [_ramp(sign * difference[..., axis]) * main[axis] for axis, sign in RELATIONS.values()]
    return np.stack([*ramps, _ramp(np.hypot(difference[..., 1], difference[..., 2]))], axis=-1)


def _ramp(values: np.ndarray) -> np.ndarray:
    return np.clip((values - JUST) / (CLEARLY - JUST), 0, 1).astype(np.float32)


def _shapes(light: np.ndarray, mask: np.ndarray, unit: float) -> np.ndarray:
    broad = mask & ~opened(mask, BROAD * unit)
    thin = mask & ~opened(mask, THIN * unit)
    notch = closed(mask, NOTCH * unit) & ~mask
    scaled = (light / 100).astype(np.float32)
    spot = disk(max(1.0, 0.07 * unit))
    inside = eroded(mask, 1.0)
    lighter = cv2.morphologyEx(scaled, cv2.MORPH_TOPHAT, spot) > SPOT
    darker = cv2.morphologyEx(scaled, cv2.MORPH_BLACKHAT, spot) > SPOT
    slopes = np.hypot(cv2.Sobel(scaled, cv2.CV_32F, 1, 0), cv2.Sobel(scaled, cv2.CV_32F, 0, 1)) / 4
    pattern = np.clip(slopes / 0.15, 0, 1) * eroded(mask, 2.0)
    maps = (broad, thin, notch, lighter & inside, darker & inside, pattern)
    return np.stack([np.asarray(each, np.float32) for each in maps], axis=-1)


def _unusual(own: np.ndarray, usual: np.ndarray | None, unit: float) -> np.ndarray:
    """(h, w, 2): where the object is and most are not, and where most are and it is not."""
    if usual is None or not usual.any():
        return np.zeros((*own.shape, len(UNUSUAL)), np.float32)
    apart = (opened(own & ~usual, SLIVER * unit), opened(usual & ~own, SLIVER * unit))
    return np.stack([np.asarray(each, np.float32) for each in apart], axis=-1)
