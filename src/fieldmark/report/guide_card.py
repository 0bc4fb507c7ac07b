"""A field guide on one sheet of paper: every class with its picture and its best mark, and the key."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image

from fieldmark.guide import FieldGuide
from fieldmark.guide.mark import Couplet
from fieldmark.report.html import write_atomically

WIDTH, HEIGHT = 8.27, 11.69  # inches: A4
MARGIN = 0.45
GAP, LINE = 0.16, 0.5  # between plates, of a couplet
NAME, ROW = 0.21, 0.17  # beside a picture: of the class's name, of a line of words
LETTER = 0.068  # inches, of these words
MOST = 24  # classes on one sheet
KEY_MOST = 0.45  # of the sheet that a key may take: what is longer stays on the page
INK, QUIET, ACCENT, BAD = "#1f1c17", "#645e53", "#1f5f3c", "#8c2f14"


def write_card(guide: FieldGuide, path: Path) -> Path:
    """Write a PDF of one page; returns its path. Raises OutputError where the place cannot be written."""
    buffer = io.BytesIO()
    with rc_context({"pdf.fonttype": 42, "text.parse_math": False}):
        figure = card(guide)
        FigureCanvasPdf(figure).print_pdf(buffer, metadata={"Title": "Field guide", "CreationDate": None})
    return write_atomically(path, buffer.getvalue())


def card(guide: FieldGuide) -> Figure:
    """The sheet: verdict, plates, key; what it has no room for is said to be on the page."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    names = commonest(guide)
    couplets = guide.key.couplets() if guide.key is not None else []
    key_height = 0.6 + LINE * -(-len(couplets) // 2) if couplets else 0
    notes = []
    if len(names) < len(guide.plates):
        notes.append(f"The {len(names)} commonest of {len(guide.plates)} classes. The others are on the page.")
    if key_height > KEY_MOST * HEIGHT:
        notes.append(f"The key has {len(couplets)} questions, too many for a sheet. It is on the page.")
        couplets, key_height = [], 0
    top = _heading(figure, guide, notes)
    columns = 2 if len(names) <= 12 else 3
    rows = -(-len(names) // columns) or 1
    room = top - MARGIN - key_height
    size = max(0.5, min(1.75 if columns == 2 else 1.15, room / rows - GAP))
    width = (WIDTH - 2 * MARGIN) / columns
    for i, name in enumerate(names):
        left, upper = MARGIN + (i % columns) * width, top - (i // columns) * (size + GAP)
        _plate(figure, guide, name, left, upper, size, width)
    _key(figure, couplets, top - rows * (size + GAP) - 0.2)
    return figure


def commonest(guide: FieldGuide) -> list[str]:
    """The classes that a sheet has room for: those of which there are most pictures, in the guide's order."""
    order = sorted(guide.plates, key=lambda name: -guide.counts.get(name, 0))
    return [name for name in guide.plates if name in set(order[:MOST])]


def _heading(figure: Figure, guide: FieldGuide, notes: Sequence[str]) -> float:
    _text(figure, MARGIN, HEIGHT - MARGIN, "What to look for", size=20, family="serif", weight="bold")
    if guide.fidelity is None or not guide.reducible:
        line = f"Don't rely on this: {guide.verdict}."
        colour = BAD
    else:
        said = guide.fidelity.described
        line = (
            f"With these words alone, {said.value:.0%} of {said.n} new pictures are called what the network calls them "
            f"({said.low:.0%} to {said.high:.0%}); with random places, {said.control:.0%}."
        )
        colour = QUIET
    y = HEIGHT - MARGIN - 0.42
    warned = ((f"Warning: {each}.", BAD) for each in guide.warnings)
    for text, tone in ((line, colour), *warned, *((each, QUIET) for each in notes)):
        for part in textwrap.wrap(text, 112)[:4]:
            _text(figure, MARGIN, y, part, size=8.5, color=tone)
            y -= 0.16
    return y - 0.08


def _plate(figure: Figure, guide: FieldGuide, name: str, left: float, upper: float, size: float, width: float) -> None:
    marks = [mark for mark in guide.marks if name in mark.classes]
    marks.sort(key=lambda mark: (not mark.accepted, -mark.effect))
    left_over = guide.default is not None and guide.classes[guide.default.cls] == name
    if left_over:
        marks = [mark for mark in marks if mark.accepted]
    axes = figure.add_axes((left / WIDTH, (upper - size) / HEIGHT, size / WIDTH, size / HEIGHT))
    axes.set_axis_off()
    example = next((e for mark in marks for e in mark.examples if e.image in guide.pictures), None)
    if example is None:
        axes.imshow(guide.plates[name], interpolation="bilinear")
    else:
        height, width_px = example.mask.shape
        picture = Image.open(io.BytesIO(guide.pictures[example.image].jpeg))
        axes.imshow(picture, interpolation="bilinear", extent=(0, width_px, height, 0))
        for line, colour in ((2.2, "#ffffff"), (1.1, "#d3330a")):
            axes.contour(example.mask, levels=[0.5], colors=[colour], linewidths=line, extent=(0, width_px, 0, height))
    x, y = left + size + 0.12, upper - 0.02
    letters = max(16, int((width - size - 0.25) / LETTER))
    _text(figure, x, y, name if len(name) <= letters else name[: letters - 1] + "…", size=10.5, weight="bold")
    y -= NAME
    shown = [mark for mark in marks if mark.accepted][:2] or marks[:1]
    words = [mark.words + ("" if mark.accepted else " (not proved)") for mark in shown]
    for part in fitting(words, letters, max(1, int((size - NAME) / ROW))):
        _text(figure, x, y, part, size=9.5)
        y -= ROW
    if not marks:
        nothing = "none of the others' marks" if left_over else "no mark of its own"
        for part in textwrap.wrap(nothing, letters):
            _text(figure, x, y, part, size=8.5, color=QUIET)
            y -= ROW


def fitting(words: Sequence[str], letters: int, rows: int) -> list[str]:
    """Lines of at most so many letters: the first words, cut off where there are too few rows, and all others that fit.

    Each begins with a dot where there are several.
    """
    lines: list[str] = []
    for i, text in enumerate(words):
        dot = "· " if len(words) > 1 else ""
        found = textwrap.wrap(dot + text, letters, subsequent_indent="  " if dot else "")
        if i == 0 and len(found) > rows:
            found = [*found[: rows - 1], found[rows - 1][: letters - 1] + "…"]
        if len(lines) + len(found) <= rows:
            lines += found
    return lines


def _key(figure: Figure, couplets: Sequence[Couplet], upper: float) -> None:
    if not couplets:
        return
    _text(figure, MARGIN, upper, "The key", size=13, family="serif", weight="bold")
    half = -(-len(couplets) // 2)
    column = (WIDTH - 2 * MARGIN) / 2
    for i, each in enumerate(couplets):
        x, y = MARGIN + (i // half) * column, upper - 0.32 - (i % half) * LINE
        _text(figure, x, y, str(each.number), size=9, weight="bold", color=ACCENT)
        for part in textwrap.wrap(each.ask, 56)[:2]:
            _text(figure, x + 0.25, y, part, size=8.5)
            y -= 0.14
        _text(figure, x + 0.25, y - 0.01, f"yes: {each.yes}    no: {each.no}", size=8, color=QUIET)


def _text(figure: Figure, x: float, y: float, text: str, size: float, **style: Any) -> None:
    figure.text(x / WIDTH, y / HEIGHT, text, fontsize=size, va="top", color=style.pop("color", INK), **style)
