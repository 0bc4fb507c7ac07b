"""Which pixels are the object: what differs from the colours at the border, refined by GrabCut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from fieldmark.guide.pictures import Pictures
from fieldmark.guide.threads import in_threads

RING = 0.08  # of the side: the border whose colours are taken for the background
PALETTE = 6  # colours of it
MOSTLY = 0.6  # of the border is background; the rest may be the object, where it is cut off
CENTRE = 0.38  # sigma of the centred weight, in sides
LEAST_AREA = 0.08  # of the image: less than this and the threshold has missed, unless the object is small and clear
CLEAR_CUT = 0.9  # of the variance lies between a small object that is clear and the rest
ITERATIONS = 2  # of GrabCut: more change next to nothing
SAMPLE = 600  # pixels of the border that its colours are taken from


@dataclass(frozen=True)
class Look:
    """A way to tell an object from the border's colours.

    blur  of the side: what is smaller is texture
    clip  Delta E: a difference counts no more than this, or a saturated patch captures the threshold
    """

    blur: float
    clip: float


# The first suits most pictures. The others find what it misses: objects of nearly the ground's colour (whose darkest
# part it takes for all), strong colours on a ground of many, and objects on coarse textures.
LOOKS = (Look(1 / 64, 24), Look(1 / 64, 14), Look(1 / 64, 40), Look(1 / 32, 10))


@dataclass(frozen=True, eq=False)
class Objects:
    """masks (n, h, w) bool, and how far the object's colours stand apart from the border's, (n,) in Delta E."""

    masks: np.ndarray
    contrast: np.ndarray

    @property
    def areas(self) -> np.ndarray:
        """(n,) object pixels over all pixels."""
        return self.masks.mean(axis=(1, 2))

    @cached_property
    def units(self) -> np.ndarray:
        """(n,) the body unit: the root of the object's area, in pixels."""
        return np.sqrt(np.maximum(self.masks.sum(axis=(1, 2)), 1.0))

    def select(self, rows: np.ndarray) -> Objects:
        return Objects(self.masks[rows], self.contrast[rows])


def find_objects(
    pictures: Pictures,
    prior: np.ndarray | None = None,
    *,
    refine: bool = True,
    look: Look = LOOKS[0],
    there: bool = False,
) -> Objects:
    """The object of every picture; `prior` (n, h, w) 0 to 1 says where the objects of the others lie.

    Without `refine` it is what stands apart from the border, quickly: enough to see how objects lie. With `there` the
    search begins where the prior says, not with what stands apart from the border.
    """
    distances = _distances(pictures, look.blur)
    seeds = prior > 0.5 if there and prior is not None else _standing_apart(pictures, look, distances)

    def one(index: int) -> tuple[np.ndarray, float]:
        where, distance, seed = None if prior is None else prior[index], distances[index], seeds[index]
        mask = seed
        if refine:
            mask = _grabcut(pictures.rgb[index], seed, np.minimum(distance, look.clip), where, pictures.side)
        mask = _one_piece(mask, pictures.side) if mask.any() else seed
        if not mask.any():
            mask = np.ones_like(mask)
        return mask, float(np.median(distance[mask]))

    found = list(in_threads(one, len(pictures)))
    return Objects(np.stack([mask for mask, _ in found]), np.array([contrast for _, contrast in found]))


def _distances(pictures: Pictures, blur: float) -> np.ndarray:
    """(n, h, w) Delta E to the border's colours."""

    def make() -> np.ndarray:
        found = in_threads(lambda i: _distance_to_border(pictures.rgb[i], pictures.side, blur), len(pictures))
        return np.stack(list(found))

    return pictures.once(("distances", blur), make)


def _standing_apart(pictures: Pictures, look: Look, distances: np.ndarray) -> np.ndarray:
    """(n, h, w) bool: what stands apart from the border's colours, the middle before the rim; in one piece."""
    centred = _centred(pictures.shape)

    def one(index: int) -> np.ndarray:
        weighted = np.minimum(distances[index], look.clip) * centred
        seed = weighted > _otsu(weighted)
        if seed.mean() < LEAST_AREA and _between(weighted, seed) < CLEAR_CUT:
            seed = weighted > np.quantile(weighted, 0.8)
        return _one_piece(seed, pictures.side)

    return pictures.once(("standing apart", look), lambda: np.stack(list(in_threads(one, len(pictures)))))


def _between(values: np.ndarray, group: np.ndarray) -> float:
    """The share of the values' variance that lies between a group of them and the rest."""
    share, variance = float(group.mean()), float(values.var())
    if not 0 < share < 1 or variance <= 0:
        return 0.0
    return share * (1 - share) * float(values[group].mean() - values[~group].mean()) ** 2 / variance


def in_one_piece(pictures: Pictures) -> np.ndarray:
    """(n,) of what stands apart from the border's colours in each picture, the share that the largest piece holds."""
    found, look = np.ones(len(pictures)), LOOKS[0]
    for index, distance in enumerate(np.minimum(_distances(pictures, look.blur), look.clip)):
        apart = opened(distance > _otsu(distance), pictures.side / 64)
        count, _, stats, _ = cv2.connectedComponentsWithStats(apart.astype(np.uint8), connectivity=8)
        if count > 1:
            sizes = stats[1:, cv2.CC_STAT_AREA]
            found[index] = float(sizes.max() / sizes.sum())
    return found


def opened(mask: np.ndarray, radius: float) -> np.ndarray:
    """A mask without what is thinner than twice the radius (pixels)."""
    return _morph(mask, cv2.MORPH_OPEN, radius)


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """A mask with notches and gaps narrower than twice the radius (pixels) filled."""
    margin = int(radius) + 2
    padded = np.pad(mask, margin)
    return _morph(padded, cv2.MORPH_CLOSE, radius)[margin:-margin, margin:-margin]


def dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    return _morph(mask, cv2.MORPH_DILATE, radius)


def eroded(mask: np.ndarray, radius: float) -> np.ndarray:
    return _morph(mask, cv2.MORPH_ERODE, radius)


def disk(radius: float) -> np.ndarray:
    """A round structuring element (uint8) of that radius in pixels, at least one pixel."""
    reach = max(1, round(radius))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return (y * y + x * x <= max(radius, 1.0) ** 2 + 0.25).astype(np.uint8)


def _morph(mask: np.ndarray, operation: int, radius: float) -> np.ndarray:
    return cv2.morphologyEx(mask.astype(np.uint8), operation, disk(radius)).astype(bool)


def _distance_to_border(rgb: np.ndarray, side: float, blur: float) -> np.ndarray:
    blurred = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), max(blur * side, 0.5))
    lab = cv2.cvtColor(blurred / 255, cv2.COLOR_RGB2LAB)
    ring = np.zeros(rgb.shape[:2], bool)
    width = max(2, round(RING * side))
    ring[:width] = ring[-width:] = True
    ring[:, :width] = ring[:, -width:] = True
    colours = np.ascontiguousarray(lab[ring])
    colours = colours[:: max(1, len(colours) // SAMPLE)]
    palette = _palette(colours)
    squared = np.full(lab.shape[:2], np.inf, np.float32)
    for colour in palette:
        difference = lab - colour
        np.minimum(squared, np.einsum("hwc,hwc->hw", difference, difference), out=squared)
    return np.sqrt(squared)


def _palette(colours: np.ndarray) -> np.ndarray:
    """k-means with a fixed start (every n-th colour by lightness), so that the same picture gives the same palette."""
    order = colours[np.argsort(colours[:, 0], kind="stable")]
    centres = order[np.linspace(0, len(order) - 1, PALETTE).astype(int)]
    for _ in range(10):
        nearest = ((centres**2).sum(-1) - 2 * colours @ centres.T).argmin(-1)
        sums = np.stack([np.bincount(nearest, colours[:, c], PALETTE) for c in range(3)], -1)
        counts = np.bincount(nearest, minlength=PALETTE)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    # The fewest colours that make up most of the border: a rare one there may be the object's own, where it touches.
    commonest = np.argsort(-counts, kind="stable")
    needed = 1 + int((np.cumsum(counts[commonest]) < MOSTLY * len(colours)).sum())
    return centres[commonest[:needed]].astype(np.float32)


def _centred(shape: tuple[int, ...]) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    squared = ((y - (shape[0] - 1) / 2) / shape[0]) ** 2 + ((x - (shape[1] - 1) / 2) / shape[1]) ** 2
    return np.exp(-squared / (2 * CENTRE**2))


def _otsu(values: np.ndarray) -> float:
    high = float(values.max())
    if high <= 0:
        return 0.0
    scaled = np.round(values / high * 255).astype(np.uint8)
    return cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 255 * high


def _one_piece(mask: np.ndarray, side: float) -> np.ndarray:
    """Opened, the largest piece, closed, holes filled; thin parts that touch the piece come back."""
    core = opened(mask, side / 64)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    piece = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    piece = closed(piece | (mask & dilated(piece, side / 32)), side / 64)
    return _filled(piece)


def _filled(mask: np.ndarray) -> np.ndarray:
    count, labels = cv2.connectedComponents((~mask).astype(np.uint8), connectivity=4)
    reaches = np.zeros(count, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        reaches[line] = True
    outside = reaches[labels] & ~mask
    return ~outside if count > 1 else mask


def _grabcut(
    rgb: np.ndarray, seed: np.ndarray, distance: np.ndarray, prior: np.ndarray | None, side: float
) -> np.ndarray:
    threshold = _otsu(distance)
    marks = np.where(seed, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[eroded(seed, side / 24) & (distance > 1.2 * threshold)] = cv2.GC_FGD
    rim = np.ones_like(seed)
    width = max(1, round(RING * side / 2))
    rim[width:-width, width:-width] = False
    marks[rim & (distance < 0.6 * threshold)] = cv2.GC_BGD
    if prior is not None:
        marks[prior < 0.02] = cv2.GC_BGD
        marks[prior > 0.7] = cv2.GC_FGD
    sure = _foreground(marks)
    if not sure.any() or sure.all():
        return seed
    smooth = cv2.bilateralFilter(np.ascontiguousarray(rgb), 5, 30, 3)
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(
            smooth, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error:
        return seed
    return _foreground(marks)


def _foreground(marks: np.ndarray) -> np.ndarray:
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
