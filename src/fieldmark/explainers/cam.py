"""Class activation maps: a layer's feature maps, weighted by what each means to the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError, LayerError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.layered import Made, check_layers, from_gradients
from fieldmark.targets import Predicted

# Two scales of made-up feature maps, so that a bend anywhere near what a network produces is crossed.
PROBE_SCALES = (1.0, 100.0)
PROBE_TOLERANCE = 1e-2  # of the largest score: half precision passes, a bend or a maximum is far above


@dataclass(frozen=True, kw_only=True)
class CAM:
    """Feature maps weighted by the class's weights in a linear head: sum_k w_k A_k [zhou2016].

    Only where global average pooling and one linear layer follow (dropout between them is allowed): there the mean of
    the map is the logit less the bias. This is checked on made-up feature maps, whatever the layers are called.

    layer  a name from `Classifier.layers()`; None: the last spatial feature map

    Signed maps at the layer's resolution, in units of the score. One forward pass, and one of ten rows to check.
    Raises LayerError for any other head, with the reason and what works there.
    """

    summary: ClassVar[str] = "The exact share of each region in the logit, for networks that end in average pooling."
    needs_layer: ClassVar[bool] = True
    layers: ClassVar[tuple[str, ...]] = ()  # one layer at most can have a linear head of pooling after it
    relu: ClassVar[bool] = False

    layer: str | None = None

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        job = Job.begin(classifier, images, target)
        require_pooled_linear(classifier, classifier.choose_layer(self.layer, spatial=True)[0], job.x[:1])
        return from_gradients(self, job, cam)


@dataclass(frozen=True, kw_only=True)
class GradCAM:
    """Feature maps weighted by their mean gradient: ReLU(sum_k a_k A_k), a_k the mean of dS/dA_k [selvaraju2017].

    layer   a name from `Classifier.layers()`; None: the last spatial feature map
    layers  several names: the call then returns a list, one Attribution per layer, from one forward pass
    relu    keep only what speaks for the target, as in the paper; False gives the signed map
    rms     divide the gradients by their root mean square, per image and target: another scale, the same picture

    Maps are at the layer's resolution, in units of the score. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Which regions of a deep layer's feature maps raise the score; coarse and class-specific."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = True
    rms: bool = False

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        def combine(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
            return grad_cam(activations, over_rms(gradients) if self.rms else gradients)

        return from_gradients(self, Job.begin(classifier, images, target), combine)


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus:
    """Grad-CAM with weights that count every place where a feature appears [chattopadhay2018].

    a_k = sum over pixels of alpha ReLU(dS/dA_k), alpha = g^2 / (2 g^2 + g^3 sum A_k). The paper explains exp(S); the
    common factor exp(S) of a map is left out, which changes its scale and nothing else.

    layer, layers, relu  as in GradCAM

    Maps are at the layer's resolution. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Grad-CAM that also covers several instances of a class, and the whole of one."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = True

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        return from_gradients(self, Job.begin(classifier, images, target), grad_cam_plus_plus)


@dataclass(frozen=True, kw_only=True)
class HiResCAM:
    """Feature maps times their gradients, pixel by pixel: sum_k dS/dA_k A_k [draelos2020].

    Where only linear layers follow, the sum of the map is the logit less the bias: nothing is averaged away.

    layer, layers, relu  as in GradCAM; the paper's map is signed (relu=False)

    Maps are at the layer's resolution, in units of the score. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Grad-CAM without its averaging: what each place of the feature maps adds to the score."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = False

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        return from_gradients(self, Job.begin(classifier, images, target), hires_cam)


@dataclass(frozen=True, kw_only=True)
class XGradCAM:
    """Grad-CAM whose mean gradient is weighted by the activations: a_k = sum(dS/dA_k A_k) / sum(A_k) [fu2020].

    Signed, the map sums to the sum of gradient times activation: the score, where what follows is piecewise linear
    without bias (the paper's sensitivity and conservation axioms). A feature map that sums to zero weighs nothing.

    layer, layers, relu  as in GradCAM

    Maps are at the layer's resolution, in units of the score. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Grad-CAM with weights that account for the score: gradients count where features are."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = True

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        return from_gradients(self, Job.begin(classifier, images, target), xgrad_cam)


@dataclass(frozen=True, kw_only=True)
class LayerCAM:
    """Feature maps times their positive gradients, pixel by pixel: ReLU(sum_k ReLU(dS/dA_k) A_k) [jiang2021].

    Made for shallow layers too, whose maps are finer. The tanh scaling of shallow maps, with which the paper fuses
    several layers into one picture, is not part of the map.

    layer, layers, relu  as in GradCAM

    Maps are at the layer's resolution, in units of the score. Raises LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "Fine maps from shallow layers as well: features where more of them raises the score."
    needs_layer: ClassVar[bool] = True

    layer: str | None = None
    layers: tuple[str, ...] = ()
    relu: bool = True

    def __post_init__(self) -> None:
        check_layers(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Made:  # noqa: B008
        return from_gradients(self, Job.begin(classifier, images, target), layer_cam)


def cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w): behind pooling the gradient at any pixel is the class's weight over the number of pixels."""
    return grad_cam(activations, gradients) * np.float32(np.prod(activations.shape[1:-1]))


def grad_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w), signed, from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    return weighted(activations, gradients.mean(axis=places(gradients)))


def grad_cam_plus_plus(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w), signed, from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    totals = np.expand_dims(activations.sum(axis=places(activations, 1)), tuple(range(1, gradients.ndim - 1)))
    # alpha ReLU(g) = ReLU(g) / (2 + g sum A): nothing is to be squared or cubed, and only positive gradients count.
    positive = np.maximum(gradients, 0)
    denominator = positive * totals + 2
    shares = np.divide(positive, denominator, out=np.zeros_like(positive), where=denominator != 0)
    return weighted(activations, shares.sum(axis=places(shares)))


def hires_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w), signed, from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    return np.einsum("n...c,nt...c->nt...", activations, gradients).astype(np.float32)


def xgrad_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w), signed, from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    n, t, *_, c = gradients.shape
    shares = np.einsum("npc,ntpc->ntc", activations.reshape(n, -1, c), gradients.reshape(n, t, -1, c))
    totals = np.broadcast_to(activations.sum(axis=places(activations, 1))[:, None], shares.shape)
    return weighted(activations, np.divide(shares, totals, out=np.zeros_like(shares), where=totals != 0))


def layer_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """(n, t, h, w), signed, from activations (n, h, w, c) and gradients (n, t, h, w, c)."""
    return hires_cam(activations, np.maximum(gradients, 0))


def weighted(activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, t, h, w): the sum over channels of weights (n, t, c) times feature maps (n, h, w, c)."""
    n, *size, c = activations.shape
    maps = np.einsum("npc,ntc->ntp", activations.reshape(n, -1, c), weights, optimize=True)
    return maps.reshape(n, -1, *size).astype(np.float32)


def places(values: np.ndarray, first: int = 2) -> tuple[int, ...]:
    """The axes between `first` and the channels: height and width, or what signals and volumes have."""
    return tuple(range(first, values.ndim - 1))


def over_rms(gradients: np.ndarray) -> np.ndarray:
    """Gradients (n, t, h, w, c) over their root mean square per image and target; zeros stay zero."""
    rms = np.sqrt(np.square(gradients).mean(axis=(*places(gradients), gradients.ndim - 1), keepdims=True))
    return np.divide(gradients, rms, out=np.zeros_like(gradients), where=rms > 0)


def require_pooled_linear(classifier: Classifier, layer: str, x: np.ndarray) -> None:
    """Raise LayerError unless the logits are one linear function of the layer's mean over pixels, for every image.

    Shown on made-up feature maps P and Q, for all classes: S(P) + S(Q) = 2 S((P + Q) / 2) makes S affine in the layer,
    S(P shifted by a pixel) = S(P) gives all pixels one weight, and S(P) is the same behind another image.
    """
    if not classifier.engine.logits:
        raise FieldmarkError(
            "CAM: expected logits, received probabilities, which are not linear; use scores='logits', or GradCAM"
        )
    shape = next(info.shape for info in classifier.layers() if info.name == layer)
    rng = np.random.default_rng(0)
    reasons = []
    for scale in PROBE_SCALES:
        means = rng.normal(size=(2, *[1] * (len(shape) - 1), shape[-1]))
        p, q = scale * (means + rng.normal(size=(2, *shape)))
        shifted = np.roll(p.reshape(-1, shape[-1]), 1, axis=0).reshape(shape)
        maps = np.stack([p, q, (p + q) / 2, shifted, p]).astype(np.float32)
        images = np.concatenate([np.repeat(x, 4, axis=0), -1 - x])
        of_p, of_q, between, of_shifted, elsewhere = classifier.engine.scores_from(layer, maps, images)
        allowed = PROBE_TOLERANCE * max(np.abs(of_p).max(), np.abs(of_q).max())
        for gap, reason in (
            (of_p + of_q - 2 * between, "is not linear in it"),
            (of_shifted - of_p, "weighs its pixels differently"),
            (elsewhere - of_p, "sees the image past it"),
        ):
            if not np.abs(gap).max() <= allowed:
                reasons.append(reason)
    if reasons:
        raise LayerError(
            f"CAM at layer {layer!r}: expected global average pooling and one linear layer after it, but the rest of "
            f"the model {reasons[0]}; GradCAM and HiResCAM work at any layer"
        )
