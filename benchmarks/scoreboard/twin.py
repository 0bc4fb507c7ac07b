"""A small Keras network's twin in torch, in which it is trained: with half the bits and channels last, faster.

It has the layers that the scoreboard's networks have, and no others. Weights go over first, and come back trained.
Where the processor has no instructions for half the bits, all are used: without them it is seven times slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Twin(nn.Module):
    """A Keras functional model (n, h, w, c) to (n, classes), as torch runs it: (n, c, h, w) in, logits out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.parts = nn.ModuleDict({layer.name: made for layer in model.layers if (made := _made(layer)) is not None})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = {id(self.model.inputs[0]): x}
        for layer in self.model.layers[1:]:
            given = layer.input if isinstance(layer.input, list) else [layer.input]
            found[id(layer.output)] = self._run(layer, [found[id(each)] for each in given])
        return found[id(self.model.outputs[0])]

    def _run(self, layer: Any, given: list[torch.Tensor]) -> torch.Tensor:
        kind, x = type(layer).__name__, given[0]
        if kind == "Conv2D":
            return self.parts[layer.name](functional.pad(x, _same(x, layer.kernel_size, layer.strides)))
        if layer.name in self.parts:
            return self.parts[layer.name](x)
        ways = {
            "ReLU": functional.relu,
            "MaxPooling2D": lambda x: functional.max_pool2d(x, 2),
            "GlobalAveragePooling2D": lambda x: x.mean(dim=(2, 3)),
            "Add": lambda x: x + given[1],
        }
        return ways[kind](x)

    def write_back(self) -> None:
        """The weights that the twin has now become the Keras model's."""
        for layer in self.model.layers:
            if layer.name in self.parts:
                part = self.parts[layer.name]
                held = {name: value.detach().float().numpy() for name, value in part.state_dict().items()}
                layer.set_weights([np.transpose(held[name], axes) for name, axes in _weights(layer)])


def _made(layer: Any) -> nn.Module | None:
    """The torch module of a layer that has weights, with these."""
    kind, weights = type(layer).__name__, layer.get_weights()
    if not weights:
        return None
    if kind == "Conv2D":
        height, width, channels, filters = weights[0].shape
        part: nn.Module = nn.Conv2d(channels, filters, (height, width), layer.strides, bias=False)
    elif kind == "BatchNormalization":
        part = nn.BatchNorm2d(len(weights[0]), eps=layer.epsilon, momentum=1 - layer.momentum)
    else:
        part = nn.Linear(*weights[0].shape)
    with torch.no_grad():
        for (name, axes), value in zip(_weights(layer), weights, strict=True):
            part.state_dict()[name].copy_(torch.from_numpy(np.transpose(value, np.argsort(axes)).copy()))
    return part


def _weights(layer: Any) -> list[tuple[str, tuple[int, ...]]]:
    """What torch calls a Keras layer's weights, in Keras's order, and how its axes become Keras's."""
    kind = type(layer).__name__
    if kind == "Conv2D":
        return [("weight", (2, 3, 1, 0))]
    if kind == "BatchNormalization":
        return [(name, (0,)) for name in ("weight", "bias", "running_mean", "running_var")]
    return [("weight", (1, 0)), ("bias", (0,))]


def _same(x: torch.Tensor, kernel: tuple[int, int], strides: tuple[int, int]) -> tuple[int, ...]:
    """(left, right, top, bottom): the padding "same" of Keras, which puts the odd pixel last."""
    found: list[int] = []
    for size, reach, step in zip(x.shape[:1:-1], kernel[::-1], strides[::-1], strict=True):
        total = max((-(-size // step) - 1) * step + reach - size, 0)
        found += [total // 2, total - total // 2]
    return tuple(found)


def fit(model: Any, batches: Any, steps: int, peak: float) -> None:
    """Train the model on `steps` pairs of images (n, h, w, c) of 0 to 1 and classes: Adam, a warm start, a cosine."""
    twin = Twin(model).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(twin.parameters(), lr=peak, eps=1e-7)
    warm = steps // 10
    can = torch.cpu.get_capabilities()
    halved = bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (step + 1) / (warm + 1) if step < warm else (1 + np.cos(np.pi * (step - warm) / steps)) / 2,
    )
    for images, classes in batches:
        x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=halved):
            logits = twin(x)
        loss = functional.cross_entropy(logits.float(), torch.from_numpy(np.asarray(classes, np.int64)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    twin.write_back()
