"""What may be behind a map that is blank, flat or not finite, asked of the model from the cheapest question on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.targets import Resolved, Rule

if TYPE_CHECKING:
    from fieldmark.explainers.diagnosis import Evidence

MOVED = 1e-6  # of the largest score: less is rounding
NUDGE, SHOVE = 1e-2, 1.0  # of the spread of the values that are changed
HALF_MOST = 65504  # what float16 holds


def _prediction_only() -> tuple[str, ...]:
    from fieldmark.classifier.subject import PREDICTION_ONLY  # late: it imports Keras, which chooses a backend

    return tuple(PREDICTION_ONLY)


# Not finite


def why_not_finite(evidence: Evidence, image: int, _target: int) -> str:
    classifier = evidence.job.classifier
    damaged = _damaged_weight(classifier)
    if damaged:
        return f"the weight {damaged!r} holds NaN or infinity; the model is damaged: load or train it again"
    x = evidence.job.x[image : image + 1]
    if np.isfinite(evidence.scores[image]).all():
        if evidence.method in _prediction_only():
            return "the scores of some changed images are not finite; check preprocess= and the fill"
        return (
            f"the scores are finite but the gradient at {evidence.spot} is not: a step after it has no finite slope "
            "there (a square root or logarithm at 0, a division by 0); methods without gradients work (Occlusion, RISE)"
        )
    fed = f"what was fed runs from {x.min():.3g} to {x.max():.3g}"
    first = _first_not_finite(evidence, x)
    if first is None:
        return f"the model's scores are not finite for this image; {fed}: check preprocess="
    values = _observed(evidence, first, x)
    half = np.isposinf(values).any() and _is_half(classifier, first)
    reason = f"its values are beyond what float16 holds ({HALF_MOST})" if half else fed
    advice = "compute in float32 or bfloat16" if half else "check preprocess= and that layer"
    return f"the output of layer {first!r} is the first that is not finite; {reason}: {advice}"


def _damaged_weight(classifier: Any) -> str | None:
    """The name of a weight that is not finite, whatever framework it is of."""
    from keras import ops

    model, found = classifier.model, classifier.subject.variables
    named = [(variable.path, variable) for variable in found if hasattr(variable, "path")]
    if not named and hasattr(model, "state_dict"):
        named = list(model.state_dict().items())
    for name, variable in named:
        try:
            values = np.asarray(ops.convert_to_numpy(ops.cast(variable, "float32")))
        except (TypeError, ValueError):
            continue  # the state of a random generator
        if not np.isfinite(values).all():
            return str(name)
    return None


def _first_not_finite(evidence: Evidence, x: np.ndarray) -> str | None:
    """The name of the first layer whose output is not finite, from one pass."""
    classifier = evidence.job.classifier
    if classifier.subject.opaque:
        return None
    names = [info.name for info in classifier.layers()]
    found = evidence.engine.observe(x, names, reduce=lambda v: np.isfinite(v).reshape(len(v), -1).all(axis=1))
    return next((name for name, good in zip(names, found.values, strict=True) if not good.all()), None)


def _observed(evidence: Evidence, layer: str, x: np.ndarray) -> np.ndarray:
    return evidence.engine.activations(x, layer)


def _is_half(classifier: Any, name: str) -> bool:
    from fieldmark.classifier.taps import split_call

    layer = classifier.subject.layers[split_call(name)[0]]
    return getattr(layer, "compute_dtype", None) == "float16"


# Blank


def why_blank(evidence: Evidence, image: int, target: int) -> str:
    """The cause of a map of zeros, from the cheapest question to the dearest."""
    before = evidence.before[image, target]
    if before.min() < 0 and not before.max() > 0:
        return (
            f"every place of {evidence.spot} speaks against this score, and the ReLU leaves nothing; "
            "relu=False (--set relu=false) shows it signed, or explain another class"
        )
    x, opaque = evidence.job.x[image : image + 1], evidence.job.classifier.subject.opaque
    weights = evidence.weights[image : image + 1, target : target + 1]
    values = _observed(evidence, evidence.layer, x) if evidence.layer else x
    if evidence.layer and not values.any():
        return (
            f"the output of {evidence.spot} is zero everywhere for this image, so nothing passes through it (units "
            "that are switched off, or an image that the model was not made for); check preprocess=, or choose another "
            "layer"
        )
    if not weights.any():
        return f"nothing at {evidence.spot} stands out"
    nudged, shoved = _moves(evidence, values, x, weights)
    if not (nudged or shoved):
        return _why_unmoved(evidence)
    if evidence.method in _prediction_only() or opaque:
        return _why_unmoved_by_method(evidence, x)
    given = Resolved(Rule("given"), weights)
    gradients = evidence.engine.gradients(x, given, at=evidence.layer or "input").gradients
    if not np.any(gradients):
        return _why_no_gradient(evidence, nudged)
    if not (gradients > 0).any():
        return (
            f"the score falls with every value of {evidence.spot}, and this method keeps what raises it; HiResCAM works"
        )
    if evidence.layer and _one_colour(values):
        return f"every channel of {evidence.spot} is the same everywhere, and this method goes by what varies"
    if not evidence.layer and not x.any():
        return "the image is zero everywhere for the model, and this method weighs by its values; Gradients works"
    return f"nothing at {evidence.spot} raises this score; Gradients or Occlusion may say more, or another layer"


def _why_unmoved(evidence: Evidence) -> str:
    if evidence.layer is None:
        return (
            "the score is the same whatever the image: the model is dead (all units switched off), or its output is "
            "constant; check preprocess= and the weights"
        )
    return (
        f"the score does not depend on {evidence.spot} for this image: the path from it is dead (units switched off "
        "after it), or leads to another output; choose another layer (Classifier.layers()), or output="
    )


def _why_unmoved_by_method(evidence: Evidence, x: np.ndarray) -> str:
    if _one_colour(x):
        return "the image has one colour, so that hiding a part of it behind that colour changes nothing; set fill="
    return "no change that this method made to the image moved the score; make larger changes, or more of them"


def _why_no_gradient(evidence: Evidence, nudged: bool) -> str:
    if nudged:
        return (
            f"no gradient reaches {evidence.spot} although the score depends on it: the path is cut (stop_gradient, "
            "detach, no_grad, rounding); mend the model, or use methods without gradients (Occlusion, RISE, ScoreCAM)"
        )
    return (
        f"no gradient reaches {evidence.spot}: only large changes of it move the score, so units after it are switched "
        "off or saturated for this image; methods without gradients work (Occlusion, RISE), or choose another layer"
    )


def _moves(evidence: Evidence, values: np.ndarray, x: np.ndarray, weights: np.ndarray) -> tuple[bool, bool]:
    """Whether the score moves when the values (1, ...) at the spot are changed a little, and when by much."""
    rng = np.random.default_rng(0)
    spread = float(values.max() - values.min()) or float(np.abs(values).max()) or 1.0
    noise = rng.normal(size=values.shape)
    rows = [values, *(values + sign * size * spread * noise for size in (NUDGE, SHOVE) for sign in (1, -1))]
    changed = np.concatenate(rows).astype(np.float32)
    if evidence.layer:
        scores = evidence.engine.scores_from(evidence.layer, changed, np.repeat(x, len(rows), axis=0))
    else:
        scores = evidence.engine.scores(changed)
    explained = scores @ weights[0, 0]
    moved = ~(np.abs(explained[1:] - explained[0]) <= MOVED * max(float(np.abs(scores[0]).max()), 1e-30))
    return bool(moved[:2].any()), bool(moved[2:].any())


# The same everywhere


def why_flat(evidence: Evidence, image: int, _target: int) -> str:
    if np.prod(evidence.maps.shape[2:]) == 1:
        return f"{evidence.spot} has one pixel, so the map cannot say where; choose an earlier layer"
    x = evidence.job.x[image : image + 1]
    if _one_colour(x):
        return "the image has one colour, so every place is like any other"
    return f"every place of {evidence.spot} counts the same for this score; choose another layer or method"


def _one_colour(values: np.ndarray) -> bool:
    """Whether every channel of (1, *places, c) has one value everywhere."""
    rows = values.reshape(-1, values.shape[-1])
    return bool((rows == rows[:1]).all())
