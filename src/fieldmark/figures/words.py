"""What a figure says of a map: method and layer, score and probability, scale and seed, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence

from fieldmark.attribution import Attribution
from fieldmark.figures.scale import Scale
from fieldmark.figures.text import percent


def describe_place(attribution: Attribution) -> str:
    """Method and layer in words: "GradCAM at block7", "Gradients at the input"."""
    layer = attribution.provenance.get("layer")
    if attribution.pictures is not None:
        return f"{attribution.provenance.get('method', 'unknown method')}: a picture made to raise it"
    return f"{attribution.provenance.get('method', 'unknown method')} at {layer or 'the input'}"


def describe_score(attribution: Attribution, image: int, target: int) -> str:
    """Score and probability in words: "logit 11.31, probability 77 %"."""
    one_class = attribution.classes[image, target] >= 0
    logits = attribution.provenance.get("scores") == "logits"
    word = "logit" if logits and one_class else "score"
    probability = percent(float(attribution.probabilities[image, target]))
    return f"{word} {attribution.scores[image, target]:.4g}" + (f", probability {probability}" if probability else "")


def describe_scale(attribution: Attribution, scale: Scale) -> str:
    """The value at full colour, and the seed of what was drawn at random: "full colour at ±0.0213, seed 0"."""
    seed = attribution.provenance.get("seed")
    limit = "" if scale.blank else f"full colour at {'±' if scale.signed else ''}{scale.limit:.3g}"
    return ", ".join(words for words in (limit, "" if seed is None else f"seed {seed}") if words)


def legend_text(signed: bool, shared: bool, methods: Sequence[str] = ()) -> str:
    """What the colours mean, in one or two sentences."""
    whose = f"{', '.join(methods)}: " if methods else ""
    what = (
        "evidence for and against the named class."
        if signed
        else "how much a place matters to the score of the named class."
    )
    scale = (
        "One scale for all maps of a method: strengths compare."
        if shared
        else "Each map on its own scale: compare places, not strengths."
    )
    return f"{whose}{what if whose else what[0].upper() + what[1:]} {scale}"
