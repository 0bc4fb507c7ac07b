"""Colours and opacities of maps: diverging and centred on zero where a sign has a meaning, else one rising ramp."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap

from fieldmark.errors import FieldmarkError, unknown

LEVELS = 255
"""Entries of a colour table; odd, so that zero of a signed map has an entry of its own."""

WORDS = {True: ("against", "for"), False: ("weak", "strong")}
"""What the two ends of the colours mean, for signed maps and for amounts."""

# Blue and orange keep their hues for readers who see no red or no green, and both are vivid on a grey photograph.
# Pale at zero, where the opacity is zero too.
_SIGNED = ["#0a3a8f", "#1767d2", "#5aa3ee", "#b8d6f2", "#f4f4f4", "#fcc78d", "#f98f35", "#ea5411", "#b02a04"]


def colormap(name: str | None, signed: bool) -> Colormap:
    """The matplotlib colormap called `name`; by default diverging for signed maps, and a perceptual ramp for amounts.

    Nothing but an explicit "jet" gives jet: its bright bands are edges that the map does not have.
    """
    if name is None:
        return (
            LinearSegmentedColormap.from_list("fieldmark_signed", _SIGNED) if signed else matplotlib.colormaps["plasma"]
        )
    if name not in matplotlib.colormaps:
        raise FieldmarkError(unknown("colours", name, matplotlib.colormaps))
    return matplotlib.colormaps[name]


def colour_table(signed: bool, name: str | None = None) -> np.ndarray:
    """Colour and opacity of every strength: float32 (255, 4), RGB and A in 0..1.

    The rows run over -1..1 (signed) or 0..1. A is the strength itself: 0 at no evidence, 1 at the strongest.
    """
    position = np.linspace(0, 1, LEVELS)
    table = np.asarray(colormap(name, signed)(position), np.float32)
    table[:, 3] = np.abs(2 * position - 1) if signed else position
    return table


def rows(values: np.ndarray, signed: bool) -> np.ndarray:
    """The row of the colour table, uint8, for each value in -1..1 (signed) or 0..1."""
    position = (values + 1) / 2 if signed else values
    return np.rint(np.clip(position, 0, 1) * (LEVELS - 1)).astype(np.uint8)
