"""EfficientNet-Lite0 written as torch users write one: a module of plain torch, images (n, 3, 224, 224), logits out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# blocks, kernel, stride of the first block, expansion, filters
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: ceil(size / stride) out, the odd pixel at right and bottom."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for size, kernel, stride in zip(x.shape[2:], self.kernel_size, self.stride, strict=True):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads = [total // 2, total - total // 2, *pads]  # functional.pad counts from the last axis
        return super().forward(functional.pad(x, pads))


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs, eps=1e-3)]


class Block(nn.Module):
    """An inverted residual."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int, inplace: bool) -> None:
        super().__init__()
        wide = inputs * expand
        widen = [*conv_bn(inputs, wide, 1, 1), nn.ReLU6(inplace)] if expand > 1 else []
        depthwise = [*conv_bn(wide, wide, kernel, stride, groups=wide), nn.ReLU6(inplace)]
        self.path = nn.Sequential(*widen, *depthwise, *conv_bn(wide, outputs, 1, 1))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.path(x) if self.adds else self.path(x)


class Lite0(nn.Module):
    """`features` (n, 1280, 7, 7), pooling, `classifier`; with inplace=True activations overwrite their input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [*conv_bn(3, 32, 3, 2), nn.ReLU6(inplace)]
        channels = 32
        for blocks, kernel, stride, expand, filters in STAGES:
            for index in range(blocks):
                layers.append(Block(channels, filters, kernel, stride if index == 0 else 1, expand, inplace))
                channels = filters
        self.features = nn.Sequential(*layers, *conv_bn(channels, 1280, 1, 1), nn.ReLU6(inplace))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))


def lite0_torch(weights: Mapping[str, np.ndarray], inplace: bool = False) -> Lite0:
    """The module in evaluation mode with the arrays of `read_state_dict`, which come in its parameters' order."""
    model = Lite0(inplace)
    names = list(model.state_dict())
    model.load_state_dict({name: torch.from_numpy(array) for name, array in zip(names, weights.values(), strict=True)})
    return model.eval()
