"""What a method would ask of a model: it is run on an engine that counts rows and answers with noise.

What the method does beside the model, it does for real, and that is timed. Few rows are computed for real, so that a
method that tries the model before it starts finds out what it wants to know.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.explainers.diagnosis import silent
from fieldmark.targets import Resolved, apply_rule

FEW = 5  # rows


@dataclass
class Count:
    """Rows asked for, by what they cost.

    forward   of the whole model
    masked    the same, of which only a part of the work may be needed; already multiplied by that part
    gradient  forward and backward down to the input
    shallow   forward, and backward down to a layer
    tail      of the layers behind one layer, which an engine that compiles runs alone
    own       seconds outside the model
    """

    forward: float = 0
    masked: float = 0
    gradient: float = 0
    shallow: float = 0
    tail: float = 0
    own: float = 0


@dataclass
class Rehearsal:
    """Stands in for an engine: same verbs, same shapes."""

    engine: Any
    activations_at: dict[str, np.ndarray]  # one image's, where they were seen; else made up
    shapes: dict[str, tuple[int, ...]]
    count: Count = field(default_factory=Count)
    real: float = 0.0  # seconds spent on what was computed for real
    tail_row: float = float("inf")  # seconds a row, the best seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def check_folding(self, _x: np.ndarray) -> None:
        """Done before."""

    def scores(self, x: np.ndarray) -> np.ndarray:
        self.count.forward += len(x)
        if len(x) <= FEW:
            return self._timed(lambda: self.engine.scores(x))
        return self._noise(len(x), self.engine.head.classes)

    def activations(self, x: np.ndarray, layer: str) -> np.ndarray:
        self.count.forward += len(x)
        return self._at(layer, len(x))

    def observe(self, x: np.ndarray, at: Any, reduce: Any = None) -> Any:
        from fieldmark.classifier.engine import Observation

        self.count.forward += len(x)
        names = (at,) if isinstance(at, str) else tuple(at)
        values = [self._at(name, len(x)) for name in names]
        values = [value if reduce is None else reduce(value) for value in values]
        return Observation(values[0] if isinstance(at, str) else tuple(values), self._few(x))

    def gradients(
        self, x: np.ndarray, target: Resolved, at: Any = "input", reduce: Any = None, surgery: Any = None
    ) -> Any:
        from fieldmark.classifier.engine import Gradient

        names = (at,) if isinstance(at, str) else tuple(at)
        scores = self._few(x)
        self._refuse()
        weights = apply_rule(target, scores)
        if surgery is not None:
            self._timed(lambda: self._traceable(x, surgery))
        if "input" in names:
            self.count.gradient += len(x)
        else:
            self.count.shallow += len(x)
        values = [x if name == "input" else self._at(name, len(x)) for name in names]
        gradients = [self._noise(len(x), weights.shape[1], *value.shape[1:]) for value in values]
        if reduce is not None:
            values = gradients = [reduce(v, g, scores) for v, g in zip(values, gradients, strict=True)]
        if isinstance(at, str):
            return Gradient(values[0], gradients[0], scores, weights)
        return Gradient(tuple(values), tuple(gradients), scores, weights)

    def path_gradients(
        self,
        x: np.ndarray,
        target: Resolved,
        path: Any,
        at: str = "input",
        square: bool = False,
        sum_channels: bool = False,
    ) -> Any:
        from fieldmark.classifier.path_gradients import PathGradient

        self._refuse()
        self.count.forward += len(x)
        self.count.gradient += len(x) * path.samples
        scores = self._few(x)
        weights = apply_rule(target, scores)
        places = x.shape[1:-1] if sum_channels else x.shape[1:]
        mean = self._noise(len(x), weights.shape[1], *places)
        slopes = self._noise(len(x), path.samples, weights.shape[1]) if sum_channels else None
        return PathGradient(mean, mean**2 + 1 if square else None, slopes, scores, weights)

    def feature_gradients(self, x: np.ndarray, layer: str, directions: np.ndarray) -> Any:
        from fieldmark.classifier.feature_gradients import FeatureGradient

        self._refuse()
        self.count.gradient += len(x)
        return FeatureGradient(self._noise(*x.shape), self._noise(len(x)))

    def masked_scores(self, x: np.ndarray, masks: Any, fill: np.ndarray, interpolation: str = "bilinear") -> np.ndarray:
        share = self._timed(lambda: self.engine.incremental.share(x, masks))
        self.count.masked += len(x) * masks.shape[-3] * share
        return self._noise(len(x), masks.shape[-3], self.engine.head.classes)

    def scores_from(self, layer: str, activations: np.ndarray, x: np.ndarray) -> np.ndarray:
        self.count.tail += len(x)
        if len(x) > FEW:
            return self._noise(len(x), self.engine.head.classes)
        start = time.perf_counter()
        found = self.engine.scores_from(layer, activations, x)
        took = time.perf_counter() - start
        self.real += took
        self.tail_row = min(self.tail_row, took / len(x))
        return np.asarray(found)

    def _refuse(self) -> None:
        from fieldmark.classifier.subject import refuse_opaque

        refuse_opaque(self.engine.subject)

    # What it answers with

    def _few(self, x: np.ndarray) -> np.ndarray:
        """Scores that belong to a pass that was counted already."""
        if len(x) <= FEW:
            return self._timed(lambda: self.engine.scores(x))
        return self._noise(len(x), self.engine.head.classes)

    def _at(self, layer: str, n: int) -> np.ndarray:
        known = self.activations_at.get(layer)
        if known is not None:
            return np.repeat(known[:1], n, axis=0)
        return np.abs(self._noise(n, *self.shapes[layer]))

    def _noise(self, *shape: int) -> np.ndarray:
        """Random numbers: maps made of zeros would be diagnosed as blank."""
        start = time.perf_counter()
        noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        self.real += time.perf_counter() - start
        return noise

    def _timed(self, work: Any) -> Any:
        start = time.perf_counter()
        found = work()
        self.real += time.perf_counter() - start
        return found

    def _traceable(self, x: np.ndarray, surgery: Any) -> None:
        """Whether every layer has a rule; raises what the surgery says of one that has none."""
        from fieldmark.classifier import autodiff

        def run(x: Any) -> int:
            self.engine.forward(x, surgery=surgery)
            return 0

        autodiff.dry_run(run, (1, *x.shape[1:]))


def rehearse(
    classifier: Classifier, explainer: Any, image: np.ndarray, activations_at: dict[str, np.ndarray]
) -> tuple[Count, float]:
    """What the explainer would ask for one image (h, w, c) as given, and the seconds of one row of `tail`.

    Raises FieldmarkError where the method does not fit the model.
    """
    shapes = {info.name: info.shape for info in classifier.layers()} if not classifier.subject.opaque else {}
    stand_in = Rehearsal(classifier.engine, activations_at, shapes)
    actor = copy.copy(classifier)
    actor._engine = stand_in  # type: ignore[assignment]
    start = time.perf_counter()
    with silent():
        explainer(actor, image[None])
    stand_in.count.own = max(0.0, time.perf_counter() - start - stand_in.real)
    return stand_in.count, stand_in.tail_row


def counted(
    classifier: Classifier, explainer: Any, image: np.ndarray, activations_at: dict[str, np.ndarray], most: int = 3
) -> tuple[Count, float]:
    """As `rehearse`; a method of many steps that ask the model each is rehearsed with two and three of them."""
    steps = getattr(explainer, "steps", 0)
    if not hasattr(explainer, "on_step") or steps <= most:
        return rehearse(classifier, explainer, image, activations_at)
    few, more = (
        rehearse(classifier, dataclasses.replace(explainer, steps=number), image, activations_at)
        for number in (most - 1, most)
    )
    return Count(*extrapolated(dataclasses.astuple(few[0]), dataclasses.astuple(more[0]), steps - most)), more[1]


def extrapolated(few: Sequence[float], more: Sequence[float], steps: int) -> list[float]:
    """`more` and `steps` times what one step added to `few`."""
    return [b + steps * max(0.0, b - a) for a, b in zip(few, more, strict=True)]
