"""The one syntax of `--target`: what is explained, in one word.

    predicted          the class with the highest score, per image
    top3               the three highest, per image
    tabby, 285         a class, by label or index
    tabby-vs-tiger_cat one class against another; tabby-vs-rest: against all others
    tabby=1,dog=-0.5   a rating made of several classes

A label of the model's always means that class, also where it looks like one of the other forms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from fieldmark.errors import TargetError
from fieldmark.targets import Class, Contrast, Labels, Predicted, Top, Weighted, class_index

FORMS = "predicted, top3, a label or index, tabby-vs-tiger_cat, tabby-vs-rest, or tabby=1,dog=-0.5"


def parse_targets(texts: Sequence[str], labels: Labels) -> Any:
    """A target for the texts of all `--target` options, in order. Raises TargetError for a class that doesn't exist."""
    targets = [parse_target(text, labels) for text in texts]
    return targets[0] if len(targets) == 1 else targets


def parse_target(text: str, labels: Labels) -> Any:
    """The target that one text means; every class in it is looked up now, before anything is computed."""
    text = text.strip()
    if text in labels:
        return Class(text)
    if text == "predicted":
        return Predicted()
    if top := re.fullmatch(r"top(\d{1,9})", text):
        return _top(int(top.group(1)), len(labels))
    if "=" in text:
        return _weighted(text, labels)
    if "-vs-" in text:
        return _contrast(text, labels)
    if not text:
        raise TargetError(f"target: expected {FORMS}, received an empty one")
    return Class(class_index(text, labels))


def _top(k: int, classes: int) -> Top:
    if not 1 <= k <= classes:
        raise TargetError(f"target top{k}: expected top1 to top{classes} (the model's classes)")
    return Top(k)


def _contrast(text: str, labels: Labels) -> Contrast:
    """a-vs-b, where the labels themselves may hold -vs-: the first split that gives two classes is meant."""
    splits = [(text[: found.start()], text[found.end() :]) for found in re.finditer("-vs-", text)]
    for a, b in splits:
        if _is_class(a, labels) and (b == "rest" or _is_class(b, labels)):
            return Contrast(a, b)
    for name in splits[0]:  # says which of the two is unknown
        if name != "rest":
            class_index(name, labels)
    raise TargetError(f"target {text!r}: expected a class before -vs- and a class or 'rest' after it")


def _is_class(name: str, labels: Labels) -> bool:
    try:
        class_index(name, labels)
    except TargetError:
        return False
    return True


def _weighted(text: str, labels: Labels) -> Weighted:
    weights: dict[int | str, float] = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not name or not math.isfinite(weight):
            raise TargetError(f"target {text!r}: expected class=number,class=number, received {part!r}")
        index = class_index(name.strip(), labels)
        if index in weights:
            raise TargetError(f"target {text!r}: class {labels[index]!r} is named twice")
        weights[index] = weight
    return Weighted(weights)
