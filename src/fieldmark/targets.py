"""What is explained: every target becomes weights (n, t, classes), and every score is the sum of weight times output.

A target is resolved on the host against the labels (`resolve`), giving either fixed weights or a rule that the engine
applies on device to the scores of the same forward pass, so that "the predicted class" costs no second pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fieldmark.errors import TargetError, unknown

Labels = Sequence[str]


@dataclass(frozen=True)
class Rule:
    """How weights are made on device: `kind` is "given", "top" (k one-hot rows by score) or "log_odds"."""

    kind: str
    k: int = 1


@dataclass(frozen=True, eq=False)
class Resolved:
    """A target on the host: the rule, the weights it is given (n, t, classes; or None), and its words (t) or None.

    `words` is None where what a target means depends on the image; `describe` then reads it from the weights.
    """

    rule: Rule
    given: np.ndarray | None
    words: tuple[str, ...] | None = None


class Target(Protocol):
    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved: ...


@dataclass(frozen=True)
class Top:
    """The k classes with the highest score, per image, in that order."""

    k: int = 2

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        if not 1 <= self.k <= classes:
            raise TargetError(f"Top(k={self.k}): expected 1 to {classes} (the model's classes)")
        return Resolved(Rule("top", self.k), None)


@dataclass(frozen=True)
class Predicted:
    """The class with the highest score, per image."""

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        return Top(1).resolve(scores, n, classes, labels)


@dataclass(frozen=True)
class Class:
    """One class, by index or by label, for every image."""

    cls: int | str

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        return _fixed(_one_hot(class_index(self.cls, labels), classes), n, None)


@dataclass(frozen=True)
class Contrast:
    """Class a against class b: score a minus score b; b="rest" is the log-odds of a against all other classes.

    Against the rest the weights are 1 for a and minus the softmax over the others, taken anew at every point where a
    gradient is, so that the gradient is that of z_a - logsumexp(z_others).
    """

    a: int | str
    b: int | str = "rest"

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        plus = _one_hot(class_index(self.a, labels), classes)
        name = labels[class_index(self.a, labels)]
        if self.b == "rest" and "rest" not in labels:
            if classes < 2:
                raise TargetError("Contrast against the rest: expected 2 classes or more, received a model with 1")
            return Resolved(Rule("log_odds"), _spread(plus, n), (f"{name} against the rest",))
        minus = _one_hot(class_index(self.b, labels), classes)
        if (plus == minus).all():
            raise TargetError(f"Contrast({self.a!r}, {self.b!r}): expected two different classes")
        return _fixed(plus - minus, n, f"{name} against {labels[class_index(self.b, labels)]}")


@dataclass(frozen=True)
class Weighted:
    """A rating made of several outputs, the sum of weight times output: Weighted({"cat": 1, "dog": -0.5})."""

    weights: Mapping[int | str, float]

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        row = np.zeros(classes, np.float32)
        if not self.weights:
            raise TargetError("Weighted: expected at least one class, received none")
        for cls, weight in self.weights.items():
            if not math.isfinite(weight):
                raise TargetError(f"Weighted: expected a finite weight for {cls!r}, received {weight}")
            row[class_index(cls, labels)] += weight
        return _fixed(row, n, None)


@dataclass(frozen=True)
class Custom:
    """Weights from a function of the scores: (n, classes) -> (n, t, classes). Costs one forward pass more."""

    function: Callable[[np.ndarray], Any]

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        given = np.asarray(self.function(scores()), np.float32)
        if given.ndim != 3 or given.shape[0] != n or given.shape[2] != classes:
            raise TargetError(f"target function: expected weights of shape ({n}, t, {classes}), received {given.shape}")
        return Resolved(Rule("given"), given)


@dataclass(frozen=True)
class Several:
    """Several targets one after the other along the t axis; a plain list of targets means this."""

    targets: tuple[Any, ...]

    def resolve(self, scores: Callable[[], np.ndarray], n: int, classes: int, labels: Labels) -> Resolved:
        if not self.targets:
            raise TargetError("target: expected at least one target, received an empty list")
        parts = [as_target(target).resolve(scores, n, classes, labels) for target in self.targets]
        given = [part.given if part.rule.kind == "given" else apply_rule(part, scores()) for part in parts]
        words: list[str] = []
        for part, weights in zip(parts, given, strict=True):
            words += part.words or [""] * weights.shape[1]  # type: ignore[union-attr]
        return Resolved(Rule("given"), np.concatenate(given, axis=1), tuple(words))  # type: ignore[arg-type]


def as_target(value: Any) -> Target:
    """A target from what users pass: a target, an int or label (Class), a list (Several), a function (Custom)."""
    if hasattr(value, "resolve"):
        return value
    if isinstance(value, (str, int, np.integer)) and not isinstance(value, bool):
        return Class(value if isinstance(value, str) else int(value))
    if isinstance(value, (list, tuple)):
        return Several(tuple(value))
    if callable(value):
        return Custom(value)
    raise TargetError(
        f"target: expected Predicted(), Class(...), Top(k), Contrast(a, b), Weighted({{...}}), a class index or label, "
        f"a list of these, or a function of the scores; received {type(value).__name__}"
    )


def class_index(cls: int | str, labels: Labels) -> int:
    """The index of a class given by index or label (case and spaces for underscores forgiven)."""
    if isinstance(cls, (int, np.integer)) and not isinstance(cls, bool):
        if 0 <= cls < len(labels):
            return int(cls)
        raise TargetError(f"unknown class {cls}: expected 0 to {len(labels) - 1}")
    if str(cls) in labels:
        return list(labels).index(str(cls))
    folded = [str(label).casefold().replace(" ", "_") for label in labels]
    wanted = str(cls).casefold().replace(" ", "_")
    if folded.count(wanted) == 1:
        return folded.index(wanted)
    if str(cls).isascii() and str(cls).isdigit() and int(cls) < len(labels):
        return int(cls)
    raise TargetError(unknown("class", cls, labels))


def apply_rule(resolved: Resolved, scores: np.ndarray) -> np.ndarray:
    """The weights (n, t, classes) of a resolved target on the host; the engine does the same on device."""
    kind = resolved.rule.kind
    if kind == "top":
        order = np.argsort(-scores, axis=1, kind="stable")[:, : resolved.rule.k]
        return np.eye(scores.shape[1], dtype=np.float32)[order]
    given = resolved.given
    assert given is not None
    if kind == "given":
        return given
    others = np.where(given > 0, -np.inf, scores[:, None, :])
    exponentials = np.exp(others - others.max(axis=-1, keepdims=True))
    return (given - exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)


def describe(resolved: Resolved, weights: np.ndarray, labels: Labels) -> tuple[tuple[str, ...], ...]:
    """In words what each of (n, t) targets means: those it was resolved with, else from its weights (n, t, classes)."""
    known = resolved.words or ()
    fixed = known if len(known) == weights.shape[1] else ("",) * weights.shape[1]
    return tuple(tuple(fixed[t] or _words(row[t], labels) for t in range(len(row))) for row in weights)


def single_classes(weights: np.ndarray) -> np.ndarray:
    """(n, t) class indices where the weights are one-hot, -1 elsewhere."""
    one_hot = ((weights != 0).sum(axis=-1) == 1) & (weights.max(axis=-1) == 1)
    return np.where(one_hot, weights.argmax(axis=-1), -1)


def _words(row: np.ndarray, labels: Labels) -> str:
    strongest = np.argsort(-np.abs(row), kind="stable")[: min(4, int((row != 0).sum()))]
    if len(strongest) == 0:
        return "nothing (all weights zero)"
    if len(strongest) == 1 and row[strongest[0]] == 1:
        return labels[strongest[0]]
    terms = [f"{row[index]:+.3g} {labels[index]}" for index in strongest]
    return " ".join(terms) + (" …" if (row != 0).sum() > len(strongest) else "")


def _one_hot(index: int, classes: int) -> np.ndarray:
    return np.eye(1, classes, index, dtype=np.float32)[0]


def _spread(row: np.ndarray, n: int) -> np.ndarray:
    return np.broadcast_to(row, (n, 1, len(row)))


def _fixed(row: np.ndarray, n: int, words: str | None) -> Resolved:
    return Resolved(Rule("given"), _spread(row, n), (words,) if words else None)
