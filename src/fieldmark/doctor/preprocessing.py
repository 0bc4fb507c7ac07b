"""Whether the pixels that a model receives are those it was trained on: what it does to them itself, and evidence.

A normalisation that was trained stores the mean and variance of what it received. Under the right preprocessing the
images at hand give nearly the same; under another they are off by the factor between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.preprocessing import PREPROCESS
from fieldmark.doctor.diagnosis import Candidate
from fieldmark.doctor.look import Looker, Seen
from fieldmark.errors import FieldmarkError

NOW = "as now"
MOST = 8  # images that are tried
SPREAD = 0.4  # few images vary less than a training set does: the logarithm of by how much, seen on photographs
STRETCHED_BELOW = 4  # images: so few are stretched to all of the range, as a training set as a whole covers it
MARGIN, LEAST = 0.3, 0.5  # by which the present misfit must exceed the best, and what it must be at least
NEAR, FAR = 1.0, 50.0  # what is to be recommended has this misfit at most, or is so many times nearer
PIXELS = ("none", "0-1", "-1-1", "imagenet", "caffe")


@dataclass(frozen=True)
class Scaling:
    """What a model does to a pixel before its first weights: 0 becomes `black`, 255 `white`, 1 `one`.

    made_for  "0-255" or "0-1": the range of pixels that this brings to small numbers; "" where nothing tells
    names     the layers that do it
    """

    black: float
    white: float
    one: float
    made_for: str
    names: tuple[str, ...]

    @property
    def acts(self) -> bool:
        return abs(self.black) > 1e-3 or abs(self.white - 255) > 1e-1


def measure_scaling(classifier: Classifier, look: Looker, shape: tuple[int, ...]) -> Scaling | None:
    """Feed plain images of 0, 1 and 255 and see what arrives at the first weights; None where nothing is seen."""
    levels = np.array([0, 1, 255], np.float32).reshape(-1, *[1] * len(shape))
    seen = look(np.broadcast_to(levels, (3, *shape)).copy())
    if seen.entering is None or seen.entering.shape[-1] != shape[-1]:
        return None
    black, one, white = (float(row.mean()) for row in seen.entering)
    names = tuple(name for name, _ in look.inside.before)
    return Scaling(black, white, one, made_for(black, one, white), names)


def made_for(black: float, one: float, white: float) -> str:
    """Which range of pixels becomes small numbers that still differ."""
    if abs(black) < 1e-3 and abs(white - 255) < 1e-1:
        return ""
    small = [max(abs(black), abs(end)) <= 4 and abs(end - black) >= 0.3 for end in (white, one)]
    if small[0]:
        return "0-255"
    if small[1]:
        return "0-1"
    return "0-255" if abs(white - black - 255) < 1 else ""  # only moved, as networks that come from Caffe do


def misfit(seen: Seen, telling: np.ndarray) -> float | None:
    """Median over channels of the divergence between what came in, as a Gaussian, and the stored one; None if unseen.

    A handful of images is expected to vary less than all of the training set did.
    """
    if seen.mean is None or seen.square is None:
        return None
    mean = seen.mean.mean(axis=0, dtype=np.float64)[telling]
    variance = seen.square.mean(axis=0, dtype=np.float64)[telling] - mean**2
    variance = np.maximum(variance, 1e-6) * np.exp(SPREAD)
    divergence = 0.5 * (variance + mean**2 - 1 - np.log(variance))
    return float(np.median(divergence)) if len(divergence) else None


def as_pixels(images: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray], str] | None:
    """(float32 pixels of 0 to 255, how they become what was given again, "0-255", "0-1" or "-1-1").

    None for numbers that are no pixels any more.
    """
    values = images.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if images.dtype.kind in "bui" or (low >= 0 and 1 < high <= 255):
        return (values, lambda pixels: pixels, "0-255") if low >= 0 and high <= 255 else None
    if low >= 0 and high <= 1:
        return values * 255, lambda pixels: pixels / np.float32(255), "0-1"
    if low >= -1 and high <= 1:
        return (values + 1) * np.float32(127.5), lambda pixels: pixels / np.float32(127.5) - 1, "-1-1"
    return None


def stretched(pixels: np.ndarray) -> np.ndarray:
    """Every image over all of 0 to 255, but for the darkest and the brightest hundredth."""
    axes = tuple(range(1, pixels.ndim))
    low, high = (np.percentile(pixels, q, axis=axes, keepdims=True) for q in (1, 99))
    gain = np.where(high > low, 255 / np.maximum(high - low, 1e-3), 1)
    return np.clip((pixels - np.where(high > low, low, 0)) * gain, 0, 255).astype(np.float32)


def try_candidates(classifier: Classifier, look: Looker, images: np.ndarray) -> tuple[Candidate, ...]:
    """The present preprocessing and the usual ones, on up to MOST images as given (n, h, w, c)."""
    found = as_pixels(images[:MOST])
    telling = look.inside.norm.telling if look.inside.norm else np.zeros(0, bool)
    few = len(images) < STRETCHED_BELOW
    tried = []
    for name in (NOW, *PIXELS):
        if name != NOW and (found is None or (name in ("imagenet", "caffe") and images.shape[-1] != 3)):
            continue
        function = None if name == NOW else PREPROCESS[name]
        plain = images[:MOST] if found is None else found[0]
        x = _fed(classifier, plain, function, name == NOW, found)
        if x is None:
            continue
        seen = look(x)
        if few and found is not None and look.inside.norm is not None:
            wide = _fed(classifier, stretched(plain), function, name == NOW, found)
            judged = seen if wide is None else look(wide)
        else:
            judged = seen
        tried.append(_candidate(classifier, name, x, seen, misfit(judged, telling)))
    return tuple(tried) if len(tried) > 1 or any(each.misfit is not None for each in tried) else ()


def _fed(classifier: Classifier, pixels: np.ndarray, function: Any, now: bool, found: Any) -> np.ndarray | None:
    """What the model is fed with; None where it does not take that."""
    try:
        if now:
            return classifier.prepare(pixels if found is None else found[1](pixels))[1]
        x = np.ascontiguousarray(pixels if function is None else function(pixels), np.float32)
    except FieldmarkError:
        return None
    wanted = classifier.input_shape
    if wanted is not None and any(w is not None and w != have for w, have in zip(wanted, x.shape[1:], strict=True)):
        return None
    return x


def _candidate(classifier: Classifier, name: str, x: np.ndarray, seen: Seen, off: float | None) -> Candidate:
    predictions = classifier.read(seen.scores)
    best = predictions.probabilities.argmax(axis=1)
    return Candidate(name, float(x.min()), float(x.max()), off, tuple(predictions.top(2)[0]), len(np.unique(best)))


def best_of(candidates: tuple[Candidate, ...]) -> tuple[Candidate | None, Candidate | None]:
    """(the present one, the one with the least misfit); None where nothing was judged."""
    judged = [each for each in candidates if each.misfit is not None and np.isfinite(each.misfit)]
    now = next((each for each in judged if each.name == NOW), None)
    others = [each for each in judged if each.name != NOW]
    return now, min(others, key=lambda each: each.misfit or 0.0) if others else None


def looks_wrong(candidates: tuple[Candidate, ...]) -> bool:
    """Whether another preprocessing fits clearly better than the present one, which does not fit."""
    now, best = best_of(candidates)
    if now is None or best is None or now.misfit is None or best.misfit is None:
        return False
    near = best.misfit <= NEAR or best.misfit < now.misfit / FAR
    return near and now.misfit > LEAST and now.misfit > best.misfit + MARGIN
