"""The lines to type next, on the command line and in Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fieldmark.classifier import Classifier, Predictions
from fieldmark.doctor.diagnosis import Candidate, Finding
from fieldmark.doctor.preprocessing import best_of

CLOSE = 0.4  # between the probabilities of the two best classes: then both are worth a look
PREPROCESSING = ("preprocessing", "scaled-twice", "not-scaled")


@dataclass(frozen=True)
class Typed:
    """What the user typed: the model, the images, and the other options by name."""

    model: str = "MODEL"
    images: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def command(self, verb: str, **changed: str | None) -> str:
        """A line of the same words; `changed` options are added or, where None, left out."""
        options = {**self.options, **{f"--{name.replace('_', '-')}": value for name, value in changed.items()}}
        words = ["fieldmark", verb, shlex.quote(self.model), *(map(shlex.quote, self.images or ["IMAGES"]))]
        for name, value in options.items():
            if value is not None:
                words += [name, shlex.quote(value)] if value else [name]
        return " ".join(words)


def next_steps(
    classifier: Classifier,
    typed: Typed,
    found: Sequence[Finding],
    candidates: tuple[Candidate, ...],
    predictions: Predictions | None,
    spatial: bool,
) -> tuple[tuple[str, str, str], ...]:
    """(in words, command line, Python): one step for the first thing to mend, else what to run first."""
    codes = {each.code for each in found}
    if codes & set(PREPROCESSING):
        return (_mend(codes, typed, candidates),)
    if "not-finite" in codes or "untrained" in codes:
        return (("Load the trained weights, then look again", typed.command("doctor"), "clf.doctor(images)"),)
    steps = []
    if predictions is None:
        steps.append(("Look again with a few of your images", typed.command("doctor"), "clf.doctor(images)"))
    if classifier._engine is not None:
        steps.append(_explain(typed, predictions, codes, spatial))
    return tuple(steps)


def _mend(codes: set[str], typed: Typed, candidates: tuple[Candidate, ...]) -> tuple[str, str, str]:
    _, best = best_of(candidates)
    if "scaled-twice" in codes:
        name = "none"
    elif "not-scaled" in codes or best is None:
        name = "0-1"
    else:
        name = best.name
    code = f'fm.Classifier(model, preprocess="{name}").doctor(images)'
    return f"Look again with the preprocessing {name}", typed.command("doctor", preprocess=name), code


def _explain(typed: Typed, predictions: Predictions | None, codes: set[str], spatial: bool) -> tuple[str, str, str]:
    blocked = codes & {"layer-unreached", "dead-layer", "gradient-not-finite"}
    if spatial and not blocked:
        method, words = "GradCAM", "See where it looks, in about one pass an image"
    elif codes & {"prediction-only", "gradient-not-finite", "input-unreached", "layer-unreached"}:
        method, words = "Occlusion", "See what it loses when parts are covered"
    else:
        method, words = "IntegratedGradients", "See which pixels it adds up"
    close = predictions is not None and any(
        len(best) == 2 and best[0][1] - best[1][1] < CLOSE for best in predictions.top(2)
    )
    usual = method == "GradCAM"
    command = typed.command("explain", method=None if usual else method.lower(), target="top2" if close else None)
    target = ", target=fm.Top(2)" if close else ""
    return words, command, f"fm.{method}()(clf, images{target}).plot()"
