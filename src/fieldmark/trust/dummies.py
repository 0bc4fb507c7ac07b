"""Three maps that know nothing of the network: what a method has to beat. Called like explainers, listed nowhere."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.explainers.contract import Job
from fieldmark.explainers.perturbation import check_positive, require_images
from fieldmark.targets import Predicted, apply_rule

CELLS = 14


@dataclass(frozen=True, kw_only=True)
class RandomMap:
    """Uniform random numbers in cells, from the seed and the image's bytes: any change of the image gives another map.

    cells  along each side, (down, across) or one number; a random number a pixel would be grey once it is smoothed
    """

    summary: ClassVar[str] = "Random numbers: what a map is worth that knows nothing."
    needs_layer: ClassVar[bool] = False

    cells: int | tuple[int, int] = CELLS
    seed: int = 0

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        down, across = (self.cells, self.cells) if isinstance(self.cells, int) else self.cells
        seeds = [(self.seed, zlib.crc32(image.tobytes())) for image in job.images]
        maps = [np.random.default_rng(seed).random((down, across), dtype=np.float32) for seed in seeds]
        return _attribution(self, job, np.stack(maps))


@dataclass(frozen=True, kw_only=True)
class EdgeMap:
    """The image's edges: the length of the Sobel gradient of its mean over channels."""

    summary: ClassVar[str] = "The image's edges, whatever the network: what looks like an explanation and is none."
    needs_layer: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        return _attribution(self, job, edges(job.images.astype(np.float32).mean(axis=-1)))


@dataclass(frozen=True, kw_only=True)
class CentreMap:
    """A Gaussian in the middle: photographers put things there.

    width  its standard deviation, as a share of each side
    """

    summary: ClassVar[str] = "The middle of the picture, whatever is in it."
    needs_layer: ClassVar[bool] = False

    width: float = 0.25

    def __post_init__(self) -> None:
        check_positive("width", self.width)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        rows, columns = (centred(int(side), self.width) for side in job.x.shape[1:3])
        return _attribution(self, job, np.repeat(np.outer(rows, columns)[None], len(job.x), axis=0))


DUMMIES = (RandomMap, EdgeMap, CentreMap)
DUMMY_NAMES = {"RandomMap": "random map", "EdgeMap": "edge detector", "CentreMap": "centred Gaussian"}


def edges(grey: np.ndarray) -> np.ndarray:
    """The length of the Sobel gradient of pictures (n, h, w), the border repeated."""
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    smooth_down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth_across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    across = smooth_down[:, :, 2:] - smooth_down[:, :, :-2]
    down = smooth_across[:, 2:] - smooth_across[:, :-2]
    return np.hypot(across, down)


def centred(side: int, width: float) -> np.ndarray:
    """A Gaussian along one axis (side,), 1 in the middle."""
    return np.exp(-0.5 * (((np.arange(side) + 0.5) / side - 0.5) / width) ** 2)


def _attribution(explainer: Any, job: Job, maps: np.ndarray) -> Attribution:
    require_images(job)
    scores = job.classifier.engine.scores(job.x)
    weights = apply_rule(job.target, scores)
    return job.attribution(explainer, np.repeat(maps[:, None], weights.shape[1], axis=1), scores, weights, signed=False)
