"""A Keras model as a subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from fieldmark.classifier.subject import LINEAR, SIGMOID, SOFTMAX


class KerasSubject:
    """Calls, lists and taps a `keras.Model` on whatever backend Keras runs."""

    method = "call"
    opaque = False

    def __init__(self, model: Any) -> None:
        self.model = model
        self.name: str = model.name
        self.layers: Mapping[str, Any] = dict(_walk(model, ""))
        formats = [getattr(layer, "data_format", None) for layer in self.layers.values()]
        self.channels_first = formats.count("channels_first") > formats.count("channels_last")
        self.input_shape = self._input_shape()

    @property
    def variables(self) -> Sequence[Any]:
        return self.model.variables

    def call(self, x: Any) -> Any:
        return self.model(x, training=False)

    def kind(self, layer: Any) -> str:
        return type(layer).__name__

    def head(self, layer: Any) -> tuple[str, Mapping[str, Any]] | None:
        activation = getattr(layer, "activation", None)
        if activation is not None:
            name = {keras.activations.softmax: SOFTMAX, keras.activations.sigmoid: SIGMOID}.get(activation, LINEAR)
            return name, {"activation": keras.activations.linear} if name != LINEAR else {}
        name = {"softmax": SOFTMAX, "sigmoid": SIGMOID}.get(self.kind(layer).lower(), "")
        if name:
            return name, {"call": lambda inputs, *_args, **_kwargs: inputs}
        return (LINEAR, {}) if self.kind(layer) in ("Dense", "Conv2D") else None

    def inference(self) -> AbstractContextManager[None]:
        return nullcontext()  # `call` passes training=False

    def _input_shape(self) -> tuple[int | None, ...] | None:
        shape = getattr(self.model, "input_shape", None) if getattr(self.model, "inputs", None) else None
        if not isinstance(shape, tuple) or not shape or isinstance(shape[0], (tuple, list)):
            return None
        inner = tuple(shape[1:])
        return (*inner[1:], inner[0]) if self.channels_first and inner else inner


def _walk(container: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every layer and operation below `container` as ("base/layer", layer), containers before what they hold."""
    taken: set[str] = set()
    for layer in _children(container):
        name = layer.name
        number = 1
        while name in taken:
            number += 1
            name = f"{layer.name}~{number}"
        taken.add(name)
        yield prefix + name, layer
        yield from _walk(layer, f"{prefix}{name}/")


def _children(container: Any) -> list[Any]:
    if isinstance(container, keras.Model):
        found = list(getattr(container, "operations", ())) or list(container.layers)
    else:
        found = [value for attribute in vars(container).values() for value in _held(attribute)]
    unique = {id(layer): layer for layer in found if layer is not container}
    return [layer for layer in unique.values() if not isinstance(layer, keras.layers.InputLayer)]


def _held(attribute: Any) -> Iterator[Any]:
    """Layers in an attribute of a layer: itself, or inside lists, tuples and dicts."""
    if isinstance(attribute, keras.layers.Layer):
        yield attribute
    elif isinstance(attribute, Mapping):
        for value in attribute.values():
            yield from _held(value)
    elif isinstance(attribute, (list, tuple)):
        for value in attribute:
            yield from _held(value)
