"""What the engine asks of a model, whatever framework it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from fieldmark.classifier import autodiff
from fieldmark.classifier.taps import patched
from fieldmark.errors import FieldmarkError, ModelError

SOFTMAX, SIGMOID, LINEAR = "softmax", "sigmoid", "linear"


@dataclass(frozen=True, eq=False)
class Weight:
    """One array of a model, trained or kept (a running mean): read it, or write one of the same shape in its place."""

    read: Callable[[], np.ndarray]
    write: Callable[[np.ndarray], Any]


class Subject(Protocol):
    """A model that can be called, tapped and listed."""

    name: str
    method: str  # the attribute of a layer that a tap replaces
    opaque: bool  # a bare function: nothing to trace, tap or differentiate
    channels_first: bool  # whether it eats (n, c, h, w)
    places: int  # axes beside the channels: 1 for signals, 2 for images, 3 for volumes
    flat: bool  # whether it eats grey images without an axis for the channels
    input_shape: tuple[int | None, ...] | None  # (h, w, c), or None where the model does not say
    layers: Mapping[str, Any]  # every layer at every depth by its path, in the order of definition

    @property
    def variables(self) -> Sequence[Any]:
        """What a compiled call must be handed anew, where compiling would freeze it."""
        ...

    @property
    def built(self) -> bool:
        """Whether a call only computes; False where the first call makes layers and weights."""
        ...

    def call(self, x: Any) -> Any:
        """The raw output structure for a batch in the model's own layout, in inference mode."""
        ...

    def kind(self, layer: Any) -> str:
        """The name of the layer's type."""
        ...

    def layout(self, kind: str) -> bool:
        """Whether layers of this type put the channels first."""
        ...

    def fix(self, values: Mapping[str, Any]) -> None:
        """Hold inputs other than the image at these values, one image's each."""
        ...

    def head(self, layer: Any) -> tuple[str, Mapping[str, Any]] | None:
        """(softmax/sigmoid/linear, the attributes to set on this layer to see behind it), None if it is no head."""
        ...

    def inference(self) -> AbstractContextManager[None]:
        """Everything in inference mode for the length of a call; put back after."""
        ...

    def weights(self) -> Mapping[str, Sequence[Weight]]:
        """The floating-point numbers that each layer holds itself, by its path; "" holds what no layer does."""
        ...


_CONVOLUTION = re.compile(r"conv.*?([123])d", re.IGNORECASE)
_SEQUENCES = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN")


def places_of(kinds: Sequence[str], shape: Sequence[int | None] | None) -> int:
    """1 for a model of signals (n, l, c), 2 of images, 3 of volumes: by its input, else by its first convolution.

    An input with as many axes as that convolution moves along has none for the channels; one of two axes is a grey
    image, unless the model convolves in 1D or is recurrent.
    """
    found = (_CONVOLUTION.search(kind) for kind in kinds)
    rank = next((int(match.group(1)) for match in found if match), 0)
    if shape is None or len(shape) not in (2, 3, 4):
        return rank or 2
    if rank == len(shape):
        return rank
    recurrent = any(kind in _SEQUENCES for kind in kinds)
    return 2 if len(shape) == 2 and rank != 1 and not recurrent else len(shape) - 1


# The methods that ask for nothing but predictions; a test compares this with what every explainer does.
PREDICTION_ONLY = ("Occlusion", "RISE", "LIME", "KernelSHAP", "Sobol", "HSIC")


def refuse_opaque(subject: Subject) -> None:
    """Raise ModelError for a bare function, which has no layers and no gradients."""
    if subject.opaque:
        raise ModelError(
            f"model {subject.name!r} is a bare prediction function, without layers or gradients; these methods work: "
            + ", ".join(PREDICTION_ONLY)
        )


@dataclass(frozen=True)
class Call:
    """One call of one layer during a forward pass, in order of completion; tensors are only good for identity."""

    name: str
    layer: Any
    kind: str
    shape: tuple[int, ...]
    output: Any
    arguments: Any = ((), {})  # args, kwargs

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The arguments, whatever structure they came in."""
        return tuple(keras.tree.flatten(self.arguments))


@dataclass(frozen=True)
class Record:
    """A forward pass: every layer call, the output structure, and what went in."""

    calls: tuple[Call, ...]
    output: Any
    input: Any = None


def record(subject: Subject, shape: tuple[int, ...]) -> Record:
    """Run `subject` on one input of `shape` (channels last, no batch axis), noting every layer call."""
    calls: list[Call] = []
    counts: dict[str, int] = {}
    ends: list[Any] = []

    @contextmanager
    def noting(name: str, layer: Any) -> Iterator[None]:
        original = getattr(layer, subject.method)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            output = original(*args, **kwargs)
            counts[name] = counts.get(name, 0) + 1
            numbered = name if counts[name] == 1 else f"{name}#{counts[name]}"
            if hasattr(output, "shape"):
                dims = tuple(int(d) if d is not None else -1 for d in output.shape[1:])
                calls.append(Call(numbered, layer, subject.kind(layer), dims, output, (args, kwargs)))
            return output

        with patched(layer, subject.method, wrapper):
            yield

    def run(x: Any) -> Any:
        calls.clear()
        counts.clear()
        ends.clear()
        with ExitStack() as stack:
            for name, layer in subject.layers.items():
                stack.enter_context(noting(name, layer))
            ends.extend((subject.call(x), x))
        return 0

    sides = {2: "length, ", 3: "height, width, ", 4: "depth, height, width, "}.get(len(shape), "")
    fed = (shape[-1], *shape[:-1]) if subject.channels_first else shape
    try:
        with autodiff.quiet(), subject.inference():
            if not subject.built:  # outside of any trace; building may call layers several times, which is no pass
                subject.call(keras.ops.zeros((1, *fed), "float32"))
            if subject.opaque:
                run(keras.ops.zeros((1, *fed), "float32"))
            else:
                autodiff.dry_run(run, (1, *fed))
    except FieldmarkError:
        raise
    except Exception as error:
        raise ModelError(
            f"model {subject.name!r} cannot be called on one image of shape {shape} ({sides}channels): "
            f"{_first_line(error)}"
        ) from error
    return Record(tuple(calls), *ends)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
