"""What the methods that only ask for predictions share: covered images, their scores, and a count of the passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.classifier.rows import LazyMasks
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.fills import Fill, fill_images
from fieldmark.targets import apply_rule

HELD = 1 << 22  # class scores held at a time


@dataclass(frozen=True, eq=False)
class Probe:
    """A job and what its images are covered with.

    fill     (n, h, w, c) as the model eats it
    scores   (n, classes) of the images as they are
    weights  (n, t, classes): the target, fixed by the images as they are, so that all scores of one map are alike
    """

    job: Job
    fill: np.ndarray
    scores: np.ndarray
    weights: np.ndarray

    @classmethod
    def begin(cls, classifier: Classifier, images: Any, target: Any, fill: Fill | None = None) -> Probe:
        """Resolve the job and preprocess the fill; None covers with the images themselves, to be replaced later."""
        job = Job.begin(classifier, images, target)
        require_images(job)
        covered = job.x if fill is None else classifier.prepare(fill_images(job.images, fill))[1]
        if covered.shape != job.x.shape:
            raise FieldmarkError(
                f"fill: expected preprocess to return shape {job.x.shape} as for the images, received {covered.shape}"
            )
        scores = classifier.engine.scores(job.x)
        return cls(job, covered, scores, apply_rule(job.target, scores))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what the model eats."""
        return int(self.job.x.shape[1]), int(self.job.x.shape[2])

    @property
    def values(self) -> np.ndarray:
        """float64 (n, t): the target's scores of the images as they are."""
        return np.einsum("nc,ntc->nt", self.scores, self.weights, dtype=np.float64)

    def under(self, masks: LazyMasks) -> np.ndarray:
        """float64 (n, t, m): the target's scores of every image under every mask."""
        engine = self.job.classifier.engine
        step = max(1, HELD // (masks.shape[0] * self.scores.shape[1]))
        parts = []
        for start in range(0, len(self.job.x), step):
            rows = slice(start, start + step)
            found = engine.masked_scores(self.job.x[rows], masks, self.fill[rows])
            parts.append(np.einsum("nmc,ntc->ntm", found, self.weights[rows], dtype=np.float64))
        return np.concatenate(parts)

    def image(self, index: int, fill: np.ndarray | None = None) -> Probe:
        """The same of one image, covered with `fill` (h, w, c) where it is given."""
        one = slice(index, index + 1)
        job = Job(self.job.classifier, self.job.images[one], self.job.x[one], self.job.target, self.job.asked)
        return Probe(job, self.fill[one] if fill is None else fill[None], self.scores[one], self.weights[one])

    def attribution(
        self,
        explainer: Any,
        maps: np.ndarray,
        *,
        passes: Any,
        signed: bool,
        variance: np.ndarray | None = None,
        **notes: Any,
    ) -> Attribution:
        """The maps with their provenance; `passes` counts what the model was shown for an image, itself included."""
        return self.job.attribution(
            explainer,
            maps,
            self.scores,
            self.weights,
            signed=signed,
            variance=variance,
            notes={"passes": passes, **notes},
        )


def segment_masks(values: np.ndarray, segments: np.ndarray) -> LazyMasks:
    """Masks (m, h, w) from a value for each segment (m, segments) and the segment of each pixel (h, w)."""
    known = values.astype(np.float32)
    return LazyMasks((len(known), *segments.shape), lambda rows: known[rows][:, segments])


def grid_segments(size: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """(h, w): the cell of each pixel, row by row, in a grid of cells that differ by one pixel at most."""
    down, across = (np.arange(side) * count // side for side, count in zip(size, cells, strict=True))
    return down[:, None] * cells[1] + across[None]


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise FieldmarkError unless `value` is a whole number >= `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise FieldmarkError(f"{name}={value!r}: expected a whole number of {least} or more")


def check_share(name: str, value: Any) -> None:
    """Raise FieldmarkError unless 0 < `value` < 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise FieldmarkError(f"{name}={value!r}: expected a number between 0 and 1, both excluded")


def check_positive(name: str, value: Any) -> None:
    """Raise FieldmarkError unless 0 < `value` < infinity."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise FieldmarkError(f"{name}={value!r}: expected a number greater than 0")


def check_within(name: str, values: Iterable[int], size: tuple[int, int]) -> None:
    """Raise FieldmarkError unless (down, across) fits into `size` (height, width)."""
    pair = tuple(values)
    if any(value > side for value, side in zip(pair, size, strict=True)):
        raise FieldmarkError(
            f"{name}: expected at most {size[0]} x {size[1]}, the size of what the model eats, "
            f"received {pair[0]} x {pair[1]}"
        )


def as_pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """(down, across) from one number for both, or two."""
    return (int(value), int(value)) if isinstance(value, (int, np.integer)) else (int(value[0]), int(value[1]))


def check_pair(name: str, value: Any) -> None:
    """Raise FieldmarkError unless `value` is a whole number >= 1, or a pair (down, across) of such."""
    pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value,)
    whole = all(isinstance(each, (int, np.integer)) and not isinstance(each, bool) and each >= 1 for each in pair)
    if not whole:
        raise FieldmarkError(f"{name}={value!r}: expected a whole number of 1 or more, or two (down, across)")


def require_images(job: Job) -> None:
    """Raise FieldmarkError for signals and volumes, where what a method covers or paints is made for images."""
    if job.x.ndim != 4:
        raise FieldmarkError(
            f"expected images (n, height, width, channels), received shape {job.x.shape}: this method is made for "
            "images; the Grad-CAM family, Gradients, SmoothGrad and IntegratedGradients take signals and volumes too"
        )
