"""The images as a person sees them: uint8 RGB at a size where objects, words and places are worked out, and CIELAB."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import cv2
import numpy as np

from fieldmark.errors import ImageError

LEAST, MOST = 64, 128  # shorter and longer side, in pixels, of the images the guide works on
WHITE, BRIGHTEST, DIM = 240.0, 99.0, 1.4  # what the brightest per cent of a picture is taken for; the most it is raised
GAMMA = 2.2  # of bytes against light
NOISE = 0.7  # pixels: what is averaged before the brightest are looked for


@dataclass(frozen=True, eq=False)
class Pictures:
    """rgb (n, h, w, 3) uint8 at working size; `span` is what 0 and 255 are in the images as given."""

    rgb: np.ndarray
    span: tuple[float, float] = (0.0, 255.0)
    _known: dict[Hashable, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, images: np.ndarray) -> Pictures:
        """From checked images (n, H, W, c), c 1, 3 or 4, uint8 or float in any range. Raises ImageError."""
        rgb, span = _as_rgb(images)
        size = working_size(*rgb.shape[1:3])
        return cls(np.ascontiguousarray(np.stack([resized(each, size) for each in rgb])), span)

    def __len__(self) -> int:
        return len(self.rgb)

    def select(self, rows: np.ndarray) -> Pictures:
        return Pictures(self.rgb[rows], self.span, {name: values[rows] for name, values in self._known.items()})

    def aside(self) -> Pictures:
        """The same pictures; what is worked out of these is not kept with those."""
        return Pictures(self.rgb, self.span, dict(self._known))

    def once(self, name: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """(n, ...) what is worked out of each picture, the first time; from then on it goes along in a selection."""
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in working pixels."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @property
    def side(self) -> float:
        """The side of a square of the same area."""
        return float(np.sqrt(self.rgb.shape[1] * self.rgb.shape[2]))

    @property
    def lab(self) -> np.ndarray:
        """(n, h, w, 3) float32: L* of 0 to 100, a*, b*."""
        return self.once("lab", lambda: np.stack([to_lab(each) for each in self.rgb]))

    @property
    def light(self) -> np.ndarray:
        """(n,) 1 to DIM: by how much each picture is brightened for an eye that has adapted to its light.

        What is brightest is nearly white [land1971]: a white bar in the shade is white, though its pixels are grey.
        """
        return self.once("light", lambda: np.array([_brightened(each) for each in self.rgb]))


def _brightened(rgb: np.ndarray) -> float:
    brightest = np.percentile(cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), NOISE).max(axis=-1), BRIGHTEST)
    return float(np.clip(WHITE / max(brightest, 1.0), 1.0, DIM))


def resized(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w[, c]) at another (height, width): averaged where it shrinks, smooth where it grows."""
    if values.shape[:2] == shape:
        return values
    way = cv2.INTER_AREA if shape[0] < values.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(values, shape[::-1], interpolation=way)


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 or float 0-255 to float32 CIELAB."""
    return cv2.cvtColor(np.asarray(rgb, np.float32) / 255, cv2.COLOR_RGB2LAB)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 CIELAB to float32 RGB of 0 to 255."""
    return np.clip(cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_LAB2RGB), 0, 1) * 255


def adapted(lab: np.ndarray, light: float | np.ndarray) -> np.ndarray:
    """CIELAB (..., 3) in a light that many times as strong, `light` in bytes (...): lighter, and no more colourful."""
    found = np.array(lab, np.float32)
    found[..., 0] = np.clip((found[..., 0] + 16) * light ** (GAMMA / 3) - 16, 0, 100)
    return found


def require_visible(images: np.ndarray) -> None:
    """Raises ImageError for images (n, h, w, c) that people can't look at."""
    if images.shape[-1] not in (1, 3, 4):
        raise ImageError(
            "a guide is in words about what people see: expected images of 1, 3 or 4 channels, received "
            f"{images.shape[-1]}"
        )


def _as_rgb(images: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    require_visible(images)
    channels = images.shape[-1]
    values = images[..., :3] if channels == 4 else images
    span = (0.0, 255.0) if values.dtype == np.uint8 else _span(values)
    if values.dtype != np.uint8:
        scaled = (values.astype(np.float32) - span[0]) / (span[1] - span[0])
        values = np.clip(scaled * 255 + 0.5, 0, 255).astype(np.uint8)
    return (np.repeat(values, 3, axis=-1) if channels == 1 else np.ascontiguousarray(values)), span


def _span(values: np.ndarray) -> tuple[float, float]:
    """What black and white are in float images: 0 to 1, 0 to 255, -1 to 1, or the least and the greatest value."""
    low, high = float(values.min()), float(values.max())
    for least, most in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if least <= low and high <= most:
            return least, most
    return low, max(high, low + 1e-6)


def working_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the pictures that a guide works on, for images of that height and width."""
    short, long = min(height, width), max(height, width)
    factor = 1.0
    if long > MOST:
        factor = MOST / long
    if short * factor < LEAST:
        factor = LEAST / short
    return max(8, round(height * factor)), max(8, round(width * factor))
