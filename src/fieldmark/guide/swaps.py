"""Cues that are nowhere in particular: the background and its colour, the rim of the picture, how sharp it is.

Each is changed in pictures of a class, and beside that a change is made that is as large and leaves the cue alone; what
counts is how many more pictures are then called something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.guide.chance import benjamini_hochberg
from fieldmark.guide.edits import Studio
from fieldmark.guide.evidence import Said
from fieldmark.guide.objects import dilated, eroded
from fieldmark.guide.pictures import resized
from fieldmark.guide.sharpness import blurred, blurred_to, sharpness
from fieldmark.guide.surroundings import near, rim_depth

PICTURES, DONORS = 24, 2  # a class, and other pictures that lend something to each
LEAST = 0.15  # of the pictures: fewer that change beyond the control's are no warning
OUTLINE = 0.06  # body units: how far into and around the object its outline reaches
STRONG = 0.5  # of the pictures: what goes by its background so much is not the place to look for others' cues
TELLS = 0.7  # area under the curve: how well sharpness must tell a class before it is worth a test
BEYOND = 3.0  # standard errors of that area when it tells nothing: less may be chance
CHANCE = 0.01  # false discoveries among warnings
KEPT = 512  # pictures without their objects that are kept at a time
Z = 1.96  # of a 95 % interval
Edit = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Cue:
    """What changing a cue does.

    kind      "background", its "colour", "rim", "sharp" (blurring takes it away) or "blur" (blurring puts it in)
    changed   share of the class's n pictures that are called something else without the cue; of "blur": of other
              classes' pictures that are called by the class with it
    control   the share when as much is changed and the cue is left alone
    effect    changed - control; low and high are its 95 % interval, p that of a paired test
    """

    kind: str
    cls: int
    n: int
    changed: float
    control: float
    effect: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, eq=False)
class Swaps:
    """Where cues are looked for: the pictures `rows`, of which nothing was learned that is tested here."""

    classifier: Classifier
    studio: Studio
    said: Said
    rows: np.ndarray
    seed: int
    _grounds: dict[int, np.ndarray] = field(default_factory=dict)

    def cues(self) -> list[Cue]:
        """Those that have an effect. Rim and colour are parts of a background, and asked about where that matters."""
        if self.studio.placed.poses.kind == "picture":
            return self.proved([self.lent("rim", cls) for cls in self.classes()])
        sharp = self.proved([cue for cls in self.classes() for cue in self.sharpness(cls)])
        grounds = self.proved([self.lent("background", cls) for cls in self.classes()])
        strong = [cue.cls for cue in grounds if cue.effect >= STRONG]  # what a background of theirs brings is their cue
        weak = self.proved([self.lent("background", c.cls, strong) for c in grounds if c.effect < STRONG])
        grounds = [cue for cue in grounds if cue.effect >= STRONG] + weak
        parts = [self.lent(kind, ground.cls) for ground in grounds for kind in ("rim", "colour")]
        return sharp + grounds + self.proved(parts)

    def classes(self) -> list[int]:
        return [int(cls) for cls in np.unique(self.said.predicted[self.rows])]

    def proved(self, cues: list[Cue]) -> list[Cue]:
        good = benjamini_hochberg(np.array([cue.p for cue in cues]), CHANCE)
        return [cue for cue, real in zip(cues, good, strict=True) if real and cue.effect >= LEAST]

    def lent(self, kind: str, cls: int, but: Sequence[int] = ()) -> Cue:
        """Background, rim or colour of the class's pictures from other classes; control: from others of their own.

        No picture of the classes `but` lends any. A second control of the rim is the ring within it.
        """
        rng = np.random.default_rng((self.seed, cls))
        edit = {"background": self.before, "rim": self.rimmed, "colour": self.tinted}[kind]
        own, others = self._own(cls, rng), self._others(cls, rng, but)
        if len(own) < 2 or len(others) == 0:
            return Cue(kind, cls, len(own), 0.0, 0.0, 0.0, -1.0, 1.0, 1.0)
        lost, kept = self._lost(own, others, edit, cls, rng), self._lost(own, own, edit, cls, rng)
        if kind == "rim":
            kept = np.maximum(kept, self._lost(own, others, self.ringed, cls, rng))
        return _cue(kind, cls, lost, kept)

    def sharpness(self, cls: int) -> list[Cue]:
        """Where sharpness tells the class: pictures blurred to how the others are, or others to how these are.

        It is measured on the objects' outlines, since marks may be sharp by themselves. Control: the difference that
        blurring made, put elsewhere in the picture.
        """
        rng = np.random.default_rng((self.seed, cls))
        own, others = self._own(cls, rng), self._others(cls, rng)
        if min(len(own), len(others)) < 2:
            return []
        images = self.studio.images
        parts = {int(i): self._outline(int(i)) for i in (*own, *others)}
        mine, theirs = (np.array([sharpness(images[i], parts[int(i)]) for i in rows]) for rows in (own, others))
        sharper = (mine[:, None] > theirs).mean()
        error = math.sqrt((len(own) + len(others) + 1) / (12 * len(own) * len(others)))  # [mann1947]
        if max(sharper, 1 - sharper) < max(TELLS, 0.5 + BEYOND * error):
            return []
        kind, rows, aim = ("sharp", own, theirs) if sharper > 0.5 else ("blur", others, mine)
        sigma = blurred_to(images[rows], np.stack([parts[int(i)] for i in rows]), float(np.median(aim)))
        soft = [blurred(images[i], sigma) for i in rows]
        astray = [_displaced(images[i], each) for i, each in zip(rows, soft, strict=True)]
        changed, kept = ((self._named(each) == cls) != (kind == "sharp") for each in (soft, astray))
        return [_cue(kind, cls, changed.astype(float), kept.astype(float))]

    def before(self, index: int, source: int) -> np.ndarray:
        """(H, W, c): the object of picture `index` before the background of picture `source`."""
        return self._partly(index, self._ground(source), self._around(index))

    def rimmed(self, index: int, source: int) -> np.ndarray:
        """(H, W, c): picture `index` with the rim of picture `source`, objects left out."""
        keep = self._around(index) | (rim_depth(self.studio.pictures.shape) >= 1)
        return self._partly(index, self._ground(source), keep)

    def ringed(self, index: int, source: int) -> np.ndarray:
        """As `rimmed`, of the ring within the rim."""
        keep = self._around(index) | (rim_depth(self.studio.pictures.shape) != 1)
        return self._partly(index, self._ground(source), keep)

    def tinted(self, index: int, source: int) -> np.ndarray:
        """(H, W, c): picture `index` whose background has the mean colour of that of picture `source`."""
        shape = self.studio.images.shape[1:3]
        mine, theirs = self._ground(index), self._ground(source)
        here, there = (resized((~self._around(i)).astype(np.float32), shape) > 0.5 for i in (index, source))
        if not (here.any() and there.any()):
            return self.studio.images[index]
        low, high = self.studio.pictures.span
        moved = np.clip(mine + theirs[there].mean(axis=0) - mine[here].mean(axis=0), low, high)
        return self._partly(index, moved, self._around(index))

    def _partly(self, index: int, other: np.ndarray, keep: np.ndarray) -> np.ndarray:
        """Picture `index` where `keep` (h, w) is, and the other one (H, W, c) elsewhere."""
        images = self.studio.images
        weight = resized(keep.astype(np.float32), images.shape[1:3])[..., None]
        return _like(images, images[index].astype(np.float32) * weight + other * (1 - weight))

    def _ground(self, source: int) -> np.ndarray:
        """(H, W, c) a picture with its object painted over; at most KEPT are kept."""
        if source not in self._grounds:
            if len(self._grounds) >= KEPT:
                self._grounds.clear()
            around, given = self._around(source), self.studio.images[source]
            self._grounds[source] = self.studio.erased(source, around, "inpaint") if around.any() else given
        return self._grounds[source].astype(np.float32)

    def _around(self, index: int) -> np.ndarray:
        """(h, w) bool: the object with what is close to it; nothing where there is no object."""
        if self.studio.placed.poses.kind == "picture":
            return np.zeros(self.studio.pictures.shape, bool)
        return near(self.studio, index)

    def _outline(self, index: int) -> np.ndarray:
        """(H, W) bool: the object's outline."""
        mask, width = self.studio.placed.objects.masks[index], OUTLINE * float(self.studio.placed.objects.units[index])
        band = dilated(mask, width) & ~eroded(mask, width)
        return resized(band.astype(np.float32), self.studio.images.shape[1:3]) > 0.5

    def _own(self, cls: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(self.rows[self.said.predicted[self.rows] == cls])[:PICTURES]

    def _others(self, cls: int, rng: np.random.Generator, but: Sequence[int] = ()) -> np.ndarray:
        return rng.permutation(self.rows[~np.isin(self.said.predicted[self.rows], [cls, *but])])[:PICTURES]

    def _lost(self, rows: np.ndarray, pool: np.ndarray, edit: Edit, cls: int, rng: np.random.Generator) -> np.ndarray:
        """(n,) share of edits of each row, with DONORS others of the pool, that are not called by the class."""
        lent = [rng.choice(pool[pool != row], DONORS) for row in rows]
        edits = [edit(int(i), int(j)) for i, some in zip(rows, lent, strict=True) for j in some]
        return (self._named(edits) != cls).reshape(len(rows), DONORS).mean(axis=1)

    def _named(self, edits: list[np.ndarray]) -> np.ndarray:
        return np.asarray(self.classifier.predict(np.stack(edits)).scores).argmax(axis=1)


def _displaced(image: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """The image with the change made to it moved by half of the picture."""
    change = changed.astype(np.float32) - image.astype(np.float32)
    moved = np.roll(change, (image.shape[0] // 2, image.shape[1] // 2), axis=(0, 1))
    return _like(image, image.astype(np.float32) + moved)


def _like(given: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8) if given.dtype == np.uint8 else values.astype(given.dtype)


def _cue(kind: str, cls: int, changed: np.ndarray, kept: np.ndarray) -> Cue:
    apart = changed - kept
    effect = float(apart.mean())
    half = Z * float(apart.std(ddof=1)) / np.sqrt(len(apart)) if len(apart) > 1 else 1.0
    low, high = max(effect - half, -1.0), min(effect + half, 1.0)
    return Cue(kind, cls, len(apart), float(changed.mean()), float(kept.mean()), effect, low, high, chance(apart))


def chance(apart: np.ndarray) -> float:
    """One-sided p of the mean of paired differences (n,) being above 0: by the normal curve, never below 2^-n."""
    n, mean = len(apart), float(apart.mean())
    error = float(apart.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    if error == 0:
        return 2.0**-n if mean > 0 else 1.0
    return max(0.5 * math.erfc(mean / error / math.sqrt(2)), 2.0**-n)
