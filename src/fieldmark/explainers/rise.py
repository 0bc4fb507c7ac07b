"""Show the model randomly masked images, and see which pixels were there when it scored high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.classifier.rows import LazyMasks, row_chunks
from fieldmark.explainers.designs import even_pairs, kept_cells
from fieldmark.explainers.fills import Fill, check_fill
from fieldmark.explainers.perturbation import Probe, as_pair, check_count, check_pair, check_share, check_within
from fieldmark.targets import Predicted

TOGETHER = 64  # masks enlarged at a time when maps are summed


@dataclass(frozen=True, kw_only=True)
class RISE:
    """Random masks, weighted by the score under each: 1 / (N p) sum_i S(x under M_i) M_i [petsiuk2018].

    samples          masks N; the paper takes 4000 to 8000
    cells            of the grid that a mask is enlarged from, bilinearly and at a random offset; or (down, across)
    keep             probability p that a cell of a mask is kept
    fill             what shows where a mask is 0; as in Occlusion
    centred          subtract the mean score first, so that 0 means "no matter", and the score's own level adds no noise
    low_discrepancy  spread masks and offsets evenly; multiples of 128 samples use this best (7 x 7 cells)
    seed             the masks are the same for all images

    With centred=False, low_discrepancy=False and fill=0 this is the textbook's method. Maps are at the size of what
    the model eats, in units of the score. Costs `samples` passes and one more. Raises FieldmarkError for more cells
    than pixels.
    """

    summary: ClassVar[str] = "Which regions were visible in the masked copies that the model scored high; smooth, slow."
    needs_layer: ClassVar[bool] = False

    samples: int = 512
    cells: int | tuple[int, int] = 7
    keep: float = 0.5
    fill: Fill = "mean"
    centred: bool = True
    low_discrepancy: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("samples", self.samples, least=2)
        check_pair("cells", self.cells)
        check_share("keep", self.keep)
        check_fill(self.fill)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        probe = Probe.begin(classifier, images, target, self.fill)
        cells = as_pair(self.cells)
        check_within("cells", cells, probe.size)
        masks = self._masks(probe.size, cells)
        scores = probe.under(masks)
        if self.centred:
            scores = scores - scores.mean(axis=-1, keepdims=True)
        maps, variance = weighted_masks(scores, masks, self.keep)
        signed = self.centred or bool((maps < 0).any())
        return probe.attribution(self, maps, passes=self.samples + 1, signed=signed, variance=variance)

    def _masks(self, size: tuple[int, int], cells: tuple[int, int]) -> LazyMasks:
        rng = np.random.default_rng(self.seed)
        count = cells[0] * cells[1]
        if self.low_discrepancy:
            kept, offsets = kept_cells(self.samples, count, self.keep, rng), even_pairs(self.samples, rng)
        else:
            kept, offsets = rng.random((self.samples, count)) < self.keep, rng.random((self.samples, 2))
        return enlarged_masks(kept.reshape(-1, *cells), offsets, size)


def enlarged_masks(grids: np.ndarray, offsets: np.ndarray, size: tuple[int, int]) -> LazyMasks:
    """Grids (m, a, b) enlarged to one cell more than `size` and cropped at an offset (m, 2), a share of a cell."""
    values = grids.astype(np.float32)
    cell = [-(-side // count) for side, count in zip(size, values.shape[1:], strict=True)]
    enlarge = [_enlarge(count, (count + 1) * pixels) for count, pixels in zip(values.shape[1:], cell, strict=True)]
    starts = np.floor(offsets * cell).astype(int)

    def make(rows: np.ndarray) -> np.ndarray:
        down, across = (enlarge[a][starts[rows, a, None] + np.arange(size[a])] for a in (0, 1))
        return np.clip(down @ values[rows] @ across.transpose(0, 2, 1), 0, 1)

    return LazyMasks((len(values), *size), make)


def weighted_masks(scores: np.ndarray, masks: LazyMasks, keep: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, t, h, w) twice: the mean of score times mask over `keep`, and its squared standard error."""
    count = masks.shape[0]
    total, square = (np.zeros((*scores.shape[:2], *masks.shape[1:])) for _ in range(2))
    for start, stop in row_chunks(count, TOGETHER):
        shown = masks[np.arange(start, stop)]
        part = scores[:, :, start:stop].astype(np.float32)
        total += np.tensordot(part, shown, axes=1)
        square += np.tensordot(part**2, shown**2, axes=1)
    mean = total / (count * keep)
    variance = np.maximum(square / (count * keep**2) - mean**2, 0) / (count - 1)
    return mean, variance.astype(np.float32)


def _enlarge(cells: int, pixels: int) -> np.ndarray:
    """(pixels, cells): weights of bilinear enlargement, pixel centres aligned, the border repeated."""
    at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)[None])).astype(np.float32)
