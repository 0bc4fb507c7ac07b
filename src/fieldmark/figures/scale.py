"""The only place where maps are brought to a common range, and images to something a screen can show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fieldmark.errors import FieldmarkError, ImageError

PERCENTILE = 99.0


@dataclass(frozen=True)
class Scale:
    """How one map is shown: value / limit, clipped to -1..1 (signed) or 0..1 (an amount).

    limit    the value shown at full strength; 0 where there is none
    signed   whether negative values are shown
    note     why nothing is shown ("blank: ..."), or ""
    """

    limit: float
    signed: bool
    note: str = ""

    @property
    def blank(self) -> bool:
        """Whether the map holds nothing that could be shown."""
        return bool(self.note)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """`values` as float32 in -1..1 or 0..1; zero where they are not finite, and everywhere in a blank map."""
        if self.blank:
            return np.zeros(values.shape, np.float32)
        known = np.where(np.isfinite(values), values, 0).astype(np.float64)
        return np.clip(known / self.limit, -1.0 if self.signed else 0.0, 1.0).astype(np.float32)


def scale_of(heatmap: np.ndarray, signed: bool, limit: float | None = None) -> Scale:
    """The scale of one map (h, w); `limit` sets the value of full strength, else the map's own is taken.

    A map that is zero, the same everywhere or not finite is blank: it cannot say where. Zero stays zero, since it
    means "no evidence"; so a map is divided by its limit and never stretched from its minimum.
    """
    known = heatmap[np.isfinite(heatmap)].astype(np.float64)
    if known.size == 0:
        return Scale(0.0, signed, "blank: no finite value")
    shown = known if signed else np.maximum(known, 0)
    strongest = float(np.abs(shown).max())
    if strongest == 0:
        return Scale(0.0, signed, "blank: zero everywhere" if not known.any() else "blank: nothing above zero")
    if known.size == heatmap.size and float(np.ptp(shown)) <= 1e-6 * strongest:
        return Scale(0.0, signed, f"blank: {shown.flat[0]:.3g} everywhere")
    return Scale(limit or limit_of(shown, signed), signed)


def scales_of(
    maps: np.ndarray, signed: bool, shared: bool = False, limit: float | None = None
) -> tuple[tuple[Scale, ...], ...]:
    """The scale of each of the maps (n, t, h, w): each its own, or one limit for all of them, theirs or a given one.

    Shared scales let strengths be compared between the images and classes of one method. They are never shared
    between methods, whose units differ.
    """
    if shared and limit is None:
        limit = limit_of(maps, signed)
    return tuple(tuple(scale_of(heatmap, signed, limit) for heatmap in row) for row in maps)


def limit_of(values: np.ndarray, signed: bool) -> float:
    """The value shown at full strength: the 99th percentile of the non-zero magnitudes; 0 where there are none.

    A single stray pixel of a gradient map would else make all the rest invisible. Up to 100 values, as in a CAM
    of 7 x 7, it is the largest one.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    strengths = np.abs(known) if signed else np.maximum(known, 0)
    strengths = strengths[strengths > 0]
    return float(np.percentile(strengths, PERCENTILE, method="higher")) if strengths.size else 0.0


def to_rgb(images: np.ndarray) -> np.ndarray:
    """Images (..., H, W, c) or one grey (H, W) as uint8 RGB (..., H, W, 3), the value range guessed over all of them.

    uint8 stays as it is. Other numbers are read as 0..1, -1..1 or 0..255, whichever holds them; anything else, and
    fractions that hardly leave 0..1, is stretched from its least to its greatest value. Four channels lose the fourth
    (alpha); one channel is grey; any other number of channels is shown as the grey mean. Values that are not finite
    are black.
    """
    images = np.asarray(images)
    if images.ndim == 2:
        images = images[..., None]
    if images.ndim < 3 or 0 in images.shape or images.dtype.kind not in "buif":
        raise ImageError(
            f"image: expected numbers of shape (height, width, channels), received {images.dtype} {images.shape}"
        )
    channels = images.shape[-1]
    kept = images[..., :3] if channels in (3, 4) else images
    levels = kept if kept.dtype == np.uint8 else _levels(kept)
    if channels not in (1, 3, 4):
        levels = levels.mean(axis=-1, keepdims=True)
    levels = np.rint(levels).astype(np.uint8)
    return levels if levels.shape[-1] == 3 else np.repeat(levels, 3, axis=-1)


def check_fraction(name: str, value: float) -> float:
    """`value`, if it lies in 0..1."""
    if not 0 <= value <= 1:
        raise FieldmarkError(f"{name}: expected a number from 0 to 1, received {value}")
    return float(value)


def _levels(values: np.ndarray) -> np.ndarray:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.float32)
    low, high = float(values[finite].min()), float(values[finite].max())
    if values.dtype.kind == "b" or (low >= 0 and high <= 1):
        low, high = 0.0, 1.0
    elif low >= -1 and high <= 1:
        low, high = -1.0, 1.0
    elif low >= 0 and high <= 255 and (values.dtype.kind in "iu" or high > 16):
        low, high = 0.0, 255.0
    known = np.where(finite, values, low).astype(np.float64)
    return (known - low) * (255 / (high - low)) if high > low else np.full(values.shape, 127.0)
