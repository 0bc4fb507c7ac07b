"""What looks wrong, and what to do: each judgement is one function of what was seen."""

from __future__ import annotations

import numpy as np

from fieldmark.classifier import Classifier, Predictions
from fieldmark.doctor.diagnosis import NOTE, WARNING, Candidate, Finding
from fieldmark.doctor.inside import Inside
from fieldmark.doctor.preprocessing import LEAST, Scaling, best_of, looks_wrong
from fieldmark.errors import FieldmarkError

CERTAIN = 0.9999  # a probability that a softmax or sigmoid has nothing left to give to
STILL = 0.03  # of the spread between classes: scores that move less from image to image are the same
DEAD, SILENT = 0.9, 0.6  # shares of channels: of the chosen layer, of all ReLUs
UNSCALED = 20.0  # numbers this large are pixels


def of_model(
    classifier: Classifier, inside: Inside | None, layer: tuple[str, str] | FieldmarkError | None
) -> list[Finding]:
    """What can be said without an image."""
    from fieldmark.classifier.subject import PREDICTION_ONLY  # imports Keras

    found = []
    if classifier.subject.opaque:
        found.append(
            Finding(
                NOTE,
                "prediction-only",
                "Only predictions can be had from this model: no layers, no gradients, so no class activation maps.",
                f"These methods work: {', '.join(PREDICTION_ONLY)}. For the others, load the model in Keras or torch.",
            )
        )
    elif isinstance(layer, FieldmarkError):
        found.append(
            Finding(
                NOTE,
                "no-layer",
                f"No layer was found for class activation maps: {layer}.",
                "Use a method at the input, such as IntegratedGradients or Occlusion, or name a layer with layer=.",
            )
        )
    if inside is not None and inside.untrained:
        found.append(
            Finding(
                WARNING,
                "untrained",
                "Every batch normalisation still holds the statistics it began with: this model was never trained, or "
                "its weights were not loaded.",
                "Load the trained weights; maps of an untrained model mean nothing.",
            )
        )
    return found


def of_preprocessing(
    classifier: Classifier,
    images: np.ndarray,
    fed: np.ndarray,
    scaling: Scaling | None,
    candidates: tuple[Candidate, ...],
) -> list[Finding]:
    """Whether the model receives what it was made for; at most one finding."""
    now, best = best_of(candidates)
    contradicted = now is not None and now.misfit is not None and now.misfit <= LEAST
    low, high = float(fed.min()), float(fed.max())
    twice = _scaled_twice(classifier, images, scaling, low, high)
    if twice is not None and not contradicted:
        return [twice]
    if looks_wrong(candidates):
        assert now is not None
        assert best is not None
        return [_misfit(classifier, now, best, candidates)]
    if now is not None and now.misfit is not None and now.misfit > 4 * LEAST:
        return [
            Finding(
                NOTE,
                "unlike-training",
                f"No usual preprocessing makes these images look like what the model was trained on (misfit "
                f"{now.misfit:.2g}, 0 is perfect).",
                "If the images are of another kind than those of the training, expect poor predictions; if not, look "
                "up how the training prepared them and give that as preprocess=.",
            )
        ]
    if now is None and high > UNSCALED and scaling is not None and not scaling.acts:
        return [
            Finding(
                NOTE,
                "unscaled",
                f"The first weights receive numbers from {low:.3g} to {high:.3g}, and nothing in the model tells "
                "whether it was trained so; most are trained on 0 to 1 or -1 to 1.",
                "Compare the predictions below under each preprocessing, and choose the one that is right.",
            )
        ]
    return []


def _scaled_twice(
    classifier: Classifier, images: np.ndarray, scaling: Scaling | None, low: float, high: float
) -> Finding | None:
    if scaling is None or not scaling.acts or not scaling.made_for:
        return None
    does = f"The model rescales pixels itself ({', '.join(scaling.names[:2])}: 255 becomes {scaling.white:.3g})"
    if scaling.made_for == "0-255" and max(abs(low), abs(high)) <= 4 and float(np.ptp(images)) > 0:
        if classifier.preprocess is not None:
            advice = "Leave preprocess out: this model wants pixels of 0 to 255."
        else:
            advice = "Give images of 0 to 255, as files and uint8 arrays are (images * 255 for 0 to 1)."
        return Finding(
            WARNING,
            "scaled-twice",
            f"{does}, but what it is fed is small already ({low:.3g} to {high:.3g}): all images look the same to it.",
            advice,
        )
    if scaling.made_for == "0-1" and high > UNSCALED:
        return Finding(
            WARNING,
            "not-scaled",
            f"{does}, which is made for pixels of 0 to 1, but it is fed {low:.3g} to {high:.3g}.",
            "Preprocess with 0-1 (divide by 255).",
        )
    return None


def _misfit(classifier: Classifier, now: Candidate, best: Candidate, candidates: tuple[Candidate, ...]) -> Finding:
    near = [each for each in candidates if each.misfit is not None and each.name not in (now.name, best.name)]
    others = [each.name for each in near if (each.misfit or 0) <= (best.misfit or 0) + 0.15]
    or_else = f" ({' or '.join(others)} would fit about as well)" if others else ""
    instead = "leave preprocess out" if best.name == "none" else f"preprocess with {best.name}"
    return Finding(
        WARNING,
        "preprocessing",
        f"The images look wrongly preprocessed: fed {now.low:.3g} to {now.high:.3g}, they are far from what the model "
        f"was trained on (misfit {now.misfit:.3g}); with {best.name} they are near it ({best.misfit:.2g}){or_else}.",
        f"{instead[0].upper()}{instead[1:]}, and see whether the predictions below that line are right.",
    )


def of_predictions(classifier: Classifier, predictions: Predictions, images: np.ndarray) -> list[Finding]:
    """NaN, hidden or saturated softmax, and predictions that hardly depend on the image."""
    scores, chances = predictions.scores, predictions.probabilities
    bad = int((~np.isfinite(scores)).any(axis=1).sum())
    if bad:
        return [
            Finding(
                WARNING,
                "not-finite",
                f"The model's output is NaN or infinite for {bad} of {len(scores)} image(s).",
                "Check the weights (a training that diverged?), half precision, and the preprocessing.",
            )
        ]
    found = []
    if predictions.reading == "as given":
        found.append(
            Finding(
                WARNING,
                "softmax-hidden",
                "The model's output is a softmax that cannot be looked behind, so probabilities are explained; where "
                "they are near 0 or 1 their gradients vanish.",
                "Return logits from the model if you can, or make the softmax its last layer.",
            )
        )
    sure = int((chances.max(axis=1) > CERTAIN).sum())
    if classifier.engine.logits or not sure:  # saturated probabilities are all alike, whatever the logits are
        found += _constant(predictions, images)
    if sure and predictions.reading != "value" and chances.shape[1] > 1 and not found:
        hidden = not classifier.engine.logits or predictions.reading == "as given"
        found.append(
            Finding(
                WARNING if hidden else NOTE,
                "saturated",
                f"The model is over {100 * CERTAIN:g} % sure of {sure} of {len(chances)} image(s): its probabilities "
                "are saturated.",
                "Explain logits (scores='logits', the default): the gradient of such a probability is almost nothing."
                if hidden
                else "Nothing to do: logits are explained, which saturation does not touch.",
            )
        )
    return found


def _constant(predictions: Predictions, images: np.ndarray) -> list[Finding]:
    scores = predictions.scores.astype(np.float64)
    different = len({image.tobytes() for image in images})
    if different < 3:
        return []
    moves = scores.std(axis=0).mean()
    apart = scores.mean(axis=0).std() if scores.shape[1] > 1 else abs(scores.mean())
    if moves > STILL * apart and moves > 1e-6 * (1 + abs(scores).max()):
        return []
    return [
        Finding(
            WARNING,
            "constant",
            f"The predictions for {different} different images are nearly the same.",
            "The model does not see the images: check the preprocessing (values far too small or too large), and that "
            "its trained weights are loaded.",
        )
    ]


def of_layers(flat: np.ndarray | None, silent: dict[str, np.ndarray], layer: str) -> list[Finding]:
    """Dead channels; both hold a row an image, and what was made from the images to wake more of them."""
    found = []
    if flat is not None and flat.shape[1] > 1:
        dead = np.asarray(flat.all(axis=0))
        if dead.mean() >= DEAD:
            found.append(
                Finding(
                    WARNING,
                    "dead-layer",
                    f"{int(dead.sum())} of {len(dead)} channels of layer {layer!r} show nothing for any image tried: "
                    "maps made of it rest on the few others.",
                    "Try an earlier layer (layer=; `fieldmark layers` lists them), and check the preprocessing.",
                )
            )
    if silent:
        shares = [float(each.all(axis=0).mean()) for each in silent.values()]
        dead_share = float(np.concatenate([each.all(axis=0) for each in silent.values()]).mean())
        if dead_share >= SILENT:
            worst = list(silent)[int(np.argmax(shares))]
            found.append(
                Finding(
                    WARNING,
                    "dead-relus",
                    f"{100 * dead_share:.0f} % of all ReLU channels are off for every image tried (most in {worst!r}).",
                    "A training with too high a rate kills ReLUs, and so does wrong preprocessing; check both.",
                )
            )
    return found


def of_gradients(at_layer: np.ndarray | None, at_input: np.ndarray, layer: str) -> list[Finding]:
    """Gradients of the best score, at the chosen layer and at the input."""
    both = [each for each in (at_layer, at_input) if each is not None]
    if not all(np.isfinite(each).all() for each in both):
        return [
            Finding(
                WARNING,
                "gradient-not-finite",
                "Gradients are NaN or infinite.",
                "Use methods without gradients (Occlusion, RISE), and check for square roots or logarithms of 0.",
            )
        ]
    if at_layer is not None and not at_layer.any():
        return [
            Finding(
                WARNING,
                "layer-unreached",
                f"No gradient of the best score reaches layer {layer!r}: Grad-CAM there is blank.",
                "Name another layer with layer= (`fieldmark layers` lists them), or use Occlusion.",
            )
        ]
    if not at_input.any():
        return [
            Finding(
                WARNING,
                "input-unreached",
                "No gradient of the best score reaches the input: something on the way has none (a rounding, an "
                "argmax, a stopped gradient, or saturation).",
                "Use class activation maps, or methods without gradients (Occlusion, RISE).",
            )
        ]
    return []
