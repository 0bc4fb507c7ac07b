"""Why a map is blank, the same everywhere or not finite: one diagnosis for every explainer.

A good map costs two reductions and gives no warning. Where a map is suspect, the model is asked again: what the layer
put out, whether a gradient reaches it, whether the score moves when it is changed. What is found is said in words, with
what to do, once for all images that share the cause.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.errors import MapWarning
from fieldmark.explainers.causes import why_blank, why_flat, why_not_finite

LOOKED_INTO = 8  # images; the others are taken to share the causes that were found
NAMED = 5  # images that are named in one sentence
SAME = 1e-6  # of the largest value: less than this between the extremes is rounding
SATURATED = 1e-5  # a probability this close to 1 has a gradient of this size

_silent: ContextVar[bool] = ContextVar("fieldmark_silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """No diagnosis and no warnings within: for explainers that run others many times and speak for themselves."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The maps (n, t, *places), what they were before a ReLU, and what was explained, as `Job.attribution` knows it."""

    job: Any
    method: str
    maps: np.ndarray
    before: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    classes: np.ndarray
    words: Sequence[Sequence[str]]
    layer: str | None
    kind: str  # "logits" or "probabilities", what was explained

    @property
    def engine(self) -> Any:
        return self.job.classifier.engine

    @property
    def spot(self) -> str:
        return f"layer {self.layer!r}" if self.layer else "the input"


def diagnose(evidence: Evidence) -> tuple[str, ...]:
    """One sentence for each cause, none for good maps; nothing within `silent`."""
    if _silent.get():
        return ()
    places = tuple(range(2, evidence.maps.ndim))
    low, high = evidence.maps.min(axis=places), evidence.maps.max(axis=places)
    finite = np.isfinite(low) & np.isfinite(high)
    size = np.maximum(np.abs(low), np.abs(high))
    blank = finite & (size == 0)
    with np.errstate(invalid="ignore"):
        flat = finite & ~blank & (high - low <= SAME * size)
    if not evidence.weights.any():  # channels rather than classes: one that is off is no fault
        blank &= blank.all(axis=1, keepdims=True)
        flat &= flat.all(axis=1, keepdims=True)
    found = [*_reading(evidence), *_saturated(evidence, blank)]
    found += _sentences("NaN or infinite values in the map", evidence, ~finite, why_not_finite)
    found += _sentences("blank map", evidence, blank, why_blank)
    found += _sentences("the same value everywhere in the map", evidence, flat, why_flat)
    return tuple(found)


def warn(texts: Sequence[str]) -> None:
    """Say each sentence as a `MapWarning` at the line of the user's that called the explainer; Python shows it once."""
    if not texts:
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "fieldmark":
        frame, level = frame.f_back, level + 1
    for text in texts:
        warnings.warn(text, MapWarning, stacklevel=level)


def _reading(evidence: Evidence) -> list[str]:
    if evidence.kind == evidence.job.classifier.wants:
        return []
    return [
        "the model's output is already a softmax that cannot be looked behind: probabilities are explained, "
        "and saturated ones give weak maps; return logits from the model if you can"
    ]


def _saturated(evidence: Evidence, blank: np.ndarray) -> list[str]:
    """Probabilities of 1 (or of 0, where the map is blank too): nothing moves them. Takes these out of `blank`."""
    if evidence.kind != "probabilities":
        return []
    explained = np.einsum("nc,ntc->nt", evidence.scores, evidence.weights)
    one = evidence.classes >= 0
    found = one & ((explained > 1 - SATURATED) | (blank & (explained < SATURATED)))
    if not found.any():
        return []
    blank &= ~found
    advice = (
        "explain logits: leave scores='probabilities' (--probabilities) out"
        if evidence.job.classifier.wants == "probabilities"
        else "return logits from the model"
    )
    return [
        f"saturated probability for {_places(evidence, found)}: it is so near 0 or 1 that hardly anything moves it, "
        f"so the map is weak, blank or noise; {advice}"
    ]


def _sentences(what: str, evidence: Evidence, suspect: np.ndarray, why: Any) -> list[str]:
    """A sentence for each cause among the suspect (n, t)."""
    images = np.flatnonzero(suspect.any(axis=1))
    causes: dict[str, np.ndarray] = {}
    for image in images[:LOOKED_INTO]:
        for target in np.flatnonzero(suspect[image]):
            with np.errstate(all="ignore"):
                cause = why(evidence, int(image), int(target))
            causes.setdefault(cause, np.zeros_like(suspect))[image, target] = True
    if causes and len(images) > LOOKED_INTO:
        most = max(causes, key=lambda cause: int(causes[cause].sum()))
        causes[most][images[LOOKED_INTO:]] = suspect[images[LOOKED_INTO:]]
    return [f"{what} for {_places(evidence, where)}: {cause}" for cause, where in causes.items()]


def _places(evidence: Evidence, where: np.ndarray) -> str:
    """ "image 0, 2": with the target's words where each image has several targets."""
    pairs = [(int(image), int(target)) for image, target in zip(*np.nonzero(where), strict=True)]
    if where.shape[1] == 1:
        names = [str(image) for image, _ in pairs]
    elif bool(np.all(where[where.any(axis=1)])):
        names = list(dict.fromkeys(str(image) for image, _ in pairs))
    else:
        names = [f"{image} ({evidence.words[image][target]})" for image, target in pairs]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"image {', '.join(names[:NAMED])}{more}"
