"""Gradients added up along the way from a baseline to the image: what the score gained, shared among the pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.fills import gaussian_blur
from fieldmark.explainers.gradients import over_channels
from fieldmark.explainers.perturbation import check_count
from fieldmark.images import check_images
from fieldmark.targets import Predicted, Resolved

RULES = ("gauss-legendre", "midpoint")
LEVELS = 8  # flat backgrounds of Expected Gradients where none is given
BLUR = 10  # the blurred baseline's sigma is the shorter side divided by this: 22 pixels at 224

Baseline = float | str | np.ndarray | list[float] | tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegratedGradients:
    """What each pixel adds on the straight way from a baseline: (x - b) times the mean of dS/dx [sundararajan2017].

    Completeness: the sum of a map is S(x) - S(b). Score, baseline score, sum and their residual, per image and target,
    are in the provenance under "completeness"; a residual that is not small asks for more steps.

    baseline  what "nothing to see" is, in the units of the images as given, before preprocessing: a number (0 is the
              paper's black image), one number per channel, an image, one per image, or "blur" for the image blurred
    steps     points on the way, 1 or more; each costs one gradient, about two forward passes
    rule      "gauss-legendre" points and weights, or "midpoint"

    Signed maps at the resolution of what the model eats, in units of the score.
    Raises ImageError for a baseline of another shape.
    """

    summary: ClassVar[str] = "What each pixel adds to the score on the way from a black image; the sum is exact."
    needs_layer: ClassVar[bool] = False

    baseline: Baseline = 0.0
    steps: int = 32
    rule: str = "gauss-legendre"

    def __post_init__(self) -> None:
        check_count("steps", self.steps)
        if self.rule not in RULES:
            raise FieldmarkError(f"rule={self.rule!r}: expected one of {', '.join(RULES)}")
        if isinstance(self.baseline, str) and self.baseline != "blur":
            raise FieldmarkError(f'baseline={self.baseline!r}: expected a number, an image, or "blur"')

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        starts = baselines(job, self.baseline)
        way = Way(np.broadcast_to(starts, job.x.shape), *quadrature(self.steps, self.rule))
        found = classifier.engine.path_gradients(job.x, job.target, way)
        maps = over_channels(found.mean * (job.x - starts)[:, None], "sum")
        reference = explained(job.target, found.weights, classifier.engine.scores(starts)[:, None])[..., 0]
        notes = {"completeness": completeness(job.target, found, reference, maps)}
        return job.attribution(self, maps, found.scores, found.weights, signed=True, notes=notes)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedGradients:
    """Integrated Gradients against a set of images: the mean over b, a of (x - b) dS/dx at b + a (x - b) [erion2021].

    What SHAP calls GradientExplainer [lundberg2017]. The sum of a map is S(x) minus the mean score of the background,
    within the reported error: score, that mean, the sum, its residual and its standard error, per image and target, are
    in the provenance under "completeness"; `variance` is each value's squared standard error, from the spread of the
    samples. With `stratified` both errors are upper bounds.

    background  images like those explained, typical for what the model was trained on; None: flat images, each channel
                at one of 8 levels evenly spread over its range in the image, so that one photograph is enough
    layer       None: at the input. A layer's name: at its output, whose channels are added up; where other ways lead
                around the layer, these keep what the image gave them, and so does the mean score
    samples     draws per image, 2 or more; each costs a forward pass and one backward pass per target
    stratified  spread a evenly over 0 to 1 and use each background image equally often; False: draw both
                independently, as in the paper
    seed        of the draws; these are the same for every image

    Signed maps at the resolution of what the model eats or of the layer, in units of the score.
    Raises ImageError for a background that is empty or of another shape, LayerError for a layer that is not spatial.
    """

    summary: ClassVar[str] = "What each pixel adds to the score against a set of ordinary images, with its error."
    needs_layer: ClassVar[bool] = False

    background: Any = None
    layer: str | None = None
    samples: int = 50
    stratified: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("samples", self.samples, least=2)
        check_count("seed", self.seed, least=0)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        layer = None if self.layer is None else classifier.choose_layer(self.layer, spatial=True)
        at = layer[0] if layer else None
        ordinary = Ordinary(classifier, job.x, background(job, self.background), at)
        alphas, picks = draws(self.samples, ordinary.count, self.stratified, self.seed)
        points = Mixture(ordinary.values, alphas, picks)
        found = classifier.engine.path_gradients(
            job.x, job.target, points, at=at or "input", square=True, sum_channels=True
        )
        maps, square, slopes = found.mean, found.square, found.slopes
        assert square is not None
        assert slopes is not None
        reference = explained(job.target, found.weights, ordinary.scores()).mean(axis=-1)
        sums = completeness(job.target, found, reference, maps)
        sums["standard_error"] = listed(error_of_mean(slopes, alphas if self.stratified else None))
        variance = np.maximum(square - maps**2, 0) / (self.samples - 1)
        return job.attribution(
            self,
            maps,
            found.scores,
            found.weights,
            signed=True,
            layer=layer,
            variance=variance,
            notes={"completeness": sums},
        )


@dataclass(frozen=True, eq=False)
class Way:
    """Straight from the starts (n, h, w, c) to the values, at fixed points with fixed weights, the same for all."""

    starts: np.ndarray
    alphas: np.ndarray
    weights: np.ndarray

    @property
    def samples(self) -> int:
        return len(self.alphas)

    def draw(self, index: int, value: np.ndarray) -> Iterator[tuple[np.ndarray, float, float]]:
        start = self.starts[index]
        step = value - start
        for alpha, weight in zip(self.alphas, self.weights, strict=True):
            yield start + np.float32(alpha) * step, 1.0, float(weight)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Points between a value and the backgrounds (b, h, w, c) of its image."""

    backgrounds: Callable[[int], np.ndarray]
    alphas: np.ndarray
    picks: np.ndarray

    @property
    def samples(self) -> int:
        return len(self.alphas)

    def draw(self, index: int, value: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        own = self.backgrounds(index)
        for alpha, pick in zip(self.alphas, self.picks, strict=True):
            step = value - own[pick]
            yield own[pick] + np.float32(alpha) * step, step, 1 / self.samples


@dataclass(frozen=True, eq=False)
class Ordinary:
    """The background as the model eats it: `given` (b, h, w, c) for all images, or None for each image's flat ones."""

    classifier: Classifier
    x: np.ndarray
    given: np.ndarray | None
    layer: str | None

    @property
    def count(self) -> int:
        return LEVELS if self.given is None else len(self.given)

    def images(self, index: int) -> np.ndarray:
        return flat_images(self.x[index]) if self.given is None else self.given

    @property
    def values(self) -> Callable[[int], np.ndarray]:
        """The backgrounds of image `index`, or what the layer makes of them."""
        engine, layer = self.classifier.engine, self.layer
        if layer is None:
            return self.images
        if self.given is None:
            return lambda index: engine.activations(self.images(index), layer)
        shared = engine.activations(self.given, layer)
        return lambda _index: shared

    def scores(self) -> np.ndarray:
        """(n, b, classes), or (1, b, classes) where they are the same for all images."""
        engine, layer = self.classifier.engine, self.layer
        if self.given is not None and (layer is None or self._passes_all(layer)):
            return engine.scores(self.given)[None]
        if layer is None:
            return np.stack([engine.scores(self.images(index)) for index in range(len(self.x))])
        return np.stack([self._from_layer(layer, index) for index in range(len(self.x))])

    def _passes_all(self, layer: str) -> bool:
        """Whether the layer's output alone decides the scores: no way leads around it."""
        whole = self.classifier.engine.scores(self.images(0))
        return np.allclose(self._from_layer(layer, 0), whole, rtol=1e-3, atol=1e-4 * float(np.abs(whole).max()))

    def _from_layer(self, layer: str, index: int) -> np.ndarray:
        values = self.values(index)
        return self.classifier.engine.scores_from(layer, values, np.repeat(self.x[index : index + 1], len(values), 0))


def quadrature(steps: int, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Points in 0 to 1 and their weights, which sum to 1."""
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (points + 1) / 2, weights / 2


def draws(samples: int, count: int, stratified: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Alphas in 0 to 1 and indices below `count`, (samples,) each; stratified: a Latin hypercube of both."""
    rng = np.random.default_rng(seed)
    if not stratified:
        return rng.random(samples), rng.integers(count, size=samples)
    alphas = (rng.permutation(samples) + rng.random(samples)) / samples
    rounds = [rng.permutation(count) for _ in range(-(-samples // count))]
    return alphas, np.concatenate(rounds)[:samples]


def baselines(job: Job, baseline: Baseline) -> np.ndarray:
    """The baseline as the model eats it: (1, h, w, c) for all images or (n, h, w, c). Raises ImageError."""
    shape = job.images.shape
    if isinstance(baseline, str):
        images = gaussian_blur(job.images.astype(np.float32), min(shape[1:-1]) / BLUR)
    else:
        images = np.asarray(baseline, np.float32)
        if images.shape not in ((), shape[-1:], shape[1:], shape):
            raise ImageError(
                f"baseline: expected one number, {shape[-1]} (one per channel), an image {shape[1:]} or {shape[0]} of "
                f"them, received shape {images.shape}"
            )
        images = images if images.shape == shape else np.broadcast_to(images, (1, *shape[1:]))
    return job.classifier.prepare(check_images(images, what="baseline", places=len(shape) - 2))[1]


def background(job: Job, images: Any) -> np.ndarray | None:
    """The background set as the model eats it, (b, h, w, c); None stays None. Raises ImageError."""
    if images is None:
        return None
    shape = job.images.shape[1:]
    return job.classifier.prepare(check_images(images, shape, what="background", places=len(shape) - 1))[1]


def flat_images(value: np.ndarray) -> np.ndarray:
    """(LEVELS, h, w, c) views: each channel of one image (h, w, c) at evenly spread levels of its range."""
    flat = value.reshape(-1, value.shape[-1])
    low, high = flat.min(axis=0), flat.max(axis=0)
    shares = (np.arange(LEVELS, dtype=np.float32) + np.float32(0.5)) / LEVELS
    levels = np.expand_dims(low + shares[:, None] * (high - low), tuple(range(1, value.ndim)))
    return np.broadcast_to(levels, (LEVELS, *value.shape))


def explained(target: Resolved, weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n, t, b): what the gradients are of, from weights (n, t, classes) and scores (n or 1, b, classes)."""
    if target.rule.kind != "log_odds":
        return np.einsum("ntc,nbc->ntb", weights, np.broadcast_to(scores, (len(weights), *scores.shape[1:])))
    assert target.given is not None
    chosen = target.given[:, :, None, :] > 0
    others = np.where(chosen, -np.inf, scores[:, None])
    return np.where(chosen, scores[:, None], 0).sum(axis=-1) - np.logaddexp.reduce(others, axis=-1)


def completeness(target: Resolved, found: Any, reference: np.ndarray, maps: np.ndarray) -> dict[str, Any]:
    """Score, reference score, sum of the map and what is missing between them, each (n, t), as lists."""
    score = explained(target, found.weights, found.scores[:, None])[..., 0]
    total = maps.sum(axis=tuple(range(2, maps.ndim)), dtype=np.float64)
    parts = {"score": score, "reference": reference, "sum": total, "residual": score - reference - total}
    return {name: listed(values) for name, values in parts.items()}


def error_of_mean(slopes: np.ndarray, alphas: np.ndarray | None) -> np.ndarray:
    """(n, t): the standard error of the mean of slopes (n, samples, t), independent or stratified by `alphas`.

    Neighbours in alpha differ by what is left within a stratum, and by a little of the trend: an upper bound.
    """
    if alphas is None:
        variance = slopes.var(axis=1, ddof=1)
    else:
        variance = np.square(np.diff(slopes[:, np.argsort(alphas)], axis=1)).mean(axis=1) / 2
    return np.sqrt(variance / slopes.shape[1])


def listed(values: np.ndarray) -> Any:
    return np.round(values.astype(np.float64), 6).tolist()
