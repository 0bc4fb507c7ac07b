"""A figure laid out in inches from the top left, made without pyplot, so that no state of the user's is touched."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from fieldmark.errors import FieldmarkError, OutputError
from fieldmark.figures.text import LINE, wrap

INK = "#1b1f24"
MUTED = "#57606a"
ALERT = "#8a4600"
_ALERT_GROUND = "#fff4dc"


_VECTOR = {"svg", "svgz", "pdf", "eps", "ps"}
# Text stays text, to be selected, searched and set in another font; no random names, so that a file is repeatable.
_VECTOR_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "fieldmark", "pdf.fonttype": 42, "ps.fonttype": 42}


class Panel(Figure):
    """A matplotlib Figure that also shows itself in notebooks where pyplot was never imported."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """As matplotlib's. In SVG and PDF text is text, and each picture is embedded once, with its own pixels.

        Raises OutputError, one line, where the file cannot be written.
        """
        suffix = Path(fname).suffix.lower() if isinstance(fname, (str, os.PathLike)) else ""
        kind = str(options.get("format") or suffix.lstrip(".") or matplotlib.rcParams["savefig.format"]).lower()
        with ExitStack() as stack:
            if kind in _VECTOR:
                stack.enter_context(matplotlib.rc_context(_VECTOR_SETTINGS))
                for image in [image for axes in self.axes for image in axes.images]:
                    stack.callback(image.set_interpolation, image.get_interpolation())
                    image.set_interpolation("none")
            try:
                super().savefig(fname, **options)
            except OSError as error:
                raise OutputError(
                    f"cannot write {fname}: {(error.strerror or str(error)).lower()}; choose a folder you can write to"
                ) from None

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


@dataclass(frozen=True, eq=False)
class Line:
    """A line over a picture: points (k, 2) as x and y in its pixels, width in points, a pale halo where asked for."""

    points: np.ndarray
    colour: Any
    width: float
    halo: bool = False


@dataclass
class Page:
    """Collects pictures and words at places in inches (y downwards), then draws them on a figure of that height."""

    width: float
    pictures: list[tuple[np.ndarray, float, float, float, float, Sequence[Line]]] = field(default_factory=list)
    lines: list[tuple[str, float, float, str, Words]] = field(default_factory=list)
    grounds: list[tuple[float, float, float, float]] = field(default_factory=list)

    def picture(
        self, picture: np.ndarray, x: float, y: float, width: float, height: float, lines: Sequence[Line] = ()
    ) -> None:
        """Place RGB (H, W, 3) in the box, at its own aspect and standing on the bottom, with lines over it."""
        self.pictures.append((picture, x, y, width, height, lines))

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
        for picture, x, y, w, h, lines in self.pictures:
            axes = figure.add_axes((x / self.width, 1 - (y + h) / height, w / self.width, h / height))
            axes.imshow(picture, interpolation="antialiased", aspect="equal", origin="upper")
            axes.set_anchor("S")
            axes.set_axis_off()
            axes.set_autoscale_on(False)
            for drawn in lines:
                halo = [withStroke(linewidth=drawn.width + 1.2, foreground=(1, 1, 1, 0.75))] if drawn.halo else []
                axes.add_line(Line2D(*drawn.points.T, color=drawn.colour, linewidth=drawn.width, path_effects=halo))
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
