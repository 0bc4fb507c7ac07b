"""The examination: look at the model, look at what it makes of images, and say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier, Predictions
from fieldmark.doctor import anatomy, cost, findings
from fieldmark.doctor.diagnosis import WARNING, Candidate, Diagnosis, Finding, Method
from fieldmark.doctor.inside import Inside, look_inside
from fieldmark.doctor.look import Looker
from fieldmark.doctor.next_steps import Typed, next_steps
from fieldmark.doctor.preprocessing import MOST, Scaling, measure_scaling, try_candidates
from fieldmark.errors import FieldmarkError
from fieldmark.explainers import EXPLAINERS


@dataclass
class _Exam:
    """What is known so far; `brief` leaves out all that needs passes of its own."""

    classifier: Classifier
    brief: bool
    images: np.ndarray | None = None
    x: np.ndarray | None = None
    predictions: Predictions | None = None
    layer: tuple[str, str] | FieldmarkError | None = None
    inside: Inside | None = None
    scaling: Scaling | None = None
    look: Looker | None = None
    candidates: tuple[Candidate, ...] = ()
    methods: tuple[Method, ...] = ()
    speed: cost.Speed | None = None
    found: list[Finding] = field(default_factory=list)


def examine(
    classifier: Classifier,
    images: Any = None,
    *,
    names: Sequence[str] | None = None,
    typed: Typed | None = None,
    predictions: Predictions | None = None,
    brief: bool = False,
    costs: bool = True,
) -> Diagnosis:
    """Examine a classifier, and with images (n, h, w, c) what it makes of them.

    names        one an image
    typed        what the user typed to get here, so that the next lines can be typed too
    predictions  of these images, where they are there already
    brief        only what costs no pass through the model beyond the predictions
    costs        try every method and its cost, and the gradients

    Raises ImageError for images that the model does not take.
    """
    exam = _Exam(classifier, brief, predictions=predictions)
    if images is not None:
        exam.images, exam.x = classifier.prepare(images)
        if exam.predictions is None:
            exam.predictions = classifier.read(classifier.engine.scores(exam.x))
    if classifier._engine is not None:
        _look_at_model(exam)
        _judge(exam)
        if costs and not brief:
            _price(exam)
        if exam.look is not None:
            exam.look.forget()
    return _diagnosis(exam, names, typed or Typed())


def _look_at_model(exam: _Exam) -> None:
    from fieldmark.classifier.subject import record

    classifier = exam.classifier
    if classifier.subject.opaque:
        return
    try:
        exam.layer = classifier.choose_layer()
    except FieldmarkError as error:
        exam.layer = error
    shape = next(reversed(classifier._layers))
    exam.inside = look_inside(record(classifier.subject, shape))
    if not exam.brief:
        name = exam.layer[0] if isinstance(exam.layer, tuple) else None
        exam.look = Looker(classifier, exam.inside, name)
        exam.scaling = measure_scaling(classifier, exam.look, shape)


def _judge(exam: _Exam) -> None:
    classifier, found = exam.classifier, exam.found
    found += findings.of_model(classifier, exam.inside, exam.layer)
    if exam.images is None or exam.x is None or exam.predictions is None:
        return
    if exam.look is not None:
        exam.candidates = try_candidates(classifier, exam.look, exam.images)
        found += findings.of_preprocessing(classifier, exam.images, exam.x, exam.scaling, exam.candidates)
    found += findings.of_predictions(classifier, exam.predictions, exam.images)
    if exam.look is not None and np.isfinite(exam.predictions.scores).all():
        name = exam.look.layer or ""
        seen = exam.look(awakening(exam.x[:MOST]))
        found += findings.of_layers(seen.flat, seen.silent, name)


def awakening(x: np.ndarray) -> np.ndarray:
    """The images, and as many made of them (upside down, inverted, noise), so that few channels sleep by chance."""
    low, high = x.min(), x.max()
    noise = np.random.default_rng(0).uniform(low, high, x.shape).astype(np.float32)
    return np.concatenate([x, np.flip(x, axis=1), low + high - x, noise])


def _price(exam: _Exam) -> None:
    """Time the model, see whether gradients arrive, and rehearse every method; on the images, or on noise."""
    classifier = exam.classifier
    images, x = exam.images, exam.x
    if images is None or x is None:
        made = made_up(classifier)
        if made is None:
            return
        images, x = made
    name = exam.layer[0] if isinstance(exam.layer, tuple) else None
    exam.speed, reached = cost.measure(classifier, x, name)
    if reached is not None and exam.predictions is not None and np.isfinite(exam.predictions.scores).all():
        exam.found += findings.of_gradients(reached.layer, reached.input, name or "")
    seen: dict[str, np.ndarray] = {}
    if exam.images is not None and isinstance(exam.layer, tuple):
        seen = {exam.layer[0]: classifier.engine.observe(x[:1], exam.layer[0]).values}
    exam.methods = cost.price_all(classifier, [each() for each in EXPLAINERS], images[0], seen, exam.speed)


def made_up(classifier: Classifier) -> tuple[np.ndarray, np.ndarray] | None:
    """One image of noise as a user would give it, and what the model eats; None where preprocessing refuses it."""
    shape = classifier._known_shape()
    if shape is None:
        return None
    noise = np.random.default_rng(0).integers(0, 256, (1, *shape), dtype=np.uint8)
    try:
        return classifier.prepare(noise)
    except FieldmarkError:
        return None


def _diagnosis(exam: _Exam, names: Sequence[str] | None, typed: Typed) -> Diagnosis:
    classifier, predictions = exam.classifier, exam.predictions
    found = sorted(exam.found, key=lambda each: each.level != WARNING)
    given: list[tuple[str, Any]] = []
    if predictions is not None:
        listed = names or [f"image {i}" for i in range(len(predictions))]
        given = list(zip(listed, predictions.top(3), strict=True))
    reached = predictions is None or predictions.reading != "as given"
    spatial = isinstance(exam.layer, tuple)
    return Diagnosis(
        name=classifier.name,
        model=anatomy.facts(classifier, exam.inside, exam.scaling),
        choices=anatomy.choices(classifier, exam.layer, reached),
        findings=(*found, *_unknown(classifier)),
        images=tuple((name, tuple(best)) for name, best in given),
        candidates=exam.candidates,
        evidence=_evidence(exam),
        methods=exam.methods,
        pass_seconds=None if exam.speed is None else float(f"{exam.speed.image:.3g}"),
        next_steps=next_steps(classifier, typed, found, exam.candidates, predictions, spatial),
        values=predictions is not None and predictions.reading == "value",
    )


def _unknown(classifier: Classifier) -> list[Finding]:
    if classifier._engine is not None:
        return []
    return [
        Finding(
            "note",
            "no-shape",
            "The model does not say what images it takes, so its layers and methods can only be listed with one.",
            "Give an image: clf.doctor(images), or fieldmark doctor MODEL IMAGE.",
        )
    ]


def _evidence(exam: _Exam) -> str:
    if not exam.candidates:
        return ""
    norm = exam.inside.norm if exam.inside else None
    if norm is not None and any(each.misfit is not None for each in exam.candidates):
        return (
            f"Judged by {norm.name!r} ({norm.kind}), the first layer that stored the mean and variance of what it "
            "received in training: misfit 0 is the same, below 0.5 is usual, and a few images tell less than many."
        )
    return "No layer stored statistics to judge by: compare the predictions with what you know is right."
