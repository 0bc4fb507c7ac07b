"""A plain torch module as a subject, under Keras's torch backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from fieldmark.classifier.subject import SIGMOID, SOFTMAX


class TorchSubject:
    """Calls, lists and taps a `torch.nn.Module` that eats (n, c, h, w)."""

    method = "forward"
    opaque = False
    channels_first = True
    input_shape: tuple[int | None, ...] | None = None

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.name = type(model).__name__
        self.layers: Mapping[str, Any] = {name: layer for name, layer in model.named_modules() if name}

    @property
    def variables(self) -> Sequence[Any]:
        return ()

    def call(self, x: Any) -> Any:
        parameter = next(self.model.parameters(), None)
        if parameter is not None and x.device != parameter.device:
            x = x.to(parameter.device)
        return self.model(x)

    def kind(self, layer: Any) -> str:
        return type(layer).__name__

    def head(self, layer: Any) -> tuple[str, Mapping[str, Any]] | None:
        kinds = {torch.nn.Softmax: SOFTMAX, torch.nn.LogSoftmax: SOFTMAX, torch.nn.Sigmoid: SIGMOID}
        name = kinds.get(type(layer), "")
        return (name, {"forward": lambda inputs: inputs}) if name else None

    @contextmanager
    def inference(self) -> Iterator[None]:
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
