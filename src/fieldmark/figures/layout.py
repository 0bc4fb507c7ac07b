"""Where the cells of a figure, its legends and its warnings go."""

from __future__ import annotations

from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.figures.cells import GREY, Look, contour_levels
from fieldmark.figures.colours import LEVELS, WORDS, colour_table
from fieldmark.figures.overlay import blend, whiten
from fieldmark.figures.page import ALERT, INK, Line, Page, Panel, Words
from fieldmark.figures.text import clean
from fieldmark.figures.words import describe_place, legend_text

_MARGIN = 0.2
_GAP = 0.16
_LEGEND = 1.9


def draw(blocks: list[list[list[Any]]], group: list[Attribution], title: str, look: Look) -> Panel:
    """The figure of blocks (one an image) of lines of cells, None where there is none."""
    columns = max(len(line) for block in blocks for line in block)
    width = 3.0 if columns == 1 else 2.3 if columns <= 7 else 1.75
    page = Page(2 * _MARGIN + columns * width + (columns - 1) * _GAP)
    inner = page.width - 2 * _MARGIN
    y = _MARGIN
    if title:
        y = page.words(Words(title, 11, "bold", INK), _MARGIN, y, inner) + 0.1
    for line in (line for block in blocks for line in block):
        shown = [(k, cell) for k, cell in enumerate(line) if cell is not None]
        tall = max(width * min(max(c.picture.shape[0] / c.picture.shape[1], 0.2), 2.0) for _, c in shown)
        ends = []
        for k, cell in shown:
            x = _MARGIN + k * (width + _GAP)
            page.picture(cell.picture, x, y, width, tall, cell.lines)
            below = y + tall + 0.05
            for words in cell.words:
                below = page.words(words, x, below, width)
            ends.append(below)
        y = max(ends) + _GAP
    y = _legends(page, group, look, y, inner)
    return page.figure(_warnings(page, group, y, inner) + _MARGIN)


def _legends(page: Page, group: list[Attribution], look: Look, y: float, inner: float) -> float:
    group = [att for att in group if att.pictures is None]
    kinds = sorted({att.signed for att in group}, reverse=True)
    for signed in kinds:
        methods = list(dict.fromkeys(str(att.provenance.get("method", "?")) for att in group if att.signed == signed))
        values = np.linspace(-1 if signed else 0, 1, LEVELS, dtype=np.float32)[None].repeat(24, axis=0)
        ground = whiten(np.full((*values.shape, 3), float(GREY)), look.pale)
        bar = blend(ground, values, look.alpha, colour_table(signed, look.colours), signed)
        page.picture(bar, _MARGIN, y, _LEGEND, _LEGEND * 24 / LEVELS, _marks(signed, look) if look.contours else ())
        under = y + _LEGEND * 24 / LEVELS + 0.02
        low, high = WORDS[signed]
        for word, align in ((low, "left"), ("0" if signed else "", "center"), (high, "right")):
            below = page.words(Words(word), _MARGIN, under, _LEGEND, align)
        text = Words(
            legend_text(signed, look.shared_scale, methods if len(kinds) > 1 else [])
            + (f" Lines: {_shares(look.contours)} of full colour." if look.contours else "")
        )
        beside = inner - _LEGEND - _GAP >= 2.2
        x, top, room = (
            (_MARGIN + _LEGEND + _GAP, y, inner - _LEGEND - _GAP) if beside else (_MARGIN, below + 0.03, inner)
        )
        y = max(below, page.words(text, x, top, room)) + 0.1
    return y


def _marks(signed: bool, look: Look) -> list[Line]:
    """The contour lines in the legend's bar."""
    places = [((level + 1) / 2 if signed else level, ink) for level, ink in contour_levels(signed, look)]
    return [Line(np.array([[x * LEVELS, -0.5], [x * LEVELS, 23.5]]), ink, 0.9, halo=True) for x, ink in places]


def _shares(contours: int) -> str:
    shares = [f"{100 * k / (contours + 1):.0f}" for k in range(1, contours + 1)]
    return f"{' and '.join([', '.join(shares[:-1]), shares[-1]]) if contours > 1 else shares[0]} %"


def _warnings(page: Page, group: list[Attribution], y: float, inner: float) -> float:
    texts = [f"Warning ({describe_place(att)}): {clean(text)}" for att in group for text in att.warnings]
    words = [Words(text, colour=ALERT) for text in dict.fromkeys(texts)]
    if not words:
        return y
    room = inner - 0.2
    below = y + 0.08
    for paragraph in words:
        below = page.words(paragraph, _MARGIN + 0.1, below, room)
    page.ground(_MARGIN, y, inner, below + 0.08 - y)
    return below + 0.08
