"""Gradients of a score with respect to the pixels."""

from __future__ import annotations

from dataclasses import dataclass
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
        if self.channels not in CHANNELS:
            raise FieldmarkError(f"channels={self.channels!r}: expected one of {', '.join(CHANNELS)}")

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        result = classifier.engine.gradients(
            job.x, job.target, reduce=lambda _x, gradients, _scores: over_channels(gradients, self.channels)
        )
        signed = self.channels == "sum"
        return job.attribution(self, result.values, result.scores, result.weights, signed=signed)


def over_channels(values: np.ndarray, how: str) -> np.ndarray:
    """(..., h, w) from (..., h, w, c): "max" and "l2" are amounts, "sum" keeps the sign."""
    if how == "max":
        return np.abs(values).max(axis=-1)
    if how == "l2":
        return np.sqrt(np.square(values).sum(axis=-1))
    return values.sum(axis=-1)
