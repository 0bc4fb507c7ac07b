"""What a layer holds, whatever the class: its principal component, and its channels one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError, LayerError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.layered import Layer, Made, check_layers, chosen_layers, one_or_all
from fieldmark.targets import Predicted, apply_rule


@dataclass(frozen=True, kw_only=True)
class EigenCAM:
    """A layer's output A (pixels, c) = U S V^T projected on its first principal direction: A v_1 [muhammad2020].

    The same map for every class: it shows what stands out at this layer, not what speaks for the target. The sign of a
    singular vector is arbitrary; here it is the one that agrees with the mean over channels (their product summed over
    pixels is >= 0), so that maps of a layer behind a ReLU are never negative.

    layer    a name from `Classifier.layers()`; None: the last spatial feature map
    layers   several names: the call then returns a list, one Attribution per layer, from one forward pass
    centred  take each channel's mean over pixels away first (principal components proper); the paper does not

    One forward pass. Maps are at the layer's resolution, in units of its output. Raises LayerError for a layer that is
    not spatial.
    """

    summary: ClassVar[str] = "What stands out most in a layer's feature maps, the same for every class."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    centred: bool = False

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        job = Job.begin(classifier, images, target)
        layers = chosen_layers(self, classifier)
        names = [name for name, _ in layers]
        found = classifier.engine.observe(job.x, names, reduce=lambda a: eigen_cam(a, self.centred))
        weights = apply_rule(job.target, found.scores)

        def attribution(layer: Layer, each: np.ndarray) -> Attribution:
            maps = np.repeat(each[:, None], weights.shape[1], axis=1)
            signed, notes = bool((each < 0).any()), {"class_specific": False}
            return job.attribution(self, maps, found.scores, weights, signed=signed, layer=layer, notes=notes)

        return one_or_all(self, map(attribution, layers, found.values))


@dataclass(frozen=True, kw_only=True)
class ActivationMaps:
    """What a layer's channels respond to: their raw outputs, one map a channel [yosinski2015].

    The t axis is channels ("channel 12"); scores are their means over pixels. The target is not used.

    layer     a name from `Classifier.layers()`; None: the last spatial feature map
    layers    several names: the call then returns a list, one Attribution per layer, from one forward pass
    channels  k: for each image the k channels with the highest mean (all, where the layer has fewer); or a tuple of
              channel numbers from 0

    One forward pass. Maps are at the layer's resolution. Raises LayerError for a layer that is not spatial or does not
    have such a channel.
    """

    summary: ClassVar[str] = "The raw output of a layer's channels: what each of them responds to, whatever the class."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    channels: int | tuple[int, ...] = 16

    def __post_init__(self) -> None:
        check_layers(self)
        wanted = self.channels if isinstance(self.channels, (tuple, list)) else (self.channels,)
        least = 0 if isinstance(self.channels, (tuple, list)) else 1
        if not wanted or not all(isinstance(channel, int) and channel >= least for channel in wanted):
            raise FieldmarkError(
                f"channels={self.channels!r}: expected how many (1 or more), or a tuple of channel numbers from 0"
            )

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        job = Job.begin(classifier, images, target)
        layers = chosen_layers(self, classifier)
        found = classifier.engine.observe(job.x, [name for name, _ in layers])

        def attribution(layer: Layer, values: np.ndarray) -> Attribution:
            chosen = chosen_channels(values, self.channels, layer[0])
            maps = np.take_along_axis(
                np.moveaxis(values, -1, 1), np.expand_dims(chosen, tuple(range(2, values.ndim))), axis=1
            )
            nothing = np.zeros((*chosen.shape, found.scores.shape[1]), np.float32)  # a channel is no class
            signed, notes = bool((maps < 0).any()), {"target": "channels", "class_specific": False}
            made = job.attribution(self, maps, found.scores, nothing, signed=signed, layer=layer, notes=notes)
            words = tuple(tuple(f"channel {channel}" for channel in row) for row in chosen)
            return replace(made, scores=maps.mean(axis=tuple(range(2, maps.ndim)), dtype=np.float32), targets=words)

        return one_or_all(self, map(attribution, layers, found.values))


def eigen_cam(activations: np.ndarray, centred: bool = False) -> np.ndarray:
    """(n, h, w) from feature maps (n, h, w, c); through the smaller of the two Gram matrices, in float64."""
    n, *size, c = activations.shape
    matrix = activations.reshape(n, -1, c).astype(np.float64)
    mean = matrix.mean(axis=2)
    if centred:
        matrix = matrix - matrix.mean(axis=1, keepdims=True)
    turned = matrix.transpose(0, 2, 1)
    if matrix.shape[1] <= c:
        values, vectors = np.linalg.eigh(matrix @ turned)
        maps = vectors[:, :, -1] * np.sqrt(np.maximum(values[:, -1:], 0))
    else:
        maps = (matrix @ np.linalg.eigh(turned @ matrix)[1][:, :, -1:])[..., 0]
    maps[np.abs(maps) < np.finfo(np.float32).eps * np.abs(maps).max(axis=1, keepdims=True)] = 0  # rounding has no sign
    signs = np.where((maps * mean).sum(axis=1, keepdims=True) < 0, -1, 1)
    return (signs * maps).reshape(n, *size).astype(np.float32)


def chosen_channels(values: np.ndarray, wanted: int | tuple[int, ...], layer: str) -> np.ndarray:
    """Channel numbers (n, k): those wanted, or of (n, h, w, c) the `wanted` ones with the highest mean, in order."""
    size = values.shape[-1]
    if isinstance(wanted, int):
        return np.argsort(-values.mean(axis=tuple(range(1, values.ndim - 1))), axis=1, kind="stable")[:, :wanted]
    beyond = [channel for channel in wanted if channel >= size]
    if beyond:
        raise LayerError(f"channel {beyond[0]} of layer {layer!r}: expected 0 to {size - 1}")
    return np.broadcast_to(np.array(wanted), (len(values), len(wanted)))
