"""Hide superpixels at random and fit a linear model to the scores: LIME and Kernel SHAP."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.explainers.designs import kept_cells
from fieldmark.explainers.fills import WORDS, Fill, check_fill
from fieldmark.explainers.perturbation import Probe, check_count, check_positive, segment_masks
from fieldmark.explainers.superpixels import Segments, check_segments, segment_images, segment_means
from fieldmark.targets import Predicted

FILLS = (*WORDS, "superpixel")


@dataclass(frozen=True, kw_only=True)
class LIME:
    """A linear model of the score in which superpixels are shown, fitted near the image [ribeiro2016].

    Minimises sum_i k_i (S_i - b - z_i . w)^2 + ridge |w|^2 over random z in {0, 1}^segments, the first all ones, with
    k_i = exp(-(1 - cos(z_i, 1))^2 / (2 width^2)), as the paper's code for images does.

    samples          rows z; the paper's code takes 1000
    segments         how many superpixels, about; or each pixel's segment (h, w), or (n, h, w) for each image its own
    width            of the kernel, in cosine distance
    ridge            weight of the penalty
    fill             what hides a superpixel: "superpixel" (its own mean, as in the paper's code), or as in Occlusion
    low_discrepancy  rows from an orthogonal array, in which superpixels don't pass for each other; False: random
    seed             the same draws for every image

    Each pixel has its superpixel's weight, signed, in units of the score; maps are at the size of what the model eats.
    R^2 of the fit, by image and target, is in the provenance. Costs `samples` passes and one more.
    """

    summary: ClassVar[str] = "A linear model of which superpixels matter near this image; its fit is reported."
    needs_layer: ClassVar[bool] = False

    samples: int = 512
    segments: Segments = 50
    width: float = 0.25
    ridge: float = 1.0
    fill: Fill = "superpixel"
    low_discrepancy: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("samples", self.samples, least=2)
        check_segments(self.segments)
        check_positive("width", self.width)
        check_positive("ridge", self.ridge)
        check_fill(self.fill, FILLS)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        maps, fits, counts = [], [], []
        probe = _begin(self, classifier, images, target)
        for one, segments in _each(probe, self.segments, self.fill):
            shown = self._design(int(segments.max()) + 1)
            scores = one.under(segment_masks(shown, segments))[0]
            weights, fit = lime_fit(shown, scores, self.width, self.ridge)
            maps.append(weights[:, segments])
            fits.append([round(float(value), 6) for value in fit])
            counts.append(weights.shape[1])
        return probe.attribution(
            self, np.stack(maps), passes=self.samples + 1, signed=True, segments=counts, r_squared=fits
        )

    def _design(self, count: int) -> np.ndarray:
        """Bool (samples, count): which superpixels are shown; all of them in the first row."""
        rng = np.random.default_rng(self.seed)
        rows = self.samples - 1
        drawn = kept_cells(rows, count, 0.5, rng) if self.low_discrepancy else rng.random((rows, count)) < 0.5
        return np.concatenate([np.ones((1, count), bool), drawn])


@dataclass(frozen=True, kw_only=True)
class KernelSHAP:
    """Shapley values of superpixels: the mean gain in score when one joins a random set of the others [lundberg2017].

    The weighted least squares of the paper, under the constraint that the values of an image add up to
    S(image) - S(fill), which they do exactly. Small and large sets are tried completely while the samples last, and
    the rest is drawn; with 2^segments - 2 sets or more samples all are, and the values are the exact ones.

    samples   sets of superpixels that are shown, besides none and all
    segments  how many superpixels, about; or the segment of each pixel (h, w), or (n, h, w) for each image its own
    fill      what hides a superpixel: as in Occlusion, or "superpixel" (its own mean)
    paired    draw every set together with what it leaves out, which cancels much of the noise
    seed      the same draws for every image

    Each pixel has its superpixel's value, signed, in units of the score; maps are at the size of what the model eats.
    Costs at most `samples` passes and three more.
    """

    summary: ClassVar[str] = "The fair share of each superpixel in the score; shares add up to what the image gains."
    needs_layer: ClassVar[bool] = False

    samples: int = 512
    segments: Segments = 50
    fill: Fill = "mean"
    paired: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("samples", self.samples, least=2)
        check_segments(self.segments)
        check_fill(self.fill, FILLS)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        maps, exact, counts, passes = [], [], [], []
        probe = _begin(self, classifier, images, target)
        for one, segments in _each(probe, self.segments, self.fill):
            count = int(segments.max()) + 1
            shown, weights = coalitions(count, self.samples, self.paired, np.random.default_rng(self.seed))
            ends = np.stack([np.zeros(count, bool), np.ones(count, bool)])
            scores = one.under(segment_masks(np.concatenate([ends, shown]), segments))[0]
            values = shapley_fit(shown, weights, scores[:, 2:], scores[:, 0], scores[:, 1])
            maps.append(values[:, segments])
            exact.append(len(shown) == 2**count - 2)
            counts.append(count)
            passes.append(len(scores[0]) + 1)
        return probe.attribution(
            self, np.stack(maps), passes=max(passes), signed=True, segments=counts, exact=all(exact)
        )


def lime_fit(shown: np.ndarray, scores: np.ndarray, width: float, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (t, segments) and R^2 (t) of the ridge regression of scores (t, samples) on what was shown."""
    cosine = np.sqrt(shown.mean(axis=1))  # with a row of ones
    kernel = np.exp(-((1 - cosine) ** 2) / (2 * width**2))
    share = kernel / kernel.sum()
    z = shown - share @ shown
    y = scores - (scores @ share)[:, None]
    gram = (z * kernel[:, None]).T @ z + ridge * np.eye(z.shape[1])
    weights = np.linalg.solve(gram, z.T @ (y * kernel).T).T
    missed, spread = (np.square(each) @ kernel for each in (y - weights @ z.T, y))
    return weights, 1 - np.divide(missed, spread, out=np.zeros_like(missed), where=spread > 0)


def coalitions(count: int, samples: int, paired: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sets of superpixels, bool (m, count), m <= samples, and their weights in the Shapley kernel (m).

    The kernel's weight of all sets of a size s is (count - 1) / (s (count - s)). Sizes are taken in pairs s and
    count - s, and listed completely as long as drawing would on average list them too.
    """
    sizes = np.arange(1, count)
    mass = (count - 1) / (sizes * (count - sizes))
    rows: list[np.ndarray] = []
    weights: list[float] = []
    left = samples
    everything = 2**count - 2 <= samples
    low = 1
    while low <= count - low:
        pair = sorted({low, count - low})
        number = sum(math.comb(count, size) for size in pair)
        remaining = mass[low - 1 : count - low]
        share = sum(mass[size - 1] for size in pair) / remaining.sum()
        if number > left or not (everything or left * share >= number):
            break
        for size in pair:
            rows += _all_sets(count, size)
            weights += [mass[size - 1] / math.comb(count, size)] * math.comb(count, size)
        left -= number
        low += 1
    if low <= count - low and left > (1 if paired else 0):
        drawn = _drawn_sets(count, mass, low, left, paired, rng)
        rows += list(drawn)
        weights += [mass[low - 1 : count - low].sum() / len(drawn)] * len(drawn)
    return np.array(rows, bool).reshape(-1, count), np.array(weights)


def shapley_fit(
    shown: np.ndarray, weights: np.ndarray, scores: np.ndarray, nothing: np.ndarray, everything: np.ndarray
) -> np.ndarray:
    """Values (t, count) that fit scores (t, m) best by weight, of all those that add up to everything - nothing (t)."""
    count = shown.shape[1]
    gain = everything - nothing
    even = np.broadcast_to(gain[:, None] / count, (len(scores), count))
    if count == 1:
        return even.copy()
    # Columns that span all ways to depart from even shares without changing their sum.
    basis = np.linalg.qr(np.concatenate([np.ones((count, 1)), np.eye(count)[:, : count - 1]], axis=1))[0][:, 1:]
    z, root = shown.astype(np.float64), np.sqrt(weights)
    rest = scores - nothing[:, None] - even @ z.T
    found = np.linalg.lstsq((z @ basis) * root[:, None], (rest * root).T, rcond=None)[0]
    return even + (basis @ found).T


def _begin(explainer: LIME | KernelSHAP, classifier: Classifier, images: Any, target: Any) -> Probe:
    own = isinstance(explainer.fill, str) and explainer.fill == "superpixel"
    return Probe.begin(classifier, images, target, None if own else explainer.fill)


def _each(probe: Probe, segments: Segments, fill: Fill) -> Iterator[tuple[Probe, np.ndarray]]:
    """Every image by itself with its segments; for a fill by "superpixel", with their mean colours as the fill."""
    size = (int(probe.job.images.shape[1]), int(probe.job.images.shape[2]))
    own = isinstance(fill, str) and fill == "superpixel"
    for index, found in enumerate(segment_images(probe.job.x, segments, size)):
        yield probe.image(index, segment_means(probe.job.x[index], found) if own else None), found


def _all_sets(count: int, size: int) -> list[np.ndarray]:
    from itertools import combinations

    chosen = np.array(list(combinations(range(count), size)))
    rows = np.zeros((len(chosen), count), bool)
    np.put_along_axis(rows, chosen, True, axis=1)
    return list(rows)


def _drawn_sets(
    count: int, mass: np.ndarray, low: int, number: int, paired: bool, rng: np.random.Generator
) -> np.ndarray:
    """Bool (number, count): sets whose size is drawn by its mass among low..count - low."""
    share = mass[low - 1 : count - low] / mass[low - 1 : count - low].sum()
    draws = number // 2 if paired else number
    sizes = rng.choice(np.arange(low, count - low + 1), draws, p=share)
    ranks = rng.random((draws, count)).argsort(axis=1).argsort(axis=1)
    rows = ranks < sizes[:, None]
    return np.stack([rows, ~rows], axis=1).reshape(-1, count) if paired else rows
