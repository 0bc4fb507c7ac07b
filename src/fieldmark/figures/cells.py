"""One cell of a figure: the picture of an image or of its map, the lines drawn on it, and the words under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from contourpy import contour_generator
from PIL import Image

from fieldmark.attribution import Attribution, resize_maps
from fieldmark.figures.colours import colour_table
from fieldmark.figures.overlay import ALPHA, FADE, blend, lay, overlay, show
from fieldmark.figures.page import ALERT, INK, MUTED, Line, Words
from fieldmark.figures.registration import WHOLE, Box
from fieldmark.figures.scale import Scale, to_rgb
from fieldmark.figures.text import clean
from fieldmark.figures.words import describe_place, describe_scale, describe_score

GREY = 165
_SIDES = (200, 800)
_SLICES = 6
_GUTTER = 4
_STRIP = 0.42  # height of a signal's strip, in its widths


@dataclass(frozen=True)
class Look:
    """How all the maps of one figure are drawn."""

    alpha: float = ALPHA
    fade: float = FADE
    pale: float = 0.0
    colours: str | None = None
    shared_scale: bool = False
    contours: int = 0


@dataclass(frozen=True)
class Cell:
    """One picture with the lines on it and the words under it."""

    picture: np.ndarray
    words: tuple[Words, ...]
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Photo:
    """An image under its maps: RGB uint8 (H, W, 3), a signal (length, c) or a volume (depth, H, W, 3).

    `box` is where the maps lie on it.
    """

    values: np.ndarray
    box: Box = WHOLE


def photos_of(images: np.ndarray | None) -> list[Photo] | None:
    """The images of an attribution as they are shown; the range of their values is guessed over all of them."""
    if images is None:
        return None
    return [Photo(each) for each in (images if images.ndim == 3 else to_rgb(images))]


def photo_cell(photo: Photo, name: str) -> Cell:
    """The image itself, with its size in words."""
    rank = photo.values.ndim
    size = photo.values.shape if rank == 2 else photo.values.shape[:-1]
    if rank == 2:
        said, picture = f"signal, {size[0]} samples", np.full(_strip(size[0]), 250, np.uint8)
    elif rank == 4:
        chosen = _chosen(size[0])
        said = f"volume, {size[0]} slices of {size[2]} x {size[1]}; {_slices(chosen)}"
        picture = _montage(photo.values[chosen])
    else:
        said, picture = f"photograph, {size[1]} x {size[0]} px", fitted(photo.values)
    lines = _curves(photo.values, picture) if rank == 2 else ()
    return Cell(picture, (Words(clean(name), 8.5, "bold", INK), Words(said)), lines)


def map_cell(
    att: Attribution, scale: Scale, i: int, t: int, photo: Photo | None, look: Look, caption: str = ""
) -> Cell:
    """The map of image i and target t over its photograph, with everything that was asked."""
    said = [describe_place(att), describe_score(att, i, t)]
    if att.pictures is not None:
        picture, note = fitted(show(att, i, t)), ""
        lines: tuple[Line, ...] = ()
    else:
        draw = {3: _signal, 4: _image, 5: _volume}[att.maps.ndim]
        picture, lines = draw(att.maps[i, t], scale, photo, look)
        note = scale.note
        said.append(describe_scale(att, scale))
        if photo is not None and (min(photo.box[:2]) > 0 or max(photo.box[2:]) < 1 or _cut(photo.box)):
            said.append("pale: cut off before the model saw it")
    words = [Words(clean(att.targets[i][t]), 8.5, "bold", INK)]
    words += [Words(clean(caption), 8, "bold", MUTED)] if caption else []
    words += [Words(text) for text in said if text]
    words += [Words(note, colour=ALERT)] if note else []
    return Cell(picture, tuple(words), tuple(lines))


def fitted(picture: np.ndarray) -> np.ndarray:
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


def _cut(box: Box) -> bool:
    return max(box[0], box[1], 1 - box[2], 1 - box[3]) > 1e-9


def _image(heatmap: np.ndarray, scale: Scale, photo: Photo | None, look: Look) -> tuple[np.ndarray, tuple[Line, ...]]:
    base = fitted(np.full((*heatmap.shape, 3), GREY, np.uint8) if photo is None else photo.values)
    box = WHOLE if photo is None else photo.box
    picture = overlay(
        base, heatmap, look.alpha, scale=scale, fade=look.fade, colours=look.colours, pale=look.pale, box=box
    )
    return picture, _contours(lay(scale(heatmap), base.shape[:2], box), scale, look)


def _contours(values: np.ndarray, scale: Scale, look: Look) -> tuple[Line, ...]:
    """Lines where the strength is 1/(k + 1), ..., k/(k + 1) of full colour."""
    if not look.contours or scale.blank or min(values.shape) < 2:
        return ()
    find = contour_generator(z=values)
    return tuple(
        Line(np.asarray(points), ink, 0.9, halo=True)
        for level, ink in contour_levels(scale.signed, look)
        for points in find.lines(level)
    )


def contour_levels(signed: bool, look: Look) -> list[tuple[float, tuple[float, ...]]]:
    """The strengths at which lines are drawn, -1..1 or 0..1, each with its colour, darker than the map's."""
    table = colour_table(signed, look.colours)[:, :3]
    levels = np.arange(1, look.contours + 1) / (look.contours + 1)
    both = [*-levels[::-1], *levels] if signed else [*levels]
    rows = [round(((level + 1) / 2 if signed else level) * (len(table) - 1)) for level in both]
    return [(float(level), tuple(0.75 * table[row])) for level, row in zip(both, rows, strict=True)]


def _signal(heatmap: np.ndarray, scale: Scale, photo: Photo | None, look: Look) -> tuple[np.ndarray, tuple[Line, ...]]:
    height, width, _ = _strip(len(heatmap) if photo is None else len(photo.values))
    values = resize_maps(scale(heatmap), (width,))[None].repeat(height, axis=0)
    ground = np.full((height, width, 3), 250.0)
    picture = blend(ground, values, look.alpha, colour_table(scale.signed, look.colours), scale.signed)
    return picture, () if photo is None else _curves(photo.values, picture)


def _strip(length: int) -> tuple[int, int, int]:
    width = min(max(length, _SIDES[0]), _SIDES[1])
    return round(_STRIP * width), width, 3


def _curves(signal: np.ndarray, picture: np.ndarray) -> tuple[Line, ...]:
    """Each channel of a signal (length, c) as a line over a picture of its length; up to four, else their mean."""
    signal = np.nan_to_num(signal.astype(np.float64))
    if signal.shape[1] > 4:
        signal = signal.mean(axis=1, keepdims=True)
    height, width = picture.shape[:2]
    low, high = float(signal.min()), float(signal.max())
    x = (np.arange(len(signal)) + 0.5) / len(signal) * width - 0.5
    lines = []
    for channel, ink in zip(signal.T, ("#1b1f24", "#57606a", "#8c959f", "#afb8c1"), strict=False):
        share = (channel - low) / (high - low) if high > low else np.full(len(channel), 0.5)
        y = (0.95 - 0.9 * share) * (height - 1)
        lines.append(Line(np.stack([x, y], axis=1), ink, 0.7))
    return tuple(lines)


def _volume(heatmap: np.ndarray, scale: Scale, photo: Photo | None, look: Look) -> tuple[np.ndarray, tuple[Line, ...]]:
    size = heatmap.shape if photo is None else photo.values.shape[:3]
    values = resize_maps(scale(heatmap), size)
    unit = Scale(1.0, scale.signed)
    options: dict[str, Any] = {"fade": look.fade, "colours": look.colours, "pale": look.pale, "scale": unit}
    grey = np.full((*size[1:], 3), GREY, np.uint8)
    drawn = [
        overlay(grey if photo is None else photo.values[k], values[k], look.alpha, **options) for k in _chosen(size[0])
    ]
    return _montage(np.stack(drawn)), ()


def _chosen(depth: int) -> list[int]:
    """Up to six slices, evenly from the first to the last part of a volume."""
    count = min(depth, _SLICES)
    return [int((k + 0.5) * depth / count) for k in range(count)]


def _slices(chosen: list[int]) -> str:
    return f"shown: {', '.join(str(k + 1) for k in chosen)}"


def _montage(slices: np.ndarray) -> np.ndarray:
    """Slices (k, H, W, 3) side by side in rows of three, with white between them."""
    least = _SIDES[0] // 2
    times = max(1, math.ceil(least / max(slices.shape[1:3])))
    slices = slices.repeat(times, axis=1).repeat(times, axis=2)
    k, height, width = slices.shape[:3]
    columns = min(k, 3)
    rows = math.ceil(k / columns)
    out = np.full((rows * (height + _GUTTER) - _GUTTER, columns * (width + _GUTTER) - _GUTTER, 3), 255, np.uint8)
    for number, each in enumerate(slices):
        y, x = number // columns * (height + _GUTTER), number % columns * (width + _GUTTER)
        out[y : y + height, x : x + width] = each
    return fitted(out)
