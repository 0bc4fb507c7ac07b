"""Layers that are linear in their input, taken apart: what relevance rules need to know of a convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from keras import ops

from fieldmark.classifier.taps import patched


@dataclass(frozen=True, eq=False)
class Linear:
    """One linear map: apply(x, weights) + bias, with other weights where a rule asks for them.

    bias     one number per output channel, or None
    spread   the shape in which one number per output channel multiplies the weights
    axis     of the output's channels: 1 or -1
    dense    fully connected, not a convolution
    """

    apply: Callable[[Any, Any], Any]
    weights: Any
    bias: Any
    spread: tuple[int, ...]
    axis: int
    dense: bool = False

    def along(self, vector: Any, rank: int) -> Any:
        """One number per output channel, shaped to meet an output of this rank."""
        shape = [1] * rank
        shape[self.axis] = -1
        return ops.reshape(vector, shape)

    def then(self, scale: Any, shift: Any) -> Linear:
        """This map and, merged into it, the affine map scale * y + shift of each of its output channels."""
        bias = shift if self.bias is None else self.bias * scale + shift
        return replace(self, weights=self.weights * ops.reshape(scale, self.spread), bias=bias)


def linear_steps(layer: Any, kind: str) -> tuple[Linear, ...]:
    """The linear maps that make up a layer, in order; none for any other layer.

    Bias and a fused activation belong to the last.
    """
    return _STEPS[kind](layer) if kind in _STEPS else ()


def affine(layer: Any, kind: str) -> tuple[Any, Any] | None:
    """(scale, shift), one number per channel, of a batch normalisation in inference mode; None for any other layer."""
    if kind == "BatchNormalization":
        mean, variance, gamma, beta = layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta
        epsilon = layer.epsilon
    elif kind in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d") and layer.running_mean is not None:
        mean, variance, gamma, beta = layer.running_mean, layer.running_var, layer.weight, layer.bias
        epsilon = layer.eps
    else:
        return None
    scale = ops.rsqrt(_tensor(variance) + epsilon)
    if gamma is not None:
        scale = scale * _tensor(gamma)
    shift = -_tensor(mean) * scale
    return scale, shift if beta is None else shift + _tensor(beta)


def _tensor(value: Any) -> Any:
    return None if value is None else ops.convert_to_tensor(value)


def _convolution(layer: Any) -> tuple[Linear, ...]:
    kernel = _tensor(layer.kernel)
    spread = (1,) * (len(kernel.shape) - 1) + (-1,)
    return (Linear(layer.convolution_op, kernel, _tensor(layer.bias), spread, _channels(layer)),)


def _depthwise(layer: Any) -> tuple[Linear, ...]:
    return (_filtering(layer, _tensor(layer.kernel), _tensor(layer.bias)),)


def _filtering(layer: Any, kernel: Any, bias: Any) -> Linear:
    def apply(x: Any, weights: Any) -> Any:
        return ops.depthwise_conv(
            x,
            weights,
            strides=tuple(layer.strides),
            padding=layer.padding,
            dilation_rate=tuple(layer.dilation_rate),
            data_format=layer.data_format,
        )

    return Linear(apply, kernel, bias, (1, 1, *kernel.shape[-2:]), _channels(layer))


def _separable(layer: Any) -> tuple[Linear, ...]:
    mixing = partial(ops.conv, strides=1, padding="valid", data_format=layer.data_format)
    pointwise = Linear(
        lambda x, weights: mixing(x, weights),
        _tensor(layer.pointwise_kernel),
        _tensor(layer.bias),
        (1, 1, 1, -1),
        _channels(layer),
    )
    return (_filtering(layer, _tensor(layer.depthwise_kernel), None), pointwise)


def _dense(layer: Any) -> tuple[Linear, ...]:
    return (Linear(ops.matmul, _tensor(layer.kernel), _tensor(layer.bias), (1, -1), -1, dense=True),)


def _torch(layer: Any, dense: bool) -> tuple[Linear, ...]:
    def apply(x: Any, weights: Any) -> Any:
        with patched(layer, "weight", weights), patched(layer, "bias", None):
            return type(layer).forward(layer, x)

    weights = layer.weight.detach()
    bias = None if layer.bias is None else layer.bias.detach()
    return (Linear(apply, weights, bias, (-1,) + (1,) * (weights.ndim - 1), -1 if dense else 1, dense),)


def _channels(layer: Any) -> int:
    return 1 if layer.data_format == "channels_first" else -1


_STEPS: dict[str, Callable[[Any], tuple[Linear, ...]]] = {
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Dense": _dense,
    "Conv1d": partial(_torch, dense=False),
    "Conv2d": partial(_torch, dense=False),
    "Conv3d": partial(_torch, dense=False),
    "Linear": partial(_torch, dense=True),
}
