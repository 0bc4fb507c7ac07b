"""Guided backpropagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.classifier.guided import guided
from fieldmark.explainers.contract import Job
from fieldmark.explainers.gradients import check_channels, over_channels
from fieldmark.targets import Predicted


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop:
    """Gradients that pass a ReLU backwards only where they are positive and so was its input [springenberg2015].

    Behind each ReLU R <- 1[f > 0] 1[R > 0] R. Sharp edges, but hardly specific to a class: believe it only where
    another method agrees [adebayo2018]. Every ReLU counts that is a layer, with an upper limit or without, is fused
    into a Keras layer (`activation="relu"`), or is called as a function inside a torch `forward`.

    channels  as in Gradients

    Maps are at the resolution of what the model eats. Raises ModelError for a model without a ReLU.
    """

    summary: ClassVar[str] = "Sharp edges that excite the network; pretty, and hardly specific to the class."
    needs_layer: ClassVar[bool] = False

    channels: str = "max"

    def __post_init__(self) -> None:
        check_channels(self.channels)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        result = classifier.engine.gradients(
            job.x,
            job.target,
            reduce=lambda _x, gradients, _scores: over_channels(gradients, self.channels),
            surgery=guided(classifier),
        )
        signed = self.channels == "sum"
        return job.attribution(self, result.values, result.scores, result.weights, signed=signed)
