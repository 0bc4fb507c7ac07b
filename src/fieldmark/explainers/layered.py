"""What methods at a layer share: one layer chosen or named, or several, and one forward pass for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import Job

Layer = tuple[str, str]  # name, and why it was chosen
Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]  # activations (n, h, w, c), gradients (n, t, h, w, c)
Made = Attribution | Any  # one Attribution; a list of them, in that order, where `layers` names several layers


def check_layers(explainer: Any) -> None:
    """Raise FieldmarkError unless `layers` is a tuple or list of names, and `layer` and `layers` are not both given."""
    names = explainer.layers
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise FieldmarkError(f'layers={names!r}: expected a tuple of layer names, such as ("block2", "block5")')
    if names and explainer.layer is not None:
        raise FieldmarkError(f"layer={explainer.layer!r} and layers={names!r}: expected one of the two")


def chosen_layers(explainer: Any, classifier: Classifier) -> list[Layer]:
    """The layers an explainer works at. Raises LayerError for a name that does not exist or is not a feature map."""
    return [classifier.choose_layer(name, spatial=True) for name in explainer.layers or (explainer.layer,)]


def one_or_all(explainer: Any, made: Iterable[Attribution]) -> Made:
    """The attribution of the one layer, or the list of them where `layers` was given."""
    listed = list(made)
    return listed if explainer.layers else listed[0]


def from_gradients(explainer: Any, job: Job, combine: Combine) -> Made:
    """Maps made of a layer's output and the gradient there; `explainer.relu` keeps only what is positive."""
    layers, relu = chosen_layers(explainer, job.classifier), explainer.relu

    def reduce(activations: np.ndarray, gradients: np.ndarray, _scores: np.ndarray) -> np.ndarray:
        return combine(activations, gradients)

    found = job.classifier.engine.gradients(job.x, job.target, at=[name for name, _ in layers], reduce=reduce)
    return one_or_all(
        explainer,
        (
            job.attribution(explainer, maps, found.scores, found.weights, signed=not relu, relu=relu, layer=layer)
            for maps, layer in zip(found.values, layers, strict=True)
        ),
    )
