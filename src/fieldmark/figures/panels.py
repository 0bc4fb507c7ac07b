"""Figures of attributions: every class and method beside the photograph, with a legend that can be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from fieldmark.attribution import Attribution
from fieldmark.errors import FieldmarkError
from fieldmark.figures.colours import LEVELS, WORDS, colour_table
from fieldmark.figures.overlay import ALPHA, FADE, blend, overlay, show
from fieldmark.figures.page import ALERT, INK, Page, Panel, Words
from fieldmark.figures.scale import Scale, check_fraction, scales_of, to_rgb
from fieldmark.figures.text import clean, percent

MOST_IMAGES = 60
MOST_COLUMNS = 12

_COLUMNS = 6
_MARGIN = 0.2
_GAP = 0.16
_LEGEND = 1.9
_SIDES = (200, 800)
_GREY = 165


@dataclass(frozen=True)
class Look:
    """How all the maps of one figure are drawn."""

    alpha: float = ALPHA
    fade: float = FADE
    colours: str | None = None
    shared_scale: bool = False


@dataclass(frozen=True)
class Cell:
    """One picture with the words under it."""

    picture: np.ndarray
    words: tuple[Words, ...]


def panel(
    attributions: Attribution | Sequence[Attribution],
    *,
    images: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    columns: int | None = None,
    original: bool = True,
    title: str | None = None,
    alpha: float = ALPHA,
    fade: float = FADE,
    colours: str | None = None,
    shared_scale: bool = False,
) -> Panel:
    """A figure of every image, class and method: the photograph at the left, its maps beside it.

    attributions  one, or several of the same images (one a method)
    images        which images, by position; by default all, at most 60
    names         one a image, for example the file names
    columns       maps in a row, 1 to 12; by default one row a method or one a class, whichever makes fewer rows
    original      whether the photograph itself is shown
    title         by default the model's name; "" for none
    shared_scale  one scale for all maps of a method, so that strengths compare; by default each map has its own
    alpha, fade, colours  as in `overlay`

    Returns a matplotlib Figure (PNG, SVG and PDF by `savefig`), made without pyplot.
    """
    group = [attributions] if isinstance(attributions, Attribution) else list(attributions)
    chosen = _check(group, images, names, columns)
    look = Look(check_fraction("alpha", alpha), check_fraction("fade", fade), colours, shared_scale)
    scales = [scales_of(att.maps, att.signed, shared_scale) for att in group]
    photos = next((to_rgb(att.images) for att in group if att.images is not None), None)
    blocks = []
    for i in chosen:
        photo = None if photos is None else photos[i]
        cells = [
            [_cell(att, scale, i, t, photo, look) for t in range(att.maps.shape[1])]
            for att, scale in zip(group, scales, strict=True)
        ]
        lines = _lines(cells, columns)
        if original and photo is not None:
            first = _photo(photo, names[i] if names else f"image {i}" if len(group[0]) > 1 else "original")
            lines = [[first, *lines[0]], *([None, *line] for line in lines[1:])]
        blocks.append(lines)
    return _draw(blocks, group, _title(group) if title is None else title, look)


def overlay_figure(attribution: Attribution, image: int = 0, target: int = 0, **options: Any) -> Panel:
    """A figure of one map over its image, with legend, method, layer, target and score; options as in `panel`."""
    n, t = attribution.maps.shape[:2]
    for what, index, size in (("image", image, n), ("target", target, t)):
        if not 0 <= index < size:
            raise FieldmarkError(f"overlay_figure: unknown {what} {index}: expected 0 to {size - 1}")
    pick = (slice(image, image + 1), slice(target, target + 1))
    one = Attribution(
        maps=attribution.maps[pick],
        scores=attribution.scores[pick],
        probabilities=attribution.probabilities[pick],
        classes=attribution.classes[pick],
        targets=((attribution.targets[image][target],),),
        provenance=attribution.provenance,
        images=None if attribution.images is None else attribution.images[pick[:1]],
        pictures=None if attribution.pictures is None else attribution.pictures[pick],
        signed=attribution.signed,
        warnings=attribution.warnings,
    )
    return panel(one, **{"original": False, **options})


def describe_place(attribution: Attribution) -> str:
    """Method and layer in words: "GradCAM at block7", "Gradients at the input"."""
    layer = attribution.provenance.get("layer")
    if attribution.pictures is not None:
        return f"{attribution.provenance.get('method', 'unknown method')}: a picture made to raise it"
    return f"{attribution.provenance.get('method', 'unknown method')} at {layer or 'the input'}"


def describe_score(attribution: Attribution, image: int, target: int) -> str:
    """Score and probability in words: "logit 11.31, 77 %"."""
    one_class = attribution.classes[image, target] >= 0
    logits = attribution.provenance.get("scores") == "logits"
    word = "logit" if logits and one_class else "score"
    probability = percent(float(attribution.probabilities[image, target]))
    return f"{word} {attribution.scores[image, target]:.4g}" + (f", probability {probability}" if probability else "")


def _check(
    group: list[Attribution], images: Sequence[int] | None, names: Sequence[str] | None, columns: int | None
) -> list[int]:
    if not group:
        raise FieldmarkError("panel: expected at least one attribution, received none")
    sizes = sorted({len(att) for att in group})
    if len(sizes) > 1:
        raise FieldmarkError(f"panel: expected attributions of the same images, received {sizes} images")
    if columns is not None and not 1 <= columns <= MOST_COLUMNS:
        raise FieldmarkError(f"columns: expected 1 to {MOST_COLUMNS}, received {columns}")
    if names is not None and len(names) != sizes[0]:
        raise FieldmarkError(f"names: expected one for each of {sizes[0]} images, received {len(names)}")
    chosen = list(range(sizes[0])) if images is None else [int(i) for i in images]
    wrong = [i for i in chosen if not 0 <= i < sizes[0]]
    if wrong:
        raise FieldmarkError(f"images: unknown image {wrong[0]}: expected 0 to {sizes[0] - 1}")
    if not 0 < len(chosen) <= MOST_IMAGES or not any(att.maps.shape[1] for att in group):
        raise FieldmarkError(
            f"panel: expected 1 to {MOST_IMAGES} images with a target, received {len(chosen)}; "
            "choose some with images=[...] or write a report"
        )
    return chosen


def _cell(att: Attribution, scales: tuple[tuple[Scale, ...], ...], i: int, t: int, photo: Any, look: Look) -> Cell:
    scale = scales[i][t]
    if att.pictures is not None:
        picture, note = _fit(show(att, i, t)), ""
    else:
        base = np.full((*att.maps.shape[2:], 3), _GREY, np.uint8) if photo is None else photo
        picture = overlay(_fit(base), att.maps[i, t], look.alpha, scale=scale, fade=look.fade, colours=look.colours)
        note = scale.note
    words = [
        Words(clean(att.targets[i][t]), 8.5, "bold", INK),
        Words(describe_place(att)),
        Words(describe_score(att, i, t)),
    ]
    return Cell(picture, (*words, Words(note, colour=ALERT)) if note else tuple(words))


def _photo(photo: np.ndarray, name: str) -> Cell:
    height, width = photo.shape[:2]
    return Cell(_fit(photo), (Words(clean(name), 8.5, "bold", INK), Words(f"photograph, {width} x {height} px")))


def _fit(picture: np.ndarray) -> np.ndarray:
    """The picture at a size for printing: small ones with their pixels repeated, large ones averaged."""
    least, most = _SIDES
    side = max(picture.shape[:2])
    if side < least:
        times = math.ceil(least / side)
        return picture.repeat(times, axis=0).repeat(times, axis=1)
    if side > most:
        height, width = (max(1, round(length * most / side)) for length in picture.shape[:2])
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
    return picture


def _lines(cells: list[list[Cell]], columns: int | None) -> list[list[Any]]:
    """The cells of one image (method by method) in rows: a row a method or a row a class; long rows are cut evenly."""
    rows = [row for row in cells if row]
    if len({len(row) for row in rows}) == 1 and len(rows) > len(rows[0]):
        rows = [list(row) for row in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        size = columns or math.ceil(len(row) / math.ceil(len(row) / _COLUMNS))
        lines += [row[start : start + size] for start in range(0, len(row), size)]
    return lines


def _title(group: list[Attribution]) -> str:
    return clean(group[0].provenance.get("model") or "")


def _draw(blocks: list[list[list[Any]]], group: list[Attribution], title: str, look: Look) -> Panel:
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
            page.picture(cell.picture, x, y, width, tall)
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
        ground = np.full((*values.shape, 3), float(_GREY))
        bar = blend(ground, values, look.alpha, colour_table(signed, look.colours), signed)
        page.picture(bar, _MARGIN, y, _LEGEND, _LEGEND * 24 / LEVELS)
        under = y + _LEGEND * 24 / LEVELS + 0.02
        low, high = WORDS[signed]
        for word, align in ((low, "left"), ("0" if signed else "", "center"), (high, "right")):
            below = page.words(Words(word), _MARGIN, under, _LEGEND, align)
        text = Words(legend_text(signed, look.shared_scale, methods if len(kinds) > 1 else []))
        beside = inner - _LEGEND - _GAP >= 2.2
        x, top, room = (
            (_MARGIN + _LEGEND + _GAP, y, inner - _LEGEND - _GAP) if beside else (_MARGIN, below + 0.03, inner)
        )
        y = max(below, page.words(text, x, top, room)) + 0.1
    return y


def legend_text(signed: bool, shared: bool, methods: Sequence[str] = ()) -> str:
    """What the colours mean, in one or two sentences."""
    whose = f"{', '.join(methods)}: " if methods else ""
    what = (
        "evidence for and against the named class."
        if signed
        else "how much a place matters to the score of the named class."
    )
    scale = (
        "One scale for all maps of a method: strengths compare."
        if shared
        else "Each map on its own scale: compare places, not strengths."
    )
    return f"{whose}{what if whose else what[0].upper() + what[1:]} {scale}"


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
