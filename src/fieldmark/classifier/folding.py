"""Batch normalisation merged into the convolution before it, for the length of a pass: fewer steps, same function.

Only what can be proved from the recorded pass is folded: a plain convolution whose output goes to one batch
normalisation over the channels and nowhere else, each called once. The engine compares the folded pass with the model
on real input before it relies on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from fieldmark.classifier.linear import affine, linear_steps
from fieldmark.classifier.subject import Call, Record, Subject
from fieldmark.classifier.taps import surrounded

Pair = tuple[str, str]  # names of the convolution and of the normalisation

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "Conv2d")
_LIBRARIES = ("keras.", "torch.nn.")


def find_pairs(subject: Subject, record: Record) -> tuple[Pair, ...]:
    """The pairs that may be folded, in the order of the pass."""
    times = [id(call.layer) for call in record.calls]
    pairs = []
    for norm in record.calls:
        if affine(norm.layer, norm.kind) is None or not norm.inputs:
            continue
        makers = [call for call in record.calls if call.output is norm.inputs[0]]
        takers = [call for call in record.calls if any(value is norm.inputs[0] for value in call.inputs)]
        alone = len(makers) == 1 and len(takers) == 1 and times.count(id(norm.layer)) == 1
        if alone and times.count(id(makers[0].layer)) == 1 and _foldable(makers[0], norm):
            pairs.append((makers[0].name, norm.name))
    return tuple(pairs)


def folded(subject: Subject, pairs: Sequence[Pair]) -> AbstractContextManager[None]:
    """Within the context each pair is one convolution; the normalisation passes its input on."""
    functions: dict[str, Any] = {}
    for convolution, norm in pairs:
        functions[convolution] = _merged(subject, subject.layers[convolution], subject.layers[norm])
        functions[norm] = lambda _original, x, *_args, **_kwargs: x
    return surrounded(subject.layers, subject.method, functions)


def _merged(subject: Subject, convolution: Any, norm: Any) -> Any:
    def call(_original: Any, x: Any) -> Any:
        (step,) = linear_steps(convolution, subject.kind(convolution))
        scale_shift = affine(norm, subject.kind(norm))
        assert scale_shift is not None
        step = step.then(*scale_shift)
        return step.apply(x, step.weights) + step.along(step.bias, len(x.shape))

    return call


def _foldable(convolution: Call, norm: Call) -> bool:
    layer = convolution.layer
    if convolution.kind not in _CONVOLUTIONS or not _own(layer) or not _own(norm.layer):
        return False
    if getattr(getattr(layer, "activation", None), "__name__", "linear") != "linear":
        return False
    if (
        getattr(layer, "compute_dtype", "float32") != "float32"
        or getattr(norm.layer, "compute_dtype", "float32") != "float32"
    ):
        return False
    rank = len(norm.shape) + 1
    channels = 1 if getattr(layer, "data_format", "channels_first") == "channels_first" else rank - 1
    return int(getattr(norm.layer, "axis", 1)) % rank == channels


def _own(layer: Any) -> bool:
    """Whether the layer is the library's own class: a subclass may compute anything."""
    return type(layer).__module__.startswith(_LIBRARIES)
