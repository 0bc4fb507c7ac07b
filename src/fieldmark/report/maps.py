"""How maps and photographs travel in a page: numbers and pixels as text, as fine as the size of the page allows."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from fieldmark.figures.colours import colour_table, rows
from fieldmark.figures.scale import Scale

FINE_CHARACTERS = 16_000_000
"""Up to here all maps travel as 16-bit floats; above it only small ones do, and large ones as rows of the colours."""

MOST_CHARACTERS = 26_000_000
"""Above it, large maps are averaged down until all of them fit."""

SMALL_MAP = 64 * 64
NOT_FINITE = 255  # the code of a value that is no number; the colour table ends at 254
PIXELS = 128  # longest side up to which a picture keeps its very pixels


@dataclass(frozen=True)
class Budget:
    """What one page can afford: values a map that travel as floats, the longest side of a map, and of a photograph."""

    fine: int
    side: int
    photo: int
    quality: int

    @property
    def note(self) -> str:
        """What a reader should know of it, or ""."""
        return (
            f"Maps of more than {self.side} pixels a side were averaged to {self.side}, so that this page stays small."
            if self.side < self.photo
            else ""
        )


def budget(shapes: Sequence[tuple[int, int]], images: int) -> Budget:
    """The budget of a page with maps of these shapes (h, w) and this number of images."""
    photo, quality = (768, 88) if images <= 24 else (512, 85) if images <= 100 else (400, 80)
    kept = [_within(shape, photo) for shape in shapes]
    if _characters(kept, 2 * photo**2) <= FINE_CHARACTERS:
        return Budget(photo**2, photo, photo, quality)
    side = photo
    while side > 64 and _characters([_within(shape, side) for shape in kept], SMALL_MAP) > MOST_CHARACTERS:
        side -= 8
    return Budget(SMALL_MAP, side, photo, quality)


def encode_map(values: np.ndarray, scale: Scale, plan: Budget) -> dict[str, Any]:
    """One map (h, w) for the browser, as JSON-able values:

    limit   the value of full strength; 0 for a map that is blank
    shape   [h, w]
    halves  base64 of float16 (h, w), each value divided by `top`; or
    rows    base64 of uint8 (h, w), the row of the colour table, NOT_FINITE for a value that is not finite

    A map without any strength has neither. Values beyond the limit are cut off in `rows`, and kept in `halves`.
    """
    size = _within(values.shape, plan.side)
    entry: dict[str, Any] = {"limit": _plain(scale.limit), "shape": list(size)}
    finite = np.isfinite(values)
    if scale.blank and not (finite & (values != 0)).any():
        return entry
    if size != values.shape:
        values = np.asarray(Image.fromarray(np.where(finite, values, 0).astype(np.float32)).resize(size[::-1], BOX))
        finite = np.isfinite(values)
    if values.size <= plan.fine or scale.blank:
        top = float(np.abs(values[finite]).max())
        return entry | {"top": top, "halves": _text((values.astype(np.float64) / top).astype("<f2"))}
    codes = np.where(finite, rows(scale(values), scale.signed), np.uint8(NOT_FINITE))
    return entry | {"rows": _text(codes)}


BOX = Image.Resampling.BOX


def encode_photo(photo: np.ndarray, plan: Budget) -> tuple[Image.Image, str]:
    """RGB (H, W, 3) at the size at which it travels, and the data URI of that: PNG where pixels are to be seen."""
    shown = Image.fromarray(photo)
    shown.thumbnail((plan.photo, plan.photo))
    return shown, data_uri(shown, plan.quality)


def data_uri(picture: Image.Image, quality: int = 88) -> str:
    """PNG for what is small enough to show its pixels, JPEG for photographs."""
    file = io.BytesIO()
    small = max(picture.size) <= PIXELS
    if small:
        picture.save(file, "PNG", optimize=True)
    else:
        picture.save(file, "JPEG", quality=quality, subsampling=0 if quality > 85 else 2, optimize=True)
    return f"data:image/{'png' if small else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def colour_text(signed: bool) -> str:
    """The figures' colour table as base64 of uint8 (255, 4)."""
    return _text(np.rint(255 * colour_table(signed)).astype(np.uint8))


def _within(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """(h, w) made to fit a square of `side`, at least 1 each way."""
    height, width = int(shape[0]), int(shape[1])
    share = min(1.0, side / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def _characters(shapes: Sequence[tuple[int, int]], fine: int) -> int:
    return sum(h * w * (2 if h * w <= fine else 1) for h, w in shapes) * 4 // 3


def _plain(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
