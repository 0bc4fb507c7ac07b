"""Half precision for a run: chosen by a field, and its error against float32 measured on the first batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError, unknown

FLOAT32 = "float32"
PRECISIONS = (FLOAT32, "mixed_float16", "mixed_bfloat16")


def check_precision(name: str) -> str:
    """The name, if there is such a precision. Raises FieldmarkError."""
    if name not in PRECISIONS:
        raise FieldmarkError(unknown("precision", name, PRECISIONS))
    return name


@contextmanager
def running_in(classifier: Any, precision: str) -> Iterator[None]:
    """Every layer of the classifier's Keras model computes in this precision, with float32 weights; put back after.

    Raises FieldmarkError for a model that is no Keras model: half precision is then its own matter.
    """
    if precision == FLOAT32:
        yield
        return
    import keras

    model = classifier.model
    if not isinstance(model, keras.Model):
        raise FieldmarkError(
            f"precision {precision}: expected a keras.Model, received {type(model).__name__}; "
            "leave precision out and give a model that computes in half precision itself"
        )
    policy = keras.DTypePolicy(precision)
    before = [(layer, layer.dtype_policy) for layer in model._flatten_layers()]
    engine = classifier.engine
    pairs = engine.pairs
    try:
        engine.pairs = ()  # folding is proved for float32
        for layer, _ in before:
            layer.dtype_policy = policy
        yield
    finally:
        engine.pairs = pairs
        for layer, old in before:
            layer.dtype_policy = old


def measured_error(exact: Mapping[str, Any], half: Mapping[str, Any]) -> dict[str, float]:
    """By column: for tensors the largest error as a share of its map's largest value; `predicted`: how many agree."""
    found: dict[str, float] = {}
    for name, values in exact.items():
        other = half[name]
        if isinstance(values, np.ndarray) and values.ndim >= 4:
            flat, error = (np.abs(each).reshape(len(values), -1).max(axis=1) for each in (values, other - values))
            found[name] = float((error[flat > 0] / flat[flat > 0]).max(initial=0.0))
        elif name.endswith("scores"):
            found[name] = float(np.abs(np.asarray(other) - values).max(initial=0.0))
    agree = np.asarray(exact["predicted_class"]) == np.asarray(half["predicted_class"])
    return found | {"predicted_class_agrees": float(agree.mean())}
