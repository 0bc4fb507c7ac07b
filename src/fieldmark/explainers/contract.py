"""What all explainers share: from images and a target to a job, from maps to an attribution."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

import fieldmark
from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.classifier.backend import versions
from fieldmark.classifier.inputs import listed
from fieldmark.explainers.diagnosis import Evidence, diagnose, warn
from fieldmark.targets import Resolved, as_target, describe, single_classes


class Explainer(Protocol):
    """A frozen, keyword-only dataclass of configuration with one call."""

    summary: ClassVar[str]
    needs_layer: ClassVar[bool]

    def __call__(self, classifier: Classifier, images: Any, target: Any = ...) -> Attribution: ...


@dataclass(frozen=True, eq=False)
class Job:
    """One call of an explainer: the images as given (n, H, W, c), what the model eats (x), and the resolved target."""

    classifier: Classifier
    images: np.ndarray
    x: np.ndarray
    target: Resolved
    asked: str

    @classmethod
    def begin(cls, classifier: Classifier, images: Any, target: Any) -> Job:
        """Check the images, preprocess them, and resolve the target against the model's labels."""
        checked, x = classifier.prepare(images)
        wanted = as_target(target)
        resolved = wanted.resolve(lambda: classifier.engine.scores(x), len(x), classifier.classes, classifier.labels)
        return cls(classifier, checked, x, resolved, repr(wanted))

    def attribution(
        self,
        explainer: Any,
        maps: np.ndarray,
        scores: np.ndarray,
        weights: np.ndarray,
        *,
        signed: bool,
        relu: bool = False,
        layer: tuple[str, str] | None = None,
        notes: dict[str, Any] | None = None,
        variance: np.ndarray | None = None,
        pictures: np.ndarray | None = None,
    ) -> Attribution:
        """Maps (n, t, h, w) with what was explained: scores (n, classes) and weights (n, t, classes) of the engine.

        With `relu` only what is positive in them is kept. Where a map is blank or not finite, `diagnosis` says why.
        """
        predictions = self.classifier.read(scores)
        classes = single_classes(weights)
        probabilities = np.take_along_axis(predictions.probabilities, np.maximum(classes, 0), axis=1)
        kind = "probabilities" if predictions.reading == "as given" else self.classifier.wants
        provenance = {
            "method": type(explainer).__name__,
            "parameters": parameters(explainer),
            "layer": layer[0] if layer else None,
            "layer_reason": layer[1] if layer else None,
            "target": self.asked,
            "seed": getattr(explainer, "seed", None),
            "scores": kind,
            "model": self.classifier.name,
            "backend": self.classifier.backend,
            "versions": versions(),
            "fieldmark": fieldmark.__version__,
            **({"fixed": listed(self.classifier.fixed)} if self.classifier.fixed else {}),
            **(notes or {}),
        }
        words = describe(self.target, weights, self.classifier.labels)
        kept = np.ascontiguousarray(np.maximum(maps, 0) if relu else maps, dtype=np.float32)
        name = layer[0] if layer else None
        causes = diagnose(
            Evidence(self, type(explainer).__name__, kept, maps, scores, weights, classes, words, name, kind)
        )
        warn(causes)
        return Attribution(
            maps=kept,
            scores=np.einsum("nc,ntc->nt", scores, weights).astype(np.float32),
            probabilities=np.where(classes >= 0, probabilities, np.nan).astype(np.float32),
            classes=classes,
            targets=words,
            provenance=provenance,
            images=self.images,
            variance=variance,
            pictures=pictures,
            signed=signed,
            warnings=causes,
        )


def parameters(explainer: Any) -> dict[str, Any]:
    """The fields of an explainer as JSON-able values; an explainer within one becomes a dict with its method."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(explainer):
        value = getattr(explainer, item.name)
        if dataclasses.is_dataclass(value):
            found[item.name] = {"method": type(value).__name__, **parameters(value)}
        elif isinstance(value, np.ndarray):
            found[item.name] = f"array of shape {value.shape}"
        elif value is None or isinstance(value, (str, int, float, bool)):
            found[item.name] = value
        elif isinstance(value, (tuple, list)):
            found[item.name] = list(value)
        else:
            found[item.name] = repr(value)
    return found
