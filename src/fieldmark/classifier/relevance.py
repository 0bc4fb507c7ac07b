"""Layer-wise relevance propagation as one backward pass: layers with the same output and another gradient.

Relevance is carried as R = y g, g being what the backward pass brings to a layer's output y. A layer is exchanged for
one of equal value whose derivative sends back the g of its rule: y becomes P stop(y / (P + b)), where P are the
contributions that the rule counts and b the bias that it counts with them; then x g is each input's share of R. Sums,
pooling and concatenation share relevance out by themselves that way. At the first weighted layer R itself is sent
back instead of g, so that the gradient at the input is the relevance, also where the input is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import ops

from fieldmark.classifier import autodiff
from fieldmark.classifier.linear import Linear, affine, linear_steps
from fieldmark.classifier.shares import contributions, entered, gate, one, ratio, valued
from fieldmark.classifier.subject import Subject
from fieldmark.classifier.taps import surrounded
from fieldmark.errors import LayerError

RULES = ("epsilon", "z_plus", "alpha_beta")
FLAT = "flat"
_LIBRARIES = ("keras.", "torch.nn.")
STABILISER = 1e-6  # added to the denominators of z-plus, alpha-beta and flat

# Elementwise: relevance passes through unchanged. By layer type and by the name of an activation function.
_ACTIVATIONS = {
    *("ReLU", "LeakyReLU", "PReLU", "ELU", "Activation"),  # Keras layers
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "HardSilu", "HardSigmoid", "HardTanh"),
    *("Mish", "Softplus", "Softsign", "Sigmoid", "Tanh"),  # operations of Keras, and torch modules
    *("ReLU6", "SELU", "CELU", "GELU", "SiLU", "Hardswish", "Hardsigmoid", "Hardtanh"),
}
_FUNCTIONS = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "hard_silu"),
    *("hard_swish", "hard_sigmoid", "hard_tanh", "mish", "softplus", "softsign", "sigmoid", "tanh"),
}
# Where the input only moves: the relevance of pixels goes through as it is.
_MOVES = {
    *("ZeroPadding2D", "Cropping2D", "Flatten", "Reshape", "Permute", "Transpose", "Squeeze", "ExpandDims", "Identity"),
    *("ZeroPad2d", "Unflatten"),
    *("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "Dropout1d", "Dropout2d", "AlphaDropout"),
}
# Linear without weights, or the largest takes all: x g is the share already.
_SHARES = {
    *(f"{how}Pooling{rank}D" for how in ("Max", "Average", "GlobalAverage", "GlobalMax") for rank in (1, 2, 3)),
    *(f"{how}Pool{rank}d" for how in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax") for rank in (1, 2, 3)),
    *("Add", "Average", "Subtract", "Concatenate", "Maximum", "Mean", "Sum", "UpSampling2D"),
}
_SCALES = {"Rescaling", "Normalization"}
# What a torch module's forward may call itself, with the same effect; in place or not.
_TORCH_FUNCTIONS = {
    *("add", "sub", "cat", "mean", "sum", "relu", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"),
    *("boolean_dispatch", "adaptive_max_pool2d", "flatten", "reshape", "view", "squeeze", "unsqueeze", "permute"),
    *("transpose", "contiguous", "dropout", "identity"),
}
_PRODUCTS = ("mul", "__mul__", "__rmul__")  # in place it would change the map that it shares relevance to


@dataclass(frozen=True)
class Relevance:
    """Which rule each kind of layer follows; an engine's `surgery`. The gradient at the input is the relevance.

    dense, convolution  one of RULES
    first               the same or "flat", for the weighted layers that read the input; None: as the others
    epsilon             the stabiliser of the epsilon rule
    alpha               the weight of positive contributions in alpha-beta; beta is alpha - 1
    bias                whether biases take their share in denominators

    Raises LayerError for a layer or step that no rule is known for.
    """

    dense: str
    convolution: str
    first: str | None = None
    epsilon: float = 1e-6
    alpha: float = 2.0
    bias: bool = True

    def call(self, subject: Subject, x: Any) -> Any:
        """`subject.call(x)` with every layer exchanged."""
        run = _Run(self, subject, x)
        watching = autodiff.functions_changed(run.called) if subject.method == "forward" else nullcontext()
        try:
            with surrounded(subject.layers, subject.method, run.exchanges()), watching:
                output = subject.call(x)
        except Exception:
            if run.error:
                raise run.error from None  # Keras adds lines to what is raised within a layer
            raise
        for value in _tensors(output):
            run.require_known("the model's output", value)
        return output


class _Run:
    """One pass: what is known of the tensors met so far, by identity."""

    def __init__(self, rules: Relevance, subject: Subject, x: Any) -> None:
        self.rules, self.subject = rules, subject
        self.error: LayerError | None = None
        self.known: dict[int, Any] = {id(x): x}  # made by a layer, or the input; kept alive so that ids stay theirs
        self.raw: set[int] = {id(x)}  # the input, moved or rescaled at most
        self.positive: set[int] = set()  # never negative
        self.maps: dict[int, tuple[Linear, Any]] = {}  # outputs of linear maps, with the map and its input
        self.strangers: dict[int, tuple[str, Any]] = {}  # results of functions without a rule
        self.inside = 0

    def exchanges(self) -> dict[str, Any]:
        """For each layer without parts of its own, what its calls become."""
        found: dict[str, Any] = {}
        leaf = ""
        separator = "." if self.subject.method == "forward" else "/"
        names = list(self.subject.layers)
        for index, (name, layer) in enumerate(self.subject.layers.items()):
            if leaf and name.startswith(leaf):
                continue  # a part of a layer that is exchanged whole
            kind = self.subject.kind(layer)
            if not type(layer).__module__.startswith(_LIBRARIES):
                kind += " of your own"  # its name says nothing about what it does
            has_parts = index + 1 < len(names) and names[index + 1].startswith(name + separator)
            if has_parts and not linear_steps(layer, kind):
                continue
            leaf = name + separator
            found[name] = partial(self.exchanged, name, layer, kind)
        return found

    def exchanged(self, name: str, layer: Any, kind: str, original: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = list(_tensors(args))
        self.inside += 1
        try:
            for value in inputs:
                self.require_known(f"layer {name!r}", value)
            output = self.surrogate(name, layer, kind, original, inputs, args, kwargs)
        finally:
            self.inside -= 1
        self.known[id(output)] = output
        return output

    def surrogate(
        self, name: str, layer: Any, kind: str, original: Any, inputs: list[Any], args: Any, kwargs: Any
    ) -> Any:
        x = inputs[0] if inputs else None
        steps = linear_steps(layer, kind)
        normalised = affine(layer, kind)
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if steps and activation in _FUNCTIONS:
            return self.linear(steps, x, original(*args, **kwargs), activation)
        if normalised is not None:
            return self.normalised(normalised, x, original(*args, **kwargs))
        if kind in _ACTIVATIONS and activation in _FUNCTIONS:
            return self.activated(kind, activation, x, original)
        single = len(inputs) == 1
        if kind in _SCALES or (single and kind in ("Add", "Subtract", "Multiply", "TrueDivide", "Divide")):
            output = original(*args, **kwargs)
            return self.moved(x, valued(output, x)) if id(x) in self.raw else output
        if kind == "Multiply" and len(inputs) == 2:
            return self.gated(f"layer {name!r} ({kind})", inputs, original(*args, **kwargs))
        if kind in _MOVES and single:
            return self.moved(x, original(*args, **kwargs))
        if kind in _SHARES:
            entered = keras.tree.map_structure(self.entered, args)
            output = original(*entered, **kwargs)
            if kind != "Subtract" and all(id(value) in self.positive for value in inputs):
                self.positive.add(id(output))
            return output
        output = original(*args, **kwargs)
        if single and output is x:
            return output  # such as a softmax that the engine looks behind
        self.refuse(f"layer {name!r} ({kind}): LRP has no rule for it; use a gradient method (IntegratedGradients)")

    # The rules

    def linear(self, steps: tuple[Linear, ...], x: Any, value: Any, activation: str) -> Any:
        direct = id(x) in self.raw
        for step in steps[:-1]:
            x = self.ruled(step, x, step.apply(x, step.weights), direct)
            direct = False
        output = self.ruled(steps[-1], x, value, direct)
        if activation == "linear":
            self.maps[id(output)] = (steps[-1], x)
        if activation in ("relu", "relu6", "sigmoid", "softplus"):
            self.positive.add(id(output))
        return output

    def normalised(self, of: tuple[Any, Any], x: Any, value: Any) -> Any:
        """Merged into the linear map before it; at the input like a rescaling; elsewhere a linear map of its own."""
        if id(x) in self.maps:
            step, fed = self.maps[id(x)]
            return self.ruled(step.then(*of), fed, value, id(fed) in self.raw)
        return self.moved(x, valued(value, x)) if id(x) in self.raw else value

    def activated(self, kind: str, activation: str, x: Any, original: Any) -> Any:
        x = self.entered(x)
        value = original(ops.copy(x))  # a copy, for activations that work in place
        output = valued(value, x * ratio(value, x, 1e-12))
        if {kind.lower(), activation} & {"relu", "relu6", "sigmoid", "softplus"} and kind != "PReLU":
            self.positive.add(id(output))
        return output

    def gated(self, who: str, inputs: list[Any], value: Any) -> Any:
        """A map times a gate, such as one number for each channel: the gate is a weight, the map takes all."""
        output = gate([self.entered(each) for each in inputs], value)
        if output is None:
            self.refuse(
                f"{who}: LRP has no rule for it where it multiplies two maps of one size, only for a gate that is "
                "smaller than its map; use a gradient method (IntegratedGradients)"
            )
        return output

    def ruled(self, step: Linear, x: Any, value: Any, direct: bool) -> Any:
        """A tensor of this value whose gradient is that of the rule of this map."""
        rules = self.rules
        rule = rules.dense if step.dense else rules.convolution
        if direct and rules.first:
            rule = rules.first
        if rule == FLAT:
            counted = step.apply(one(x), ops.ones_like(step.weights))
            return valued(value, counted * ratio(value, counted, STABILISER))
        positive = id(x) in self.positive
        if direct:
            x = entered(x)
        bias = ops.zeros(()) if step.bias is None or not rules.bias else step.along(step.bias, len(value.shape))
        if rule == "epsilon":
            counted = step.apply(x, step.weights)
            return valued(value, counted * ratio(value, counted + bias, rules.epsilon))
        raising = contributions(step, x, 1, positive)
        shared = raising * ratio(value, raising + ops.relu(bias), STABILISER)
        if rule == "alpha_beta":
            lowering = contributions(step, x, -1, positive)
            against = lowering * ratio(value, lowering - ops.relu(-bias), STABILISER)
            shared = rules.alpha * shared - (rules.alpha - 1) * against
        return valued(value, shared)

    # What is known of tensors

    def moved(self, x: Any, output: Any) -> Any:
        """Note that `output` is x in another place: raw if x is, never negative if x is."""
        for kept in (self.raw, self.positive):
            if id(x) in kept:
                kept.add(id(output))
        return output

    def entered(self, value: Any) -> Any:
        return entered(value) if id(value) in self.raw else value

    def called(self, name: str, args: Any, result: Any) -> Any:
        """What a torch function gives: its result, known where it shares relevance as it should, or a gate's."""
        if self.inside or not hasattr(result, "shape"):
            return result
        inputs = list(_tensors(args))
        if name in _PRODUCTS and len(inputs) == 2 and all(id(value) in self.known for value in inputs):
            gated = gate(inputs, result)
            if gated is not None:
                self.known[id(gated)] = gated
                return gated
        if name.strip("_").removeprefix("i") not in _TORCH_FUNCTIONS and name.strip("_") not in _TORCH_FUNCTIONS:
            self.strangers[id(result)] = (name, result)
        elif blamed := [self.strangers[id(value)] for value in inputs if id(value) in self.strangers]:
            self.strangers[id(result)] = (blamed[0][0], result)
        elif all(id(value) in self.known and id(value) not in self.raw for value in inputs):
            self.known[id(result)] = result
            if (all(id(value) in self.positive for value in inputs) and "sub" not in name) or name.startswith("relu"):
                self.positive.add(id(result))
        return result

    def require_known(self, who: str, value: Any) -> None:
        if id(value) in self.known:
            return
        maker = f"from {self.strangers[id(value)][0]}()" if id(value) in self.strangers else "from a step that is none"
        self.refuse(
            f"{who} comes {maker}: LRP goes from layer to layer; make that step a layer, or preprocess= outside"
        )

    def refuse(self, message: str) -> None:
        self.error = LayerError(message)
        raise self.error


def _tensors(values: Any) -> Iterator[Any]:
    for value in keras.tree.flatten(values):
        if hasattr(value, "shape") and hasattr(value, "dtype") and len(value.shape) > 1:
            yield value
