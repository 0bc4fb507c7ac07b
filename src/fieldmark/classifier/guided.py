"""Guided backpropagation as a surgery: behind every ReLU only what is positive travels on backwards."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldmark.classifier.taps import split_call, tapped
from fieldmark.errors import ModelError

if TYPE_CHECKING:
    from fieldmark.classifier.classifier import Classifier

RELU = ("relu", "relu6")


@dataclass(frozen=True)
class Guided:
    """A pass in which the gradient that arrives at each of these calls' outputs is clipped at zero.

    functions  the same for ReLUs that a torch module calls as functions
    """

    calls: tuple[str, ...]
    functions: bool = False

    def call(self, subject: Any, x: Any) -> Any:
        from fieldmark.classifier import autodiff

        clipped = _clipped()

        def change(name: str, _args: Any, result: Any) -> Any:
            return clipped(result) if name.rstrip("_") in RELU else result

        watching = autodiff.functions_changed(change) if self.functions else nullcontext()
        with tapped(subject.layers, subject.method, dict.fromkeys(self.calls, clipped)), watching:
            return subject.call(x)


def guided(classifier: Classifier) -> Guided:
    """The surgery for every ReLU of a model, each call of a reused one too, and those that are functions of torch.

    Raises ModelError for a model without a ReLU.
    """
    from fieldmark.classifier.subject import refuse_opaque  # imports Keras

    refuse_opaque(classifier.subject)
    layers = classifier.subject.layers
    calls = tuple(info.name for info in classifier.layers() if is_relu(layers[split_call(info.name)[0]]))
    is_torch = classifier.subject.method == "forward"
    functions = is_torch and bool(_functions(classifier) & set(RELU))
    if not calls and not functions:
        raise ModelError(
            f"model {classifier.name!r} has no ReLU layer: guided backpropagation is defined for ReLU networks; "
            "use Gradients or SmoothGrad, or make each ReLU a layer of its own"
        )
    return Guided(calls, functions)


def _functions(classifier: Classifier) -> set[str]:
    """The names of the functions on tensors that one pass of a torch module calls, wherever."""
    from keras import ops

    from fieldmark.classifier import autodiff

    names: set[str] = set()
    channels_last = classifier.shape_seen
    x = ops.zeros((1, channels_last[-1], *channels_last[:-1]))
    with (
        classifier.subject.inference(),
        autodiff.quiet(),
        autodiff.functions_called(lambda name, _args, _result: names.add(name.rstrip("_"))),
    ):
        classifier.subject.call(x)
    return names


def is_relu(layer: Any) -> bool:
    """Whether a layer's output is a ReLU's, with an upper limit or without: a layer, an operation, or fused."""
    kind = type(layer).__name__.lower()
    if kind in RELU:
        return not getattr(layer, "negative_slope", 0) and not getattr(layer, "threshold", 0)
    own = type(layer).__module__.startswith("keras.")  # what a user's layer does with its `activation` is not known
    return own and getattr(getattr(layer, "activation", None), "__name__", "") in RELU


def _clipped() -> Any:
    """A function that returns its argument, and backwards keeps what is positive."""
    from keras import ops

    @ops.custom_gradient
    def rule(value: Any) -> Any:
        def backward(*arguments: Any, upstream: Any = None) -> Any:
            return ops.maximum(arguments[0] if upstream is None else upstream, 0)

        return value + 0, backward  # a tensor of its own, so that a layer that works in place may follow

    return rule
