"""A figure laid out in inches from the top left, made without pyplot, so that no state of the user's is touched."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fieldmark.errors import FieldmarkError
from fieldmark.figures.text import LINE, wrap

INK = "#1b1f24"
MUTED = "#57606a"
ALERT = "#8a4600"
_ALERT_GROUND = "#fff4dc"


class Panel(Figure):
    """A matplotlib Figure that also shows itself in notebooks where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


@dataclass(frozen=True)
class Words:
    """A paragraph: its text, and how it is drawn (size in points)."""

    text: str
    size: float = 8.0
    weight: str = "normal"
    colour: str = MUTED


@dataclass
class Page:
    """Collects pictures and words at places in inches (y downwards), then draws them on a figure of that height."""

    width: float
    pictures: list[tuple[np.ndarray, float, float, float, float]] = field(default_factory=list)
    lines: list[tuple[str, float, float, str, Words]] = field(default_factory=list)
    grounds: list[tuple[float, float, float, float]] = field(default_factory=list)

    def picture(self, picture: np.ndarray, x: float, y: float, width: float, height: float) -> None:
        """Place RGB (H, W, 3) in the box, at its own aspect and standing on the bottom."""
        self.pictures.append((picture, x, y, width, height))

    def words(self, words: Words, x: float, y: float, width: float, align: str = "left") -> float:
        """Place a paragraph in a column; returns the y below it. `align` is left, center or right within the column."""
        anchor = {"left": x, "center": x + width / 2, "right": x + width}[align]
        for line in wrap(words.text, width * 72, words.size, words.weight):
            self.lines.append((line, anchor, y + 0.5 * words.size * LINE / 72, align, words))
            y += words.size * LINE / 72
        return y

    def ground(self, x: float, y: float, width: float, height: float) -> None:
        """Place the ground of a warning."""
        self.grounds.append((x, y, width, height))

    def figure(self, height: float, dpi: int = 150) -> Panel:
        """The finished figure; raises FieldmarkError where it has more pixels than matplotlib can draw."""
        if max(self.width, height) * dpi >= 2**16:
            raise FieldmarkError(
                f"panel: expected at most {2**16 // dpi} inches a side, received {self.width:.0f} x {height:.0f}; "
                "choose some images with images=[...] or write a report"
            )
        figure = Panel(figsize=(self.width, height), dpi=dpi, facecolor="white", edgecolor="white")
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure)
        for x, y, w, h in self.grounds:
            corner = (x / self.width, 1 - (y + h) / height)
            box = Rectangle(corner, w / self.width, h / height, facecolor=_ALERT_GROUND, edgecolor="none")
            box.set_transform(figure.transFigure)
            figure.add_artist(box)
        for picture, x, y, w, h in self.pictures:
            axes = figure.add_axes((x / self.width, 1 - (y + h) / height, w / self.width, h / height))
            axes.imshow(picture, interpolation="antialiased", aspect="equal", origin="upper")
            axes.set_anchor("S")
            axes.set_axis_off()
        for line, x, y, align, words in self.lines:
            figure.text(
                x / self.width,
                1 - y / height,
                line,
                ha=align,
                va="center_baseline",
                fontsize=words.size,
                fontweight=words.weight,
                color=words.colour,
                parse_math=False,
                usetex=False,
            )
        return figure
