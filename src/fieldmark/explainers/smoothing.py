"""Wrappers that look at noisy copies of an image: the mean, the mean square or the variance of any explainer's maps.

Around `Gradients` the whole cloud goes through the engine in one go: noise is added to what the model eats, and the
signed gradients of every channel are averaged before the channels are joined, as in the papers. Around any other
explainer the noise is added to the images as given, and its maps are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import Job
from fieldmark.explainers.diagnosis import silent
from fieldmark.explainers.gradients import Gradients, over_channels
from fieldmark.explainers.perturbation import check_count
from fieldmark.progress import track
from fieldmark.targets import Predicted, Resolved, Rule, apply_rule

AVERAGES = ("gradients", "maps")
KEPT_NOISE = 2**28  # bytes of noise that are kept from one image to the next

Join = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of the mean and the mean square


@dataclass(frozen=True, kw_only=True)
class SmoothGrad:
    """The mean of an explainer's maps over noisy copies of the image [smilkov2017].

    inner       any explainer that gives one map per target
    samples     copies, 1 or more; each costs what the inner explainer costs
    noise       standard deviation of the Gaussian noise, as a share of the image's range (largest less smallest value)
    antithetic  add every noise once and subtract it once, which cancels what is odd in it; False: all independent
    average     "gradients": around Gradients, average signed gradients, then join the channels (the paper);
                "maps": average finished maps, which is what happens around any other explainer
    seed        of the noise, which is the same for every image

    One sample without noise is the inner explainer. Signed, layer and units are the inner explainer's.
    """

    summary: ClassVar[str] = "Any method with its noise averaged away: the mean over noisy copies of the image."
    needs_layer: ClassVar[bool] = False

    inner: Any = field(default_factory=Gradients)
    samples: int = 50
    noise: float = 0.15
    antithetic: bool = True
    average: str = "gradients"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        return _explain(self, classifier, images, target, lambda mean, _square: mean, square=False)


@dataclass(frozen=True, kw_only=True)
class SquareGrad:
    """The mean of the squares of an explainer's maps over noisy copies of the image [hooker2019].

    inner, samples, noise, antithetic, average, seed  as in SmoothGrad; antithetic pairs have nearly equal squares, so
                they gain nothing here

    Maps are >= 0, in the inner explainer's units squared.
    """

    summary: ClassVar[str] = "SmoothGrad of the squares: where the method is large either way, most sharply."
    needs_layer: ClassVar[bool] = False

    inner: Any = field(default_factory=Gradients)
    samples: int = 15
    noise: float = 0.15
    antithetic: bool = False
    average: str = "gradients"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        return _explain(self, classifier, images, target, lambda _mean, square: square)


@dataclass(frozen=True, kw_only=True)
class VarGrad:
    """The variance of an explainer's maps over noisy copies of the image: mean square less squared mean [adebayo2018].

    What does not change with the noise drops out. With independent noise it is SquareGrad less SmoothGrad squared.

    inner, samples, noise, antithetic, average, seed  as in SmoothGrad; 2 samples or more

    Maps are >= 0, in the inner explainer's units squared.
    """

    summary: ClassVar[str] = "Where the method's answer changes under noise: the variance over noisy copies."
    needs_layer: ClassVar[bool] = False

    inner: Any = field(default_factory=Gradients)
    samples: int = 15
    noise: float = 0.15
    antithetic: bool = False
    average: str = "gradients"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, least=2)

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        return _explain(self, classifier, images, target, variance)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Noisy copies of a value: plus `noise` times its range times standard normal numbers, the same for every value."""

    samples: int
    noise: float
    antithetic: bool
    seed: int
    kept: list[np.ndarray] = field(default_factory=list)

    def draw(self, _index: int, value: np.ndarray) -> Iterator[tuple[np.ndarray, float, float]]:
        scale = np.float32(self.noise * (float(value.max()) - float(value.min())))
        for copy in self._copies(value, scale):
            yield copy, 1.0, 1 / self.samples

    def _copies(self, value: np.ndarray, scale: np.float32) -> Iterator[np.ndarray]:
        left = self.samples
        for noise in self._noises(value.shape):
            shift = scale * noise
            yield value + shift
            left -= 1
            if self.antithetic and left:
                yield value - shift
                left -= 1

    def _noises(self, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
        """Standard normal numbers, from the seed alone; kept for the next image where they fit."""
        count = -(-self.samples // 2) if self.antithetic else self.samples
        if self.kept and self.kept[0].shape == shape:
            yield from self.kept
            return
        rng = np.random.default_rng(self.seed)
        keep = 4 * count * int(np.prod(shape)) <= KEPT_NOISE
        self.kept.clear()
        made = []
        for _ in range(count):
            noise = rng.standard_normal(shape, dtype=np.float32)
            if keep:
                made.append(noise)
            yield noise
        self.kept.extend(made)


@dataclass(frozen=True, eq=False)
class Fixed:
    """A target that was resolved before: the same weights (t, classes) for every image."""

    rule: Rule
    given: np.ndarray
    words: tuple[str, ...] | None

    def resolve(self, _scores: Any, n: int, _classes: int, _labels: Any) -> Resolved:
        return Resolved(self.rule, np.repeat(self.given[None], n, axis=0), self.words)


def variance(mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Mean square less squared mean, never below zero."""
    return np.maximum(square - mean**2, 0)


def _explain(
    explainer: Any, classifier: Classifier, images: Any, target: Any, join: Join, square: bool = True
) -> Attribution:
    """`join` makes the map of the mean and, where it needs the `square`, the mean square; squares have no sign."""
    job = Job.begin(classifier, images, target)
    cloud = Cloud(explainer.samples, explainer.noise, explainer.antithetic, explainer.seed)
    if type(explainer.inner) is Gradients and explainer.average == "gradients":
        how = explainer.inner.channels
        found = classifier.engine.path_gradients(job.x, job.target, cloud, square=square)
        maps = over_channels(join(found.mean, found.mean if found.square is None else found.square), how)
        signed = how == "sum" and not square
        return job.attribution(explainer, maps, found.scores, found.weights, signed=signed)
    scores = classifier.engine.scores(job.x)
    weights = apply_rule(job.target, scores)
    made = [_around(explainer.inner, job, index, weights, cloud) for index in track(range(len(job.x)), label="Images")]
    maps = np.stack([join(each.maps.mean(axis=0), np.square(each.maps).mean(axis=0)) for each in made])
    given = made[0].provenance
    layer = (given["layer"], given["layer_reason"]) if given["layer"] else None
    signed = made[0].signed and not square
    return job.attribution(explainer, maps, scores, weights, signed=signed, layer=layer)


def _around(inner: Any, job: Job, index: int, weights: np.ndarray, cloud: Cloud) -> Attribution:
    """The inner explainer's maps (samples, t, h, w) of the noisy copies of one image, for its own fixed target."""
    rule = Rule("given") if job.target.rule.kind == "top" or job.target.given is None else job.target.rule
    given = weights[index] if job.target.given is None else job.target.given[index]
    copies = np.stack([copy for copy, _, _ in cloud.draw(index, job.images[index].astype(np.float32))])
    with silent():  # what is wrong with the mean is said once, for the mean
        made = inner(job.classifier, copies, Fixed(rule, given, job.target.words))
    if not isinstance(made, Attribution):
        raise FieldmarkError("inner: expected an explainer that gives one map, received one with several layers=")
    return made


def _check(explainer: Any, least: int = 1) -> None:
    name, noise = type(explainer).__name__, explainer.noise
    if isinstance(explainer.inner, type) or not callable(explainer.inner):
        raise FieldmarkError(f"inner={explainer.inner!r}: expected an explainer, for example {name}(inner=Gradients())")
    check_count("samples", explainer.samples, least)
    check_count("seed", explainer.seed, least=0)
    if isinstance(noise, bool) or not isinstance(noise, (int, float)) or not 0 <= noise < float("inf"):
        raise FieldmarkError(f"noise={noise!r}: expected a number of 0 or more, a share of the image's range")
    if explainer.average not in AVERAGES:
        raise FieldmarkError(f"average={explainer.average!r}: expected one of {', '.join(AVERAGES)}")
