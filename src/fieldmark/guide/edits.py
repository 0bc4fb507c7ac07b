"""Pictures with something erased, or with something of another picture put in, as the network would be given them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from fieldmark.guide.objects import dilated
from fieldmark.guide.pictures import Pictures, from_lab, resized
from fieldmark.guide.placing import Placed
from fieldmark.guide.pose import Poses, from_canvas

SOFT = 0.012  # of the side: how gently an edit begins at its border
AROUND = 0.1  # body units around an object that go with it when it is painted over
EDGE = 0.04  # body units around an object that are its soft edge: what they differ from the ground is borrowed with it
OWN_COLOUR = 22.0  # Delta E: a pixel this unlike the body's colour keeps its colour when it is put on another body
REACH = 0.9  # of a region's depth: how far around it its fill looks
FILLS = ("inpaint", "blur")  # beside those by donors


@dataclass(frozen=True, eq=False)
class Studio:
    """The images as given (n, H, W, c), as pictures, with their objects in one frame, and the bodies' colours."""

    images: np.ndarray
    pictures: Pictures
    placed: Placed
    bodies: np.ndarray

    @cached_property
    def _grounds(self) -> dict[int, np.ndarray]:
        return {}

    def place(self, plate: np.ndarray, index: int, level: float) -> np.ndarray:
        """(h, w) bool: where a plate of the frame reaches that share of its maximum, laid over a picture."""
        laid = from_canvas(plate, self.placed.poses, index, self.pictures.shape)
        return laid >= level * float(plate.max())

    def erased(
        self, index: int, region: np.ndarray, fill: str, donor: int | None = None, base: np.ndarray | None = None
    ) -> np.ndarray:
        """(H, W, c): image `index` (or an edit of it, `base`) with a region (h, w) bool filled.

        By what is around it ("inpaint", "blur"), or by the picture of a donor, where there is one.
        """
        rgb = self.pictures.rgb[index]
        if fill == "donor" and donor is not None:
            return self._blend(index, region, self.borrowed(index, donor), base)
        if fill == "blur":
            return self._blend(index, region, blurred_into(rgb, region), base)
        return self._blend(index, region, inpainted(rgb, region), base)

    def dyed(self, index: int, source: int) -> np.ndarray:
        """(H, W, c): image `index` whose object has the body colour of that of picture `source`."""
        lab = self.pictures.lab[index] + (self.bodies[source] - self.bodies[index])
        return self._blend(index, self.placed.objects.masks[index], from_lab(lab))

    def reshaped(self, index: int, source: int) -> np.ndarray:
        """(H, W, c): image `index` whose object has the outline of that of picture `source`.

        Where it was no object before, it has its body's colour; where it is none any more, its ground is continued.
        """
        own, other = self.placed.objects.masks[index], self.carried(self.placed.objects.masks[source], source, index)
        body = from_lab(self.bodies[index][None, None].astype(np.float32))[0, 0]
        inside = np.where(own[..., None], self.pictures.rgb[index], body)
        around = dilated(own | other, AROUND * float(self.placed.objects.units[index]))
        return self._blend(index, around, np.where(other[..., None], inside, self.ground(index)))

    def borrowed(self, index: int, source: int, area: np.ndarray | None = None) -> np.ndarray:
        """(h, w, 3) the source's object laid over picture `index`; body colours become those of its body.

        What is not the source's object, nor in an area (h, w) bool of the source, is the picture's own background; at
        the edge this is changed as the source's is there, so that no ground comes along.
        """
        shape, way = self.pictures.shape, between(self.placed.poses, source, index)
        lab = _laid(self.pictures.lab[source], way, shape, cv2.BORDER_REFLECT)
        shift = self.bodies[index] - self.bodies[source]
        unlike = np.linalg.norm(lab - self.bodies[source], axis=-1, keepdims=True)
        lent = from_lab(lab + np.exp(-((unlike / OWN_COLOUR) ** 2)) * shift)
        mask = self.placed.objects.masks[source]
        if mask.all():
            return lent
        own = self.ground(index).astype(np.float32)
        rim = own + self._laid_rgb(self.pictures.rgb[source], way) - self._laid_rgb(self.ground(source), way)
        there = mask if area is None else mask | area
        near = dilated(there, EDGE * float(self.placed.objects.units[source]))
        soft, hard = (_laid(part.astype(np.float32), way, shape)[..., None] for part in (near, there))
        around = np.clip(rim, 0, 255) * soft + own * (1 - soft)
        return lent * hard + around * (1 - hard)

    def carried(self, area: np.ndarray, source: int, index: int) -> np.ndarray:
        """(h, w) bool: an area of the source's picture laid over picture `index`."""
        way = between(self.placed.poses, source, index)
        return _laid(area.astype(np.float32), way, self.pictures.shape) >= 0.5

    def ground(self, index: int) -> np.ndarray:
        """(h, w, 3) the picture with its object painted over; made once."""
        if index not in self._grounds:
            around = dilated(self.placed.objects.masks[index], AROUND * float(self.placed.objects.units[index]))
            rgb = self.pictures.rgb[index]
            self._grounds[index] = rgb if around.all() else inpainted(rgb, around)
        return self._grounds[index]

    def with_part_of(
        self,
        index: int,
        source: int,
        region: np.ndarray,
        base: np.ndarray | None = None,
        area: np.ndarray | None = None,
    ) -> np.ndarray:
        """(H, W, c): image `index` (or an edit of it, `base`) with the region (h, w) bool taken from the source.

        `area` is what of the source belongs to the part though it is not its object, as in `borrowed`.
        """
        return self._blend(index, region, self.borrowed(index, source, area), base)

    def _laid_rgb(self, rgb: np.ndarray, way: np.ndarray) -> np.ndarray:
        return _laid(rgb.astype(np.float32), way, self.pictures.shape, cv2.BORDER_REFLECT)

    def _blend(self, index: int, region: np.ndarray, fill: np.ndarray, base: np.ndarray | None = None) -> np.ndarray:
        given = self.images[index]
        below = (given if base is None else base).astype(np.float32)
        shape = given.shape[:2]
        soft = cv2.GaussianBlur(region.astype(np.float32), (0, 0), max(SOFT * self.pictures.side, 0.6))
        weight = resized(np.maximum(soft, region.astype(np.float32)), shape)[..., None]
        low, high = self.pictures.span
        colours = resized(np.asarray(fill, np.float32), shape) / 255 * (high - low) + low
        if given.shape[-1] == 1:
            colours = colours.mean(axis=-1, keepdims=True)
        elif given.shape[-1] == 4:
            colours = np.concatenate([colours, below[..., 3:]], axis=-1)
        mixed = below * (1 - weight) + colours * weight
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8) if given.dtype == np.uint8 else mixed


def _laid(values: np.ndarray, way: np.ndarray, shape: tuple[int, int], border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
    return cv2.warpAffine(values, way, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def between(poses: Poses, source: int, target: int, size: int = 64) -> np.ndarray:
    """(2, 3): from the source's pixels (x, y) to those of the target, through the frame."""
    one, other = (np.vstack([poses.matrix(i, size), [0, 0, 1]]) for i in (source, target))
    return (other @ np.linalg.inv(one))[:2].astype(np.float32)


def inpainted(rgb: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The region continued from its border inwards."""
    return cv2.inpaint(np.ascontiguousarray(rgb), region.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def blurred_into(rgb: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The region filled by the mean of what is around it, the nearer the more; its own pixels don't count."""
    keep = (~region).astype(np.float32)
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3).max()
    sigma = max(2.0, REACH * float(depth))
    colours = cv2.GaussianBlur(rgb * keep[..., None], (0, 0), sigma)
    weight = cv2.GaussianBlur(keep, (0, 0), sigma)[..., None]
    return colours / np.maximum(weight, 1e-4)
