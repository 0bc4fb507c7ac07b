"""Cover a patch, see what the score loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.classifier.rows import LazyMasks, PatchMasks
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.fills import Fill, check_fill
from fieldmark.explainers.perturbation import Probe, as_pair, check_pair, check_within
from fieldmark.targets import Predicted

ACROSS = 7  # patches along each side by default


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """How much the score falls when a patch is covered: S(x) - S(x with the patch covered) [zeiler2014].

    patch   pixels, or (down, across); None: a seventh of each side, rounded up
    stride  pixels, or (down, across), at most the patch; None: the patch, so that patches lie side by side
    fill    what covers: a number or one per channel in the image's own units, an image (h, w, c), "mean" (the image's
            mean colour: the paper's grey square) or "blur" (the image under a Gaussian of a twentieth of its side)
    incremental  compute only what a patch can reach where that is less work; the same up to rounding, checked on
            noise before it is used; False computes every covered image whole

    A pixel's value is the mean over the patches that cover it; the last patches of a row or column end at the border
    and overlap those before them. Patches lie on what the model eats, whose size the maps have. Values are signed, in
    units of the score. Costs one pass for every patch and one more: 50 by default, or, with `incremental`, about the
    work of 17 on Keras networks of convolutions, where only what a patch can reach is computed anew. Raises
    FieldmarkError for a patch larger than the image.
    """

    summary: ClassVar[str] = "How much of the score is lost when a square of the image is covered; direct and coarse."
    needs_layer: ClassVar[bool] = False

    patch: int | tuple[int, int] | None = None
    stride: int | tuple[int, int] | None = None
    fill: Fill = "mean"
    incremental: bool = True

    def __post_init__(self) -> None:
        for name in ("patch", "stride"):
            if getattr(self, name) is not None:
                check_pair(name, getattr(self, name))
        check_fill(self.fill)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        probe = Probe.begin(classifier, images, target, self.fill)
        patch, stride = self._sizes(probe.size)
        corners = patch_corners(probe.size, patch, stride)
        masks: LazyMasks = patch_masks(probe.size, patch, corners)
        if not self.incremental:
            masks = LazyMasks(masks.shape, masks.make)
        drops = probe.values[:, :, None] - probe.under(masks)
        maps = spread(drops, probe.size, patch, corners)
        passes = len(corners) + 1
        return probe.attribution(self, maps, passes=passes, signed=True, patch=list(patch), stride=list(stride))

    def _sizes(self, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        patch = (-(-size[0] // ACROSS), -(-size[1] // ACROSS)) if self.patch is None else as_pair(self.patch)
        check_within("patch", patch, size)
        stride = patch if self.stride is None else as_pair(self.stride)
        if stride[0] > patch[0] or stride[1] > patch[1]:
            raise FieldmarkError(
                f"stride: expected at most the patch, {patch[0]} x {patch[1]}, so that no pixel is left out; "
                f"received {stride[0]} x {stride[1]}"
            )
        return patch, stride


def patch_corners(size: tuple[int, int], patch: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """(m, 2): the top left corner of every patch, row by row; the last of each row and column end at the border."""
    down, across = (_starts(*each) for each in zip(size, patch, stride, strict=True))
    return np.array([(top, left) for top in down for left in across])


def _starts(side: int, patch: int, stride: int) -> list[int]:
    starts = list(range(0, side - patch + 1, stride))
    return starts if starts[-1] + patch == side else [*starts, side - patch]


def patch_masks(size: tuple[int, int], patch: tuple[int, int], corners: np.ndarray) -> PatchMasks:
    """A mask (h, w) for every patch: 0 there, 1 elsewhere."""

    def make(rows: np.ndarray) -> np.ndarray:
        masks = np.ones((len(rows), *size), np.float32)
        for mask, (top, left) in zip(masks, corners[rows], strict=True):
            mask[top : top + patch[0], left : left + patch[1]] = 0
        return masks

    return PatchMasks((len(corners), *size), make, corners, patch)


def spread(values: np.ndarray, size: tuple[int, int], patch: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """(n, t, h, w): each pixel's mean over the patches that cover it, from a value for each patch (n, t, m)."""
    sums, counts = np.zeros((*values.shape[:2], *size)), np.zeros(size)
    for index, (top, left) in enumerate(corners):
        covered = (slice(top, top + patch[0]), slice(left, left + patch[1]))
        sums[:, :, *covered] += values[:, :, index, None, None]
        counts[covered] += 1
    return sums / counts
