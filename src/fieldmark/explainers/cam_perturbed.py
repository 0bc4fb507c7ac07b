"""Class activation maps whose weights come from more forward passes instead of gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.rows import row_chunks
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.cam import weighted
from fieldmark.explainers.contract import Job
from fieldmark.explainers.layered import Made, check_layers, chosen_layers, one_or_all
from fieldmark.explainers.perturbation import require_images
from fieldmark.progress import track
from fieldmark.targets import Predicted, apply_rule

# Signed maps (n, t, h, w) at a layer, from its name, its output (n, h, w, c) and the target's weights (n, t, classes).
MapsAt = Callable[[str, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class ScoreCAM:
    """Feature maps weighted by the score of the image seen through each of them: ReLU(sum_k a_k A_k) [wang2020].

    a = softmax over k of S(x ∘ H_k) - S(x_b), the paper's algorithm 1: H_k is A_k enlarged to the image, then brought
    to 0..1. x_b, the baseline image, cancels in the softmax; without it a_k is the increase of confidence itself.

    layer, layers, relu  as in GradCAM
    channels             None: all, as in the paper; k: for each image the k feature maps of highest variance, which
                         is known as Faster-Score-CAM
    softmax              False: a_k = S(x ∘ H_k) - S(x_b), the paper's definition 3
    baseline             what a pixel is faded to, and x_b, in what the model eats (after preprocessing); the paper's 0

    Feature maps that are flat hide or show the whole image: they have no place to speak for, and no weight or pass.
    Costs one forward pass and one per channel and image: EfficientNet-Lite0 has 1280, of which 510 are not flat on the
    demo's cat. No gradients. Maps are at the layer's resolution. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Feature maps weighted by what the model says of the image seen through each; many passes."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = True
    channels: int | None = None
    softmax: bool = True
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_layers(self)
        if self.channels is not None and (not isinstance(self.channels, int) or self.channels < 1):
            raise FieldmarkError(f"channels={self.channels!r}: expected None (all) or a whole number of 1 or more")
        if not np.isfinite(self.baseline):
            raise FieldmarkError(f"baseline={self.baseline!r}: expected a finite number")

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        job = Job.begin(classifier, images, target)
        require_images(job)
        engine = classifier.engine
        fill = np.full((1, *job.x.shape[1:]), self.baseline, np.float32)

        def maps_at(_layer: str, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
            kept, live = most_varied(activations, self.channels)
            scores = engine.masked_scores(job.x, as_masks(kept, job.x.shape[1:3]), fill)
            rises = np.einsum("nkc,ntc->ntk", scores, weights)
            if self.softmax:
                return weighted(kept, softmax_over(rises, live))
            empty = np.einsum("nc,ntc->nt", np.broadcast_to(engine.scores(fill), scores[:, 0].shape), weights)
            return weighted(kept, (rises - empty[..., None]) * live[:, None])

        return _from_passes(self, job, maps_at)


@dataclass(frozen=True, kw_only=True)
class AblationCAM:
    """Feature maps weighted by the share of the score lost without each: ReLU(sum_k (S - S_k) / S A_k) [desai2020].

    S_k is the score with channel k of the layer set to zero. We divide by |S|, so that a map says the same where the
    score is negative (by the paper's formula it would turn over); a score of exactly 0 divides by nothing.

    layer, layers, relu  as in GradCAM

    Channels that are zero everywhere need no pass. Costs one forward pass and, per image, one per channel from this
    layer on (1280 of a pooling and a dense layer for EfficientNet-Lite0; torch runs eagerly, so the layers before it
    run as well). No gradients. Maps are at the layer's resolution. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Feature maps weighted by how far the score falls without each of them; many passes."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = True

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        job = Job.begin(classifier, images, target)

        def maps_at(layer: str, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
            return weighted(activations, ablation_drops(job, layer, activations, weights))

        return _from_passes(self, job, maps_at)


def _from_passes(explainer: Any, job: Job, maps_at: MapsAt) -> Made:
    """Maps from feature maps and passes made with them; the feature maps of all layers come from one pass."""
    layers = chosen_layers(explainer, job.classifier)
    found = job.classifier.engine.observe(job.x, [name for name, _ in layers])
    weights = apply_rule(job.target, found.scores)
    made = []
    for layer, activations in zip(layers, found.values, strict=True):
        maps = maps_at(layer[0], activations, weights)
        made.append(
            job.attribution(
                explainer, maps, found.scores, weights, signed=not explainer.relu, relu=explainer.relu, layer=layer
            )
        )
    return one_or_all(explainer, made)


def most_varied(activations: np.ndarray, channels: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Per image the `channels` feature maps of highest variance: maps (n, h, w, k), and which are not flat (n, k).

    Flat ones come last, and no more are kept than the image with the most others needs.
    """
    flat = activations.max(axis=(1, 2)) == activations.min(axis=(1, 2))
    variance = np.where(flat, -1, activations.var(axis=(1, 2), dtype=np.float64))
    most = max(1, int((~flat).sum(axis=1).max()))
    order = np.argsort(-variance, axis=1, kind="stable")[:, : min(most, channels or most)]
    return np.take_along_axis(activations, order[:, None, None], axis=-1), ~np.take_along_axis(flat, order, axis=1)


def as_masks(activations: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks (n, k, h, w) from feature maps (n, h, w, k): once enlarged to `size`, each runs from exactly 0 to 1.

    Bilinear enlarging keeps offsets and factors, so bringing the small map to the range that the large one will have
    equals the paper's order, enlarge and then normalise. Flat maps become 0.
    """
    maps = np.moveaxis(activations, -1, 1).astype(np.float32)
    rows, columns = (extreme_rows(small, large) for small, large in zip(maps.shape[2:], size, strict=True))
    corners = rows @ maps @ columns.T
    low, high = (f(corners, axis=(2, 3), keepdims=True) for f in (np.min, np.max))
    return np.divide(maps - low, high - low, out=np.zeros_like(maps), where=high > low)


def extreme_rows(small: int, large: int) -> np.ndarray:
    """The rows of the bilinear matrix (large, small), half-pixel centres, among which every extreme value lies.

    Between two old pixels an enlarged line is straight, so only the first and last new pixel there can be extreme.
    """
    place = (np.arange(large) + 0.5) * small / large - 0.5
    cell = np.floor(place)
    ends = np.flatnonzero((cell != np.append(cell[1:], -2)) | (cell != np.append(-2, cell[:-1])))
    place = np.clip(place[ends], 0, small - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(small))).astype(np.float32)


def softmax_over(values: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Softmax over the last axis of (n, t, k) among those that are live (n, k); 0 for the others."""
    shifted = np.where(live[:, None], values, -np.inf)
    top = shifted.max(axis=-1, keepdims=True)
    powers = np.exp(shifted - np.where(np.isfinite(top), top, 0))
    return powers / np.maximum(powers.sum(axis=-1, keepdims=True), np.finfo(np.float32).tiny)


def ablation_drops(job: Job, layer: str, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, t, c): (S - S_k) / |S|, with S_k the target's score where channel k of the layer is zero."""
    engine = job.classifier.engine
    before = np.einsum("nc,ntc->nt", engine.scores_from(layer, activations, job.x), weights)
    drops = np.zeros((*before.shape, activations.shape[-1]), np.float32)
    images, channels = np.nonzero(activations.any(axis=tuple(range(1, activations.ndim - 1))))
    chunks = row_chunks(len(images), engine.passes.batch_size)
    for start, stop in track(chunks, len(chunks), f"Channels of {layer}"):
        owner, channel = images[start:stop], channels[start:stop]
        without = activations[owner]
        without[np.arange(len(owner)), ..., channel] = 0
        scores = engine.scores_from(layer, without, job.x[owner])
        drops[owner, :, channel] = before[owner] - np.einsum("rc,rtc->rt", scores, weights[owner])
    return drops / np.where(before == 0, 1, np.abs(before))[..., None]
