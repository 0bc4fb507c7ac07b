"""Words on figures: measured with the font that draws them, and broken so that they stay in their place."""

from __future__ import annotations

import math
import re

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

LINE = 1.3
"""Height of a line, in font sizes."""


def width_of(text: str, size: float, weight: str = "normal") -> float:
    """The width of one line in points."""
    font = FontProperties(size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def wrap(text: str, points: float, size: float, weight: str = "normal", most: int = 6) -> list[str]:
    """The text in lines of at most `points`, broken after spaces and _ / - where possible, else anywhere.

    At most `most` lines; the last one then ends in an ellipsis. A little room is left over, because letters drawn at
    low resolution are moved to whole pixels.
    """
    points *= 0.97
    text = clean(text)
    if width_of(text, size, weight) <= points:
        return [text] if text else []
    lines = [""]
    for piece in re.findall(r"[^\s_/\-]*[_/\-]+|[^\s_/\-]+|\s+", text):
        if width_of((lines[-1] + piece).strip(), size, weight) <= points:
            lines[-1] += piece
            continue
        lines.append("")
        for letter in piece.lstrip():
            if lines[-1] and width_of(lines[-1] + letter, size, weight) > points:
                lines.append("")
            lines[-1] += letter
    lines = [line.strip() for line in lines if line.strip()]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][:-1] + "…"]


def clean(text: object) -> str:
    """One line of printable characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())


def percent(probability: float) -> str:
    """A probability for reading: "77 %", "0.4 %", never a rounded 0 % or 100 %; empty where it is not known.

    >>> percent(0.771), percent(0.004), percent(0.9999)
    ('77 %', '0.4 %', '> 99.9 %')
    """
    if not math.isfinite(probability):
        return ""
    if 0 < probability < 0.001:
        return "< 0.1 %"
    if 0.999 < probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.{0 if 0.0995 <= probability < 0.985 or probability in (0, 1) else 1}f} %"
