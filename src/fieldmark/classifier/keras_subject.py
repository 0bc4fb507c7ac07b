"""A Keras model as a subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from fieldmark.classifier.inputs import SINGLE, Fixed, image_input, one_row
from fieldmark.classifier.subject import LINEAR, SIGMOID, SOFTMAX, Weight, places_of
from fieldmark.errors import ModelError, unknown


class KerasSubject:
    """Calls, lists and taps a `keras.Model` on whatever backend Keras runs.

    fixed  the other inputs of a model with several: their value for one image, by name
    image  the image's name where the model declares none and takes a dict
    """

    method = "call"
    opaque = False

    def __init__(self, model: Any, fixed: Fixed | None = None, image: str | None = None) -> None:
        self.model = model
        self.name: str = model.name
        self.layers: Mapping[str, Any] = dict(_walk(model, ""))
        formats = [getattr(layer, "data_format", None) for layer in self.layers.values()]
        self.channels_first = formats.count("channels_first") > formats.count("channels_last")
        declared = {value.name: tuple(value.shape[1:]) for value in getattr(model, "inputs", None) or ()}
        self.declared = declared
        self.image = image_input(self.name, declared, fixed or {}, image) if declared else image
        self.fixed: dict[str, Any] = {}
        self.fix(fixed or {})
        shape = declared.get(self.image) if self.image else None
        self.places = places_of([self.kind(layer) for layer in self.layers.values()], shape)
        self.flat = shape is not None and len(shape) == self.places  # grey images without an axis for the channels
        self.input_shape = None if shape is None else self._channels_last(shape)

    @property
    def variables(self) -> Sequence[Any]:
        held = [value for value in self.fixed.values() if isinstance(value, keras.Variable)]
        return [*self.model.variables, *held] if held else self.model.variables

    @property
    def built(self) -> bool:
        return bool(self.model.built)

    def fix(self, values: Fixed) -> None:
        """Hold other inputs at these values; kept as variables, so that a new value costs no new compilation."""
        for name, value in values.items():
            if self.declared and (name not in self.declared or name == self.image):
                others = [each for each in self.declared if each != self.image]
                raise ModelError(unknown(f"input of model {self.name!r}", name, others))
            if isinstance(value, SINGLE) and not self.declared:
                self.fixed[name] = value
                continue
            row = one_row(name, value, self.declared.get(name))
            held = self.fixed.get(name)
            if isinstance(held, keras.Variable) and tuple(held.shape) == row.shape:
                held.assign(row)
            else:
                kind = "float32" if row.dtype.kind == "f" else "int32"
                self.fixed[name] = keras.Variable(row, trainable=False, dtype=kind, name=f"fixed_{len(self.fixed)}")

    def call(self, x: Any) -> Any:
        if self.flat:
            x = ops.squeeze(x, axis=-1)
        if not self.fixed:
            return self.model(x, training=False)
        n = ops.shape(x)[0]
        others = {
            name: ops.broadcast_to(value, (n, *value.shape[1:])) if isinstance(value, keras.Variable) else value
            for name, value in self.fixed.items()
        }
        if self.image is None:
            return self.model(x, training=False, **others)
        return self.model({self.image: x, **others}, training=False)

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

    def weights(self) -> Mapping[str, Sequence[Weight]]:
        owner = {id(value): "" for value in self.model.weights}
        held = {id(value): value for value in self.model.weights}
        for name, layer in self.layers.items():  # containers before what they hold, so that the deepest is left
            for value in getattr(layer, "weights", ()):
                owner[id(value)], held[id(value)] = name, value
        found: dict[str, list[Weight]] = {}
        for key, value in held.items():
            if keras.backend.is_float_dtype(value.dtype):
                found.setdefault(owner[key], []).append(Weight(partial(_numbers, value), value.assign))
        return found

    def layout(self, kind: str) -> bool:
        return self.channels_first

    def _channels_last(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.flat:
            return (*shape, 1)
        return (*shape[1:], shape[0]) if self.channels_first and shape else shape


def _numbers(value: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(value))


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
