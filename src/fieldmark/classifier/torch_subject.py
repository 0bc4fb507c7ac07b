"""A plain torch module as a subject, under Keras's torch backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from fieldmark.classifier.inputs import SINGLE, Fixed, one_row
from fieldmark.classifier.subject import SIGMOID, SOFTMAX, Weight, places_of

LAST = ("Linear", "LayerNorm", "RMSNorm")  # act on the last axis, whatever the layout around them


class TorchSubject:
    """Calls, lists and taps a `torch.nn.Module` that eats (n, c, h, w).

    fixed  the other arguments of its forward: their value for one image, by name; True, False, None and words as such
    image  the image's name in forward; None: its first argument
    """

    method = "forward"
    opaque = False
    channels_first = True
    flat = False
    built = True
    input_shape: tuple[int | None, ...] | None = None

    def __init__(self, model: torch.nn.Module, fixed: Fixed | None = None, image: str | None = None) -> None:
        self.model = model
        self.name = type(model).__name__
        self.image = image
        self.layers: Mapping[str, Any] = {name: layer for name, layer in model.named_modules() if name}
        self.places = places_of([self.kind(layer) for layer in self.layers.values()], None)
        self.fixed: dict[str, Any] = {}
        self.fix(fixed or {})

    @property
    def variables(self) -> Sequence[Any]:
        return ()

    def fix(self, values: Fixed) -> None:
        """Hold other inputs at these values."""
        for name, value in values.items():
            self.fixed[name] = value if isinstance(value, SINGLE) else torch.as_tensor(one_row(name, value))

    def call(self, x: Any) -> Any:
        parameter = next((p for p in self.model.parameters() if p.is_floating_point()), None)
        if parameter is not None:
            x = x.to(parameter.device, parameter.dtype)
        others = {name: self._rows(value, x) for name, value in self.fixed.items()}
        return self.model(x, **others) if self.image is None else self.model(**{self.image: x}, **others)

    def _rows(self, value: Any, x: Any) -> Any:
        """A fixed value for every row of x, in its precision where it is no whole number."""
        if not isinstance(value, torch.Tensor):
            return value
        value = value.to(x.device, x.dtype if value.is_floating_point() else value.dtype)
        return value.expand(len(x), *value.shape[1:])

    def layout(self, kind: str) -> bool:
        return kind not in LAST

    def kind(self, layer: Any) -> str:
        return type(layer).__name__

    def head(self, layer: Any) -> tuple[str, Mapping[str, Any]] | None:
        kinds = {torch.nn.Softmax: SOFTMAX, torch.nn.LogSoftmax: SOFTMAX, torch.nn.Sigmoid: SIGMOID}
        name = kinds.get(type(layer), "")
        return (name, {"forward": lambda inputs: inputs}) if name else None

    def weights(self) -> Mapping[str, Sequence[Weight]]:
        found: dict[str, list[Weight]] = {}
        seen: set[int] = set()
        for name, layer in self.model.named_modules():
            for value in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
                if value.is_floating_point() and id(value) not in seen:
                    seen.add(id(value))
                    found.setdefault(name, []).append(Weight(partial(_read, value), partial(_write, value)))
        return found

    @contextmanager
    def inference(self) -> Iterator[None]:
        modes = [(module, module.training) for module in self.model.modules()]
        fused = torch.backends.mha.get_fastpath_enabled()
        self.model.eval()
        torch.backends.mha.set_fastpath_enabled(False)  # its one step for a whole encoder layer calls no layer within
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for module, training in modes:
                module.training = training


def _read(value: torch.Tensor) -> np.ndarray:
    return np.array(value.detach().to("cpu", torch.float32).numpy())


def _write(value: torch.Tensor, numbers: np.ndarray) -> None:
    with torch.no_grad():
        value.copy_(torch.as_tensor(numbers))
