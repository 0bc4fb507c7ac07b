"""Pictures that a model makes: what excites a class, a channel, or a direction in a layer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.classifier import Classifier
from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.explainers.canvas import Adam, Canvas, View, roughness
from fieldmark.explainers.contract import Job
from fieldmark.explainers.perturbation import require_images
from fieldmark.progress import track
from fieldmark.targets import Predicted, Resolved, Rule, apply_rule

STARTS = ("noise", "image")
OnStep = Callable[[int, np.ndarray, np.ndarray], None]


@dataclass(frozen=True, kw_only=True)
class ActivationMaximisation:
    """A picture that excites a class, or a layer's channel or direction: argmax over x of S(x) - R(x) [erhan2009].

    Optimised by Adam as frequencies with decorrelated colours, seen under a random shift, turn and zoom at every step
    [olah2017]; R is the picture's total variation and its squared distance from grey, on the scale of log(p / (1 - p)).

    steps        passes forward and backward for each picture; 64 show the features, 512 make a clean picture
    rate         of Adam
    layer        a layer of which `channel` (index) or `direction` (one weight a channel) is excited, its mean over all
                 places; None: the target
    start        "noise" around grey, or the "image" given
    fourier, decorrelate  False: plain pixels, plain channels (colours are known for three channels only)
    jitter, rotation, zoom  largest shift in pixels, turn in degrees, and enlargement or shrinking as a share
    tv, l2       weights of total variation and of distance from grey, in units of the score
    value_range  of the model's input, (black, white); None: found by preprocessing black, white and pure colours
    on_step      called with (step, pictures (n, t, h, w, c), scores (n, t)) after every step

    `pictures` (n, t, h, w, c) are in 0..1 in the images' own colours, at the size of the model's input; maps are how
    much each pixel changed from the start; scores and probabilities are those of the pictures, unmoved. Raises
    ImageError where preprocessing does not act on each pixel alone.
    """

    summary: ClassVar[str] = "Not a map of the photograph: a picture made to excite the class, channel or direction."
    needs_layer: ClassVar[bool] = False

    steps: int = 64
    rate: float = 0.05
    layer: str | None = None
    channel: int | None = None
    direction: Sequence[float] | None = None
    start: str = "noise"
    fourier: bool = True
    decorrelate: bool = True
    jitter: int = 8
    rotation: float = 5.0
    zoom: float = 0.1
    tv: float = 300.0
    l2: float = 10.0
    value_range: tuple[float, float] | None = None
    seed: int = 0
    on_step: OnStep | None = None

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise FieldmarkError(f"steps={self.steps!r}: expected a whole number of 1 or more")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise FieldmarkError(f"rate={self.rate!r}: expected a number above 0")
        for name in ("jitter", "rotation", "tv", "l2"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise FieldmarkError(f"{name}={value!r}: expected a number of 0 or more")
        if not 0 <= self.zoom < 1:
            raise FieldmarkError(f"zoom={self.zoom!r}: expected a share from 0 to below 1")
        if self.start not in STARTS:
            raise FieldmarkError(f"start={self.start!r}: expected one of {', '.join(STARTS)}")
        if (self.layer is None) != (self.channel is None and self.direction is None):
            raise FieldmarkError("layer=: expected together with channel= or direction=, and these with it")
        if self.channel is not None and self.direction is not None:
            raise FieldmarkError("channel= and direction=: expected one of them")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise FieldmarkError(f"value_range={self.value_range!r}: expected (black, white) with black < white")

    def __call__(self, classifier: Classifier, images: Any, target: Any = Predicted()) -> Attribution:  # noqa: B008
        job = Job.begin(classifier, images, target)
        require_images(job)
        layer = None if self.layer is None else classifier.choose_layer(self.layer)
        scores = classifier.engine.scores(job.x)
        weights = apply_rule(job.target, scores)
        made = self._made(job, weights if layer is None else weights[:, :1], layer)
        pictures, begun, seen, reached = made
        maps = np.abs(pictures - begun).mean(axis=-1)
        found = job.attribution(self, maps, scores, weights[:, : maps.shape[1]], signed=False, layer=layer)
        if layer is not None:
            words = f"channel {self.channel}" if self.direction is None else "a direction"
            blank = np.full(reached.shape, np.nan, np.float32)
            named = tuple(((f"{words} of {layer[0]}",),) * len(maps))
            found = dataclasses.replace(
                found, targets=named, probabilities=blank, classes=np.full(reached.shape, -1, np.int64)
            )
        else:
            chances = classifier.read(seen.reshape(-1, seen.shape[-1])).probabilities.reshape(seen.shape)
            chances = np.take_along_axis(chances, np.maximum(found.classes, 0)[..., None], axis=2)[..., 0]
            chances = np.where(found.classes >= 0, chances, np.nan).astype(np.float32)
            found = dataclasses.replace(found, probabilities=chances)
        return dataclasses.replace(found, scores=reached, pictures=pictures.astype(np.float32))

    def _made(self, job: Job, weights: np.ndarray, layer: tuple[str, str] | None) -> tuple[np.ndarray, ...]:
        """Pictures and what they began as (n, t, h, w, c), the model's scores (n, t, classes), what was reached."""
        n, t = weights.shape[:2]
        height, width, channels = job.x.shape[1:]
        dye = Dye.of(job, self.value_range)
        canvas = Canvas.of(height, width, channels, self.fourier, self.decorrelate)
        rngs = [np.random.default_rng([self.seed, i, j]) for i in range(n) for j in range(t)]
        if self.start == "image":
            parameters = np.stack([canvas.matching(dye.display(x)) for x in job.x for _ in range(t)])
        else:
            parameters = np.stack([canvas.start(rng) for rng in rngs])
        pull = self._objective(job, weights, layer)
        begun = pictures = np.stack([canvas.picture(each) for each in parameters])
        adam = Adam(self.rate)
        for step in track(range(self.steps), self.steps, "Making pictures"):
            views = [self._view(rng, (height, width)) for rng in rngs]
            moved = np.stack([view(picture) for view, picture in zip(views, pictures, strict=True)])
            gradients, reached = pull(dye.feed(moved))
            slopes = dye.pull(gradients)
            ups = [
                canvas.pull(p, view.pull(g) - self.tv * roughness(p)[1], self.l2)
                for p, view, g in zip(pictures, views, slopes, strict=True)
            ]
            parameters += adam.step(np.stack(ups))
            pictures = np.stack([canvas.picture(each) for each in parameters])
            if self.on_step is not None:
                self.on_step(step, pictures.reshape(n, t, *pictures.shape[1:]), reached.reshape(n, t))
        fed = dye.feed(pictures)
        seen = job.classifier.engine.scores(fed)
        reached = pull(fed)[1]
        shape = (n, t, height, width, channels)
        return (
            pictures.reshape(shape),
            begun.reshape(shape),
            seen.reshape(n, t, -1),
            reached.reshape(n, t).astype(np.float32),
        )

    def _objective(self, job: Job, weights: np.ndarray, layer: tuple[str, str] | None) -> Any:
        """A function of the model's input (n * t, h, w, c): gradients there, and scores (n * t)."""
        engine, rows = job.classifier.engine, len(weights) * weights.shape[1]
        if layer is not None:
            directions = np.repeat(self._direction(engine.activations(job.x[:1], layer[0]).shape[-1])[None], rows, 0)
            return lambda fed: engine.feature_gradients(fed, layer[0], directions)
        kept = job.target.rule.kind == "log_odds" and job.target.given is not None
        given = np.asarray(job.target.given if kept else weights).reshape(rows, 1, -1)
        target = Resolved(Rule("log_odds" if kept else "given"), given.astype(np.float32))

        def pull(fed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = engine.gradients(fed, target)
            return found.gradients[:, 0], np.einsum("nc,nc->n", found.scores, found.weights[:, 0])

        return pull

    def _direction(self, channels: int) -> np.ndarray:
        if self.direction is not None:
            given = np.asarray(self.direction, np.float32)
            if given.shape != (channels,):
                raise FieldmarkError(f"direction: expected {channels} numbers, one a channel, received {given.shape}")
            return given
        assert self.channel is not None
        if not 0 <= self.channel < channels:
            raise FieldmarkError(f"channel={self.channel}: expected 0 to {channels - 1} (the layer's channels)")
        return np.eye(channels, dtype=np.float32)[self.channel]

    def _view(self, rng: np.random.Generator, shape: tuple[int, int]) -> View:
        shift = rng.uniform(-self.jitter, self.jitter, 2).round()
        turn, zoom = rng.uniform(-1, 1, 2)
        return View.of(shape, shift, turn * self.rotation, 1 + zoom * self.zoom)


@dataclass(frozen=True, eq=False)
class Dye:
    """How a pixel of a picture in 0..1 becomes the model's input: colours @ matrix.T + black."""

    matrix: np.ndarray
    black: np.ndarray

    @classmethod
    def of(cls, job: Job, value_range: tuple[float, float] | None) -> Dye:
        """Found by preprocessing plain images of black, of each pure colour, of white and of grey."""
        channels = job.x.shape[-1]
        if value_range is not None:
            low, high = value_range
            return cls(np.eye(channels) * (high - low), np.full(channels, float(low)))
        low, high = _scale(job.images)
        if job.classifier.preprocess is None:
            return cls(np.eye(channels) * (high - low), np.full(channels, low))
        given = job.images.shape[-1]
        plain = np.concatenate([np.zeros((1, given)), np.eye(given), np.ones((1, given)), np.full((1, given), 0.5)])
        shape = (len(plain), *job.images.shape[1:3], given)
        fed = job.classifier.prepare(np.broadcast_to((low + plain * (high - low))[:, None, None], shape))[1]
        colours = fed.mean(axis=(1, 2), dtype=np.float64)
        black, matrix = colours[0], (colours[1:-2] - colours[0]).T
        size = max(1e-6, float(np.ptp(colours)))
        straight = np.allclose(
            [colours[-2], colours[-1]], [black + matrix.sum(1), black + matrix.sum(1) / 2], atol=1e-2 * size
        )
        flat = np.allclose(fed, fed.mean(axis=(1, 2), keepdims=True), atol=1e-2 * size)
        if not (straight and flat and given == channels and np.linalg.cond(matrix) < 1e6):
            raise ImageError(
                "ActivationMaximisation: preprocess does more than rescale or reorder each pixel's colours; "
                "give value_range=(black, white) of the model's input"
            )
        return cls(matrix, black)

    def feed(self, pictures: np.ndarray) -> np.ndarray:
        return (pictures @ self.matrix.T + self.black).astype(np.float32)

    def display(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.black) @ np.linalg.inv(self.matrix).T, 0, 1)

    def pull(self, gradients: np.ndarray) -> np.ndarray:
        return gradients.astype(np.float64) @ self.matrix


def _scale(images: np.ndarray) -> tuple[float, float]:
    """(black, white) of images as they were given: 0..255 for integers, 0..1 or 0..255 for floats, else their range."""
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind in "ui":
        return 0.0, 255.0
    if low < 0:
        return (-1.0, 1.0) if low >= -1 and high <= 1 else (low, max(high, low + 1e-3))
    return (0.0, 1.0) if high <= 1 else (0.0, 255.0)
