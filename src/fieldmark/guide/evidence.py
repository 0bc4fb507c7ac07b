"""Which pixels speak for the class that the network names: integrated gradients of its margin, from a blur."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.explainers import IntegratedGradients
from fieldmark.guide.pictures import resized
from fieldmark.progress import track
from fieldmark.targets import Contrast

EXPLAINER = IntegratedGradients(baseline="blur", steps=4, rule="midpoint")
SMOOTH = 0.02  # of the side: what a person can point at is no single pixel


@dataclass(frozen=True, eq=False)
class Said:
    """What the network says of n images: scores (n, classes), predicted (n,), margins (n,) of the predicted class."""

    scores: np.ndarray
    predicted: np.ndarray
    margins: np.ndarray

    @classmethod
    def by(cls, classifier: Classifier, images: Any) -> Said:
        scores = np.asarray(classifier.predict(images).scores, np.float64)
        predicted = scores.argmax(axis=1)
        return cls(scores, predicted, margins(scores, predicted))


def margins(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(n,) log-odds z_c - logsumexp of the others, for a class an image; logits (n, classes)."""
    rows = np.arange(len(scores))
    own = scores[rows, classes]
    others = scores.copy()
    others[rows, classes] = -np.inf
    top = others.max(axis=1)
    return own - (top + np.log(np.exp(others - top[:, None]).sum(axis=1)))


EvidenceBy = Callable[[Classifier, np.ndarray, Said, tuple[int, int]], np.ndarray]
"""What finds evidence, called as `evidence` is: here, or over many machines (`fieldmark.run.evidence.EvidenceRun`)."""


def evidence(classifier: Classifier, images: np.ndarray, said: Said, shape: tuple[int, int]) -> np.ndarray:
    """(n, *shape) float32: what each pixel adds to the margin of the predicted class, at working size; signed."""
    return _evidence(classifier, images, said, shape, lambda cls: Contrast(cls, "rest"))


def evidence_left(classifier: Classifier, images: np.ndarray, said: Said, shape: tuple[int, int]) -> np.ndarray:
    """As `evidence`, of edited images: what still speaks for the class that was predicted before the edit.

    The class that an edit makes of an image is no rival here: it may have all that is left in common with the old one.
    How much each rival counts is taken from the edited image and stays so along the path.
    """
    return _evidence(classifier, images, said, shape, lambda cls: partial(_against_others, cls))


def _against_others(cls: int, scores: np.ndarray) -> np.ndarray:
    """(n, 1, classes) weights: 1 for the class, minus the softmax over the others but the one that is named."""
    others = np.array(scores, np.float64)
    named = others.argmax(axis=1)
    others[:, cls] = -np.inf
    if others.shape[1] > 2:
        others[np.arange(len(others)), named] = -np.inf
    weights = -np.exp(others - others.max(axis=1, keepdims=True))
    weights /= -weights.sum(axis=1, keepdims=True)
    weights[:, cls] = 1
    return weights[:, None]


def _evidence(
    classifier: Classifier, images: np.ndarray, said: Said, shape: tuple[int, int], target: Callable[[int], Any]
) -> np.ndarray:
    found = np.zeros((len(images), *shape), np.float32)
    for cls in track(np.unique(said.predicted), label="Evidence"):
        rows = np.nonzero(said.predicted == cls)[0]
        maps = EXPLAINER(classifier, images[rows], target=target(int(cls))).maps[:, 0]
        found[rows] = np.stack([_at_working_size(each, shape) for each in maps])
    return found


def _at_working_size(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    shaped = resized(values, shape)
    return cv2.GaussianBlur(shaped, (0, 0), SMOOTH * float(np.sqrt(shape[0] * shape[1])))
