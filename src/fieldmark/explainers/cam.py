"""Class activation maps: a layer's feature maps, weighted by what each means to the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.explainers.contract import Job
from fieldmark.targets import Predicted

Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class GradCAM:
    """Feature maps weighted by their mean gradient: ReLU(sum_k a_k A_k), a_k the mean of dS/dA_k [selvaraju2017].

    layer  a name from `Classifier.layers()`; None: the last spatial feature map
    relu   keep only what speaks for the target, as in the paper; False gives the signed map

    Maps are at the layer's resolution, in units of the score. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Which regions of a deep layer's feature maps raise the score; coarse and class-specific."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    relu: bool = True

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        return _explain(self, classifier, images, target, lambda a, g: grad_cam(a, g, relu=self.relu), not self.relu)


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus:
    """Grad-CAM with weights that count every place where a feature appears [chattopadhay2018].

    a_k = sum over pixels of alpha ReLU(dS/dA_k), alpha = g^2 / (2 g^2 + g^3 sum A_k). The paper explains exp(S); the
    common factor exp(S) of a map is left out, which changes its scale and nothing else.

    layer  as in GradCAM

    Maps are at the layer's resolution, >= 0. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Grad-CAM that also covers several instances of a class, and the whole of one."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        return _explain(self, classifier, images, target, grad_cam_plus_plus, False)


def _explain(
    explainer: Any, classifier: Classifier, images: Any, target: Any, combine: Combine, signed: bool
) -> Attribution:
    job = Job.begin(classifier, images, target)
    layer = classifier.choose_layer(explainer.layer, spatial=True)
    result = classifier.engine.gradients(job.x, job.target, at=layer[0], reduce=lambda a, g, _scores: combine(a, g))
    return job.attribution(explainer, result.values, result.scores, result.weights, signed=signed, layer=layer)


def grad_cam(activations: np.ndarray, gradients: np.ndarray, relu: bool = True) -> np.ndarray:
    """(n, t, h, w) from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    return _weighted(activations, gradients.mean(axis=(2, 3)), relu)


def grad_cam_plus_plus(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w) from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    g = gradients.astype(np.float64)
    totals = activations.sum(axis=(1, 2), dtype=np.float64)[:, None, None, None, :]
    denominator = 2 * g**2 + g**3 * totals
    alpha = np.divide(g**2, denominator, out=np.zeros_like(g), where=denominator != 0)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(2, 3))
    return _weighted(activations, weights, relu=True)


def _weighted(activations: np.ndarray, weights: np.ndarray, relu: bool) -> np.ndarray:
    """The sum over channels of weights (n, t, c) times feature maps (n, h, w, c)."""
    maps = np.einsum("nhwc,ntc->nthw", activations, weights, optimize=True).astype(np.float32)
    return np.maximum(maps, 0) if relu else maps
