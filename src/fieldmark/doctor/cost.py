"""Which methods fit a model, and what each costs: rows counted in a rehearsal times the measured seconds of a row."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.doctor.diagnosis import Method
from fieldmark.doctor.rehearsal import Count, counted
from fieldmark.errors import FieldmarkError
from fieldmark.progress import track
from fieldmark.targets import Resolved, Rule

ROWS = 8  # in the timed batch
SLOW = 1.0  # seconds a pass: then one row has to stand for a batch
GRADIENT = 2.0  # forward passes that a gradient is taken to cost where none was timed
BRIEF, MOST_RATIO = 1e-3, 4.0  # seconds a row; what a gradient costs at most, in forward passes
DEPENDS = ("ScoreCAM", "AblationCAM")  # their passes are the channels that are not flat in this image


@dataclass(frozen=True)
class Speed:
    """Seconds, measured: one image by itself, one row of a batch, and one row forward and backward."""

    image: float
    row: float
    gradient: float


@dataclass(frozen=True, eq=False)
class Reached:
    """The largest gradient of the best score, an image (n,): at the layer, where there is one, and at the input."""

    layer: np.ndarray | None
    input: np.ndarray


def measure(classifier: Classifier, x: np.ndarray, layer: str | None) -> tuple[Speed, Reached | None]:
    """Time a forward pass of one image and of a batch, and one with gradients, each compiled before; x as eaten."""
    engine = classifier.engine
    image = _best(lambda: engine.scores(x[:1]))
    rows = 1 if image > SLOW else min(ROWS, engine.passes.batch_size)
    batch = np.resize(x, (rows, *x.shape[1:]))
    row = image if rows == 1 else _best(lambda: engine.scores(batch)) / rows
    if engine.subject.opaque:
        return Speed(image, row, GRADIENT * row), None
    at = (layer, "input") if layer else ("input",)
    target = Resolved(Rule("top"), None)
    found = engine.gradients(batch, target, at=at, reduce=_largest).values
    took = _best(lambda: engine.gradients(batch, target, at=at, reduce=_largest), warm=False)
    return Speed(image, row, max(row, took / rows)), Reached(found[0] if layer else None, found[-1])


def _largest(_values: np.ndarray, gradients: np.ndarray, _scores: np.ndarray) -> np.ndarray:
    return np.abs(gradients).reshape(len(gradients), -1).max(axis=1)


def _best(work: Any, warm: bool = True) -> float:
    """Seconds of the quicker of two runs, once compiled."""
    if warm:
        work()
    took = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


def price_all(
    classifier: Classifier,
    explainers: Sequence[Any],
    image: np.ndarray,
    seen: Mapping[str, np.ndarray],
    speed: Speed | None,
) -> tuple[Method, ...]:
    """Every explainer rehearsed on one image (h, w, c) as given; `seen` holds what layers made of it, where known."""
    methods = []
    for explainer in track(list(explainers), label="Rehearsing methods"):
        kind = type(explainer)
        try:
            count, tail = counted(classifier, explainer, image, dict(seen))
        except FieldmarkError as error:
            methods.append(Method(kind.__name__, kind.summary, refusal=str(error)))
            continue
        bound = kind.__name__ in DEPENDS and not seen
        methods.append(price(kind.__name__, kind.summary, count, tail, speed, bound))
    return tuple(methods)


def price(name: str, summary: str, count: Count, tail: float, speed: Speed | None, bound: bool) -> Method:
    """Rows into forward passes, and into seconds where these were measured."""
    # A pass of microseconds is all overhead, and says nothing about how much work a gradient is.
    ratio = GRADIENT if speed is None or speed.row < BRIEF else min(MOST_RATIO, speed.gradient / speed.row)
    share = 1.0 if speed is None or not np.isfinite(tail) else min(1.0, tail / speed.image)
    passes = count.forward + count.masked + count.shallow + ratio * count.gradient + share * count.tail
    if speed is None:
        return Method(name, summary, round(passes, 1), None, bound=bound)
    single = passes < 4  # so few rows never fill a batch
    seconds = passes * (speed.image if single else speed.row) + count.own
    return Method(name, summary, round(passes, 1), float(f"{seconds:.2g}"), bound=bound)
