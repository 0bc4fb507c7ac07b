"""Pure arithmetic of relevance: tensors of one value and another gradient, and what each input contributes."""

from __future__ import annotations

from math import prod
from typing import Any

from keras import ops

from fieldmark.classifier.linear import Linear


def contributions(step: Linear, x: Any, sign: int, positive: bool) -> Any:
    """The sum of the contributions x w of one sign."""
    towards, away = ops.relu(step.weights), -ops.relu(-step.weights)
    if sign < 0:
        towards, away = away, towards
    counted = step.apply(ops.relu(x), towards)
    return counted if positive else counted + step.apply(-ops.relu(-x), away)


def ratio(value: Any, by: Any, epsilon: float) -> Any:
    """value / (by + epsilon sign(by)) as a constant; 0 where that is a division by zero."""
    stable = by + ops.where(by < 0, -epsilon, epsilon)
    zero = stable == 0
    return ops.stop_gradient(ops.where(zero, 0.0, value / ops.where(zero, 1.0, stable)))


def valued(value: Any, carrier: Any) -> Any:
    """A tensor with this value and the gradient of `carrier`."""
    return ops.stop_gradient(value) + (carrier - ops.stop_gradient(carrier))


def one(x: Any) -> Any:
    """Ones that pass their gradient on to x."""
    return 1 + (x - ops.stop_gradient(x))


def entered(x: Any) -> Any:
    """x, whose gradient becomes x times gradient: from what comes back to R itself."""
    return ops.stop_gradient(x) * one(x)


def gate(inputs: list[Any], value: Any) -> Any:
    """`value`, the product of a map and a smaller tensor, its gate, with the gate as a constant weight.

    The map's share is all of it, the gate's nothing [arras2017]. None for two tensors of the same size.
    """
    sizes = [prod(int(side) for side in tensor.shape[1:]) for tensor in inputs]
    if sizes[0] == sizes[1]:
        return None
    signal, weight = inputs if sizes[0] > sizes[1] else reversed(inputs)
    return valued(value, signal * ops.stop_gradient(weight))
