"""Gradients at the input of what a layer holds: how far its mean activation goes in a direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from fieldmark.classifier import autodiff

if TYPE_CHECKING:
    from fieldmark.classifier.engine import Engine


class FeatureGradient(NamedTuple):
    """gradients (n, h, w, c) at the input; scores (n,), the layer's mean activation along each direction."""

    gradients: np.ndarray
    scores: np.ndarray


def feature_gradients(engine: Engine, x: np.ndarray, layer: str, directions: np.ndarray) -> FeatureGradient:
    """One direction (c,) for each of n images, in the layer's channels; means are over all places of the layer."""

    def traced(x: Any, directions: Any) -> tuple[Any, ...]:
        def run(watch: autodiff.Watch) -> Any:
            seen: dict[str, Any] = {}
            engine.forward(watch(x), {layer: lambda value: seen.setdefault(layer, value)})
            value = engine.layout(layer).outward(seen[layer])
            axes = list(range(1, len(value.shape) - 1))
            means = ops.mean(value, axis=axes) if axes else value
            return ops.sum(means * directions, axis=1, keepdims=True)

        _, gradients, scores, _ = autodiff.vjp(run, lambda scores: ops.expand_dims(ops.ones_like(scores), 1))
        return gradients[0][:, 0], scores[:, 0]

    out = engine.passes.over_batches(("features", layer), traced, [x, directions], f"Gradients of {layer}")
    return FeatureGradient(*out)
