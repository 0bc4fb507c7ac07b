"""Figures of attributions: every class and method beside the photograph, with a legend that can be read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.errors import FieldmarkError, unknown
from fieldmark.figures.cells import Cell, Look, Photo, map_cell, photo_cell, photos_of
from fieldmark.figures.layout import draw
from fieldmark.figures.overlay import ALPHA, FADE
from fieldmark.figures.page import Panel
from fieldmark.figures.registration import seen_box
from fieldmark.figures.scale import Scale, check_fraction, limit_of, scales_of, to_rgb
from fieldmark.figures.text import clean

# Others find the words of a figure here.
from fieldmark.figures.words import describe_place, describe_scale, describe_score, legend_text

__all__ = ["describe_place", "describe_scale", "describe_score", "legend_text", "overlay_figure", "panel"]

MOST_IMAGES = 60
MOST_COLUMNS = 12
STYLES: dict[str, dict[str, Any]] = {
    "overlay": {"alpha": ALPHA, "fade": FADE, "pale": 0.0, "shared_scale": False},
    "shap": {"alpha": 1.0, "fade": 1.0, "pale": 0.8, "shared_scale": True},
}
"""What a style stands for: overlay, colours over the photograph; shap, over a pale grey one, all on one scale."""

_COLUMNS = 6


def panel(
    attributions: Attribution | Sequence[Attribution],
    *,
    images: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    original: bool = True,
    title: str | None = None,
    style: str = "overlay",
    alpha: float | None = None,
    fade: float | None = None,
    pale: float | None = None,
    colours: str | None = None,
    contours: int = 0,
    shared_scale: bool | None = None,
    limit: float | Sequence[float] | None = None,
    originals: Sequence[np.ndarray] | np.ndarray | None = None,
    fit: str = "crop",
) -> Panel:
    """A figure of every image, class and method: the photograph at the left, its maps beside it.

    attributions  one, or several of the same images: one a method, a layer, or a model
    images        which images, by position; by default all, at most 60
    names         one an image, for example the file names
    captions      one an attribution, for example "before" and "after"; by default the models where they differ
    columns       maps in a row, 1 to 12; by default one row a method or one a class, whichever makes fewer rows
    original      whether the photograph itself is shown
    title         by default the model's name; "" for none
    style         "overlay", or "shap": colours over a pale grey photograph, one scale for all maps; it sets the
                  defaults of alpha, fade, pale and shared_scale
    alpha, fade, pale, colours  as in `overlay`
    contours      0 to 9 lines of equal strength, evenly between zero and full colour; with alpha=0 lines alone
    shared_scale  one scale for all maps of a method at a layer, so that strengths compare, also between models
    limit         the value at full colour, for all maps, or one an attribution
    originals     the photographs as they were before `read_images` fitted them, one an image and of any size; the maps
                  are laid where they belong, and what the model did not see is pale
    fit           how they were fitted: "crop", "stretch" or "letterbox"

    Maps of signals are drawn as a strip of colours behind the curve, of volumes as up to six slices.
    Returns a matplotlib Figure (PNG, SVG and PDF by `savefig`), made without pyplot.
    """
    group = [attributions] if isinstance(attributions, Attribution) else list(attributions)
    chosen = _check(group, images, names, captions, columns)
    shared = shared_scale if limit is None else True
    look = _look(style, colours, contours, alpha=alpha, fade=fade, pale=pale, shared_scale=shared)
    scales = _scales(group, look.shared_scale, limit)
    photos = _photos(group, originals, fit)
    said = _captions(group, captions)
    blocks = []
    for i in chosen:
        own = [None if each is None else each[i] for each in photos]
        cells = [
            [map_cell(att, scale[i][t], i, t, photo, look, caption) for t in range(att.maps.shape[1])]
            for att, scale, photo, caption in zip(group, scales, own, said, strict=True)
        ]
        lines = _lines(cells, columns)
        first = next((photo for photo in own if photo is not None), None)
        if original and first is not None:
            cell = photo_cell(first, names[i] if names else f"image {i}" if len(group[0]) > 1 else "original")
            lines = [[cell, *lines[0]], *([None, *line] for line in lines[1:])]
        blocks.append(lines)
    if columns is None:
        blocks = _beside(blocks)
    return draw(blocks, group, _title(group) if title is None else title, look)


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


def _check(
    group: list[Attribution],
    images: Sequence[int] | None,
    names: Sequence[str] | None,
    captions: Sequence[str] | None,
    columns: int | None,
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
    if captions is not None and len(captions) != len(group):
        raise FieldmarkError(f"captions: expected one for each of {len(group)} attributions, received {len(captions)}")
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


def _beside(blocks: list[list[list[Any]]]) -> list[list[list[Any]]]:
    """Many images of one short line each, several to a line."""
    size = max(len(line) for block in blocks for line in block)
    if len(blocks) <= 3 or size > 3 or any(len(block) != 1 or len(block[0]) != size for block in blocks):
        return blocks
    together = _COLUMNS // size
    lines = [line for block in blocks for line in block]
    return [[list(chain(*lines[k : k + together]))] for k in range(0, len(lines), together)]


def _title(group: list[Attribution]) -> str:
    models = list(dict.fromkeys(clean(att.provenance.get("model") or "") for att in group))
    return models[0] if len(models) == 1 else ""


def _captions(group: list[Attribution], captions: Sequence[str] | None) -> list[str]:
    models = [clean(att.provenance.get("model") or "") for att in group]
    return list(captions) if captions else models if len(set(models)) > 1 else [""] * len(group)


def _look(style: str, colours: str | None, contours: int, **given: Any) -> Look:
    if style not in STYLES:
        raise FieldmarkError(unknown("style", style, STYLES))
    if not isinstance(contours, int) or not 0 <= contours <= 9:
        raise FieldmarkError(f"contours: expected 0 to 9 lines, received {contours}")
    values = STYLES[style] | {name: value for name, value in given.items() if value is not None}
    for name in ("alpha", "fade", "pale"):
        values[name] = check_fraction(name, values[name])
    return Look(**{**values, "shared_scale": bool(values["shared_scale"])}, colours=colours, contours=int(contours))


def _scales(
    group: list[Attribution], shared: bool, limit: float | Sequence[float] | None
) -> list[tuple[tuple[Scale, ...], ...]]:
    """The scales of each attribution; shared ones by those of one method, parameters, layer and kind of score."""
    if limit is not None:
        limits = [float(each) for each in (limit if isinstance(limit, Sequence) else [limit] * len(group))]
        if len(limits) != len(group) or not all(0 < each < math.inf for each in limits):
            raise FieldmarkError(
                f"limit: expected a number above 0, or one for each of {len(group)} attributions, received {limit}"
            )
        return [scales_of(att.maps, att.signed, limit=each) for att, each in zip(group, limits, strict=True)]
    if not shared:
        return [scales_of(att.maps, att.signed) for att in group]
    keys = [_kind(att) for att in group]
    most = {
        key: limit_of(
            np.concatenate([att.maps.ravel() for att, its in zip(group, keys, strict=True) if its == key]),
            any(att.signed for att, its in zip(group, keys, strict=True) if its == key),
        )
        for key in keys
    }
    return [scales_of(att.maps, att.signed, limit=most[key]) for att, key in zip(group, keys, strict=True)]


def _kind(att: Attribution) -> str:
    """What maps must have in common for their strengths to compare."""
    kept = [att.provenance.get(key) for key in ("method", "parameters", "layer", "scores")]
    return json.dumps([*kept, att.signed], default=str, sort_keys=True)


def _photos(
    group: list[Attribution], originals: Sequence[np.ndarray] | np.ndarray | None, fit: str
) -> list[list[Photo] | None]:
    """The photographs of each attribution; one without images takes those of another."""
    own = [photos_of(att.images) for att in group]
    if originals is None:
        known = next((each for each in own if each is not None), None)
        return [known if each is None else each for each in own]
    given = [np.asarray(each) for each in originals]
    if len(given) != len(group[0]):
        raise FieldmarkError(f"originals: expected one for each of {len(group[0])} images, received {len(given)}")
    if any(att.images is None or att.maps.ndim != 4 for att in group):
        raise FieldmarkError("originals: expected maps of photographs that carry the images the model was given")
    shown = [to_rgb(each) for each in given]
    sizes = [att.images.shape[1:3] for att in group if att.images is not None]
    return [[Photo(each, seen_box(each.shape, size, fit)) for each in shown] for size in sizes]
