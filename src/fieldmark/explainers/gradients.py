"""Gradients of a score with respect to the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import Job
from fieldmark.targets import Predicted

CHANNELS = ("max", "l2", "sum")


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """How strongly each pixel moves the score: max over channels of |dS/dx| [simonyan2014].

    channels  how a pixel's channels become one number: "max" of the absolute values (the paper), "l2" norm,
              or "sum" (signed)

    x is what the model eats, after preprocessing. Maps are at its resolution, in score per unit of x.
    """

    summary: ClassVar[str] = "Which pixels the score is most sensitive to; fine-grained and noisy."
    needs_layer: ClassVar[bool] = False

    channels: str = "max"

    def __post_init__(self) -> None:
        check_channels(self.channels)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        result = classifier.engine.gradients(
            job.x, job.target, reduce=lambda _x, gradients, _scores: over_channels(gradients, self.channels)
        )
        signed = self.channels == "sum"
        return job.attribution(self, result.values, result.scores, result.weights, signed=signed)


@dataclass(frozen=True, kw_only=True)
class GradientTimesInput:
    """What each pixel adds to the score to first order: the sum over channels of x dS/dx [shrikumar2016].

    The sum of the map is the score where the model is linear without bias (and for ReLU networks without biases).
    x is what the model eats, after preprocessing: a pixel that is 0 there gets 0, whatever it means.

    Signed maps at x's resolution, in units of the score.
    """

    summary: ClassVar[str] = "What each pixel adds to the score, were the network a straight line to zero input."
    needs_layer: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        result = classifier.engine.gradients(
            job.x, job.target, reduce=lambda x, gradients, _scores: over_channels(gradients * x[:, None], "sum")
        )
        return job.attribution(self, result.values, result.scores, result.weights, signed=True)


def check_channels(channels: Any) -> None:
    """Raise FieldmarkError unless `channels` is one of CHANNELS."""
    if channels not in CHANNELS:
        raise FieldmarkError(f"channels={channels!r}: expected one of {', '.join(CHANNELS)}")


def over_channels(values: np.ndarray, how: str) -> np.ndarray:
    """(..., h, w) from (..., h, w, c): "max" and "l2" are amounts, "sum" keeps the sign."""
    planes = np.moveaxis(values, -1, 0)  # reducing plane by plane is several times faster than over a short last axis
    if how == "max":
        return reduce(np.maximum, map(np.abs, planes))
    if how == "l2":
        return np.sqrt(reduce(np.add, map(np.square, planes)))
    return reduce(np.add, planes)
