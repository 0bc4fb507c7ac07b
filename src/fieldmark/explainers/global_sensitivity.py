"""Which cells of a grid the score depends on, with all their interactions: Sobol indices and HSIC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.explainers.designs import kept_cells, latin_hypercube, paired_designs
from fieldmark.explainers.fills import Fill, check_fill
from fieldmark.explainers.perturbation import (
    Probe,
    as_pair,
    check_count,
    check_pair,
    check_within,
    grid_segments,
    segment_masks,
)
from fieldmark.targets import Predicted


@dataclass(frozen=True, kw_only=True)
class Sobol:
    """Share of the score's variance that a cell has a part in, when all cells are dimmed at random [fel2021].

    The total Sobol index by Jansen's estimator: ST_j = sum_i (S(a_i) - S(a_i with cell j from b_i))^2 / (2 N Var S(a)).

    samples          rows N of each of the designs a and b; the paper takes 32
    cells            of the grid; the paper takes 11; or (down, across)
    fill             what shows where a cell is dimmed; as in Occlusion
    low_discrepancy  spread what a and b hold of each cell evenly over the square; False: both at random. The paper's
                     Sobol sequence needs twice the rows of this one for the same error, measured on a quadratic score
    seed             the designs are the same for all images

    Maps have the grid's size (rows and columns of cells); values are >= 0 and without unit. Costs
    samples (cells^2 + 2) passes less the unused design b: 16 x 65 + 1 = 1041 by default.
    """

    summary: ClassVar[str] = "How much of the score's variation each cell takes part in, alone or with others."
    needs_layer: ClassVar[bool] = False

    samples: int = 16
    cells: int | tuple[int, int] = 8
    fill: Fill = "mean"
    low_discrepancy: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("samples", self.samples, least=2)
        check_pair("cells", self.cells)
        check_fill(self.fill)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        probe = Probe.begin(classifier, images, target, self.fill)
        cells = as_pair(self.cells)
        check_within("cells", cells, probe.size)
        rng, count = np.random.default_rng(self.seed), cells[0] * cells[1]
        even = self.low_discrepancy
        a, b = paired_designs(self.samples, count, rng) if even else rng.random((2, self.samples, count))
        rows = jansen_design(a, b)
        scores = probe.under(segment_masks(rows, grid_segments(probe.size, cells)))
        maps = jansen_totals(scores, self.samples).reshape(*scores.shape[:2], *cells)
        return probe.attribution(self, maps, passes=len(rows) + 1, signed=False)


@dataclass(frozen=True, kw_only=True)
class HSIC:
    """How strongly the score depends on whether a cell is shown, by the Hilbert-Schmidt criterion [novello2022].

    HSIC_j = trace(K_j H L H) / (N - 1)^2 with K_j = 1 where two masks agree in cell j, L a Gaussian of the difference
    of their scores whose width is the median difference, and H = 1 - 1/N.

    samples          masks N; the paper takes some hundreds
    cells            of the grid; or (down, across)
    fill             what shows where a cell is hidden; as in Occlusion
    low_discrepancy  masks from an orthogonal array, which need a quarter of the passes for the same error (on a
                     quadratic score); False: from a Latin hypercube, as in the paper
    seed             the masks are the same for all images

    Maps have the grid's size (rows and columns of cells); values are >= 0 and without unit. Costs `samples` passes and
    one more.
    """

    summary: ClassVar[str] = "How strongly the score depends on each cell being visible; fewer passes than Sobol."
    needs_layer: ClassVar[bool] = False

    samples: int = 256
    cells: int | tuple[int, int] = 8
    fill: Fill = "mean"
    low_discrepancy: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("samples", self.samples, least=2)
        check_pair("cells", self.cells)
        check_fill(self.fill)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        probe = Probe.begin(classifier, images, target, self.fill)
        cells = as_pair(self.cells)
        check_within("cells", cells, probe.size)
        rng = np.random.default_rng(self.seed)
        count = cells[0] * cells[1]
        even = self.low_discrepancy
        shown = kept_cells(self.samples, count, 0.5, rng) if even else latin_hypercube(self.samples, count, rng) < 0.5
        scores = probe.under(segment_masks(shown, grid_segments(probe.size, cells)))
        maps = dependence(shown, scores).reshape(*scores.shape[:2], *cells)
        return probe.attribution(self, maps, passes=self.samples + 1, signed=False)


def jansen_design(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N (d + 1), d): the rows of a (N, d), then for each column all rows again with that column from b."""
    n, count = a.shape
    rows = np.broadcast_to(a, (count + 1, n, count)).copy()
    each = np.arange(count)
    rows[each + 1, :, each] = b.T
    return rows.reshape(-1, count)


def jansen_totals(scores: np.ndarray, samples: int) -> np.ndarray:
    """Total indices (..., d) from the scores (..., N (d + 1)) of a `jansen_design`; 0 where the score never varies."""
    blocks = scores.reshape(*scores.shape[:-1], -1, samples)
    base, changed = blocks[..., :1, :], blocks[..., 1:, :]
    variance = base.var(axis=-1, ddof=1)
    parts = np.square(changed - base).mean(axis=-1) / 2
    return np.divide(parts, variance, out=np.zeros_like(parts), where=variance > 0)


def dependence(shown: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """HSIC (n, t, d) of each column of `shown`, bool (N, d), with the scores (n, t, N).

    With u = shown - its mean, H K H = 2 u u' for the kernel that is 1 where two rows agree, so the trace is 2 u' L u.
    """
    samples = len(shown)
    u = shown - shown.mean(axis=0)
    above = np.triu_indices(samples, 1)
    found = np.empty((*scores.shape[:2], shown.shape[1]))
    for index in np.ndindex(scores.shape[:2]):
        apart = np.abs(scores[index][:, None] - scores[index][None])
        width = float(np.median(apart[above])) or 1.0
        kernel = np.exp(-0.5 * np.square(apart / width))
        found[index] = 2 * ((kernel @ u) * u).sum(axis=0) / (samples - 1) ** 2
    return found
