"""What the engine asks of a model, whatever framework it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import keras

from fieldmark.classifier import autodiff
from fieldmark.classifier.taps import patched
from fieldmark.errors import FieldmarkError, ModelError

SOFTMAX, SIGMOID, LINEAR = "softmax", "sigmoid", "linear"


class Subject(Protocol):
    """A model that can be called, tapped and listed."""

    name: str
    method: str  # the attribute of a layer that a tap replaces
    opaque: bool  # a bare function: nothing to trace, tap or differentiate
    channels_first: bool  # whether it eats and makes (n, c, h, w)
    input_shape: tuple[int | None, ...] | None  # (h, w, c), or None where the model does not say
    layers: Mapping[str, Any]  # every layer at every depth by its path, in the order of definition

    @property
    def variables(self) -> Sequence[Any]:
        """What a compiled call must be handed anew, where compiling would freeze it."""
        ...

    def call(self, x: Any) -> Any:
        """The raw output structure for a batch in the model's own layout, in inference mode."""
        ...

    def kind(self, layer: Any) -> str:
        """The name of the layer's type."""
        ...

    def head(self, layer: Any) -> tuple[str, Mapping[str, Any]] | None:
        """(softmax/sigmoid/linear, the attributes to set on this layer to see behind it), None if it is no head."""
        ...

    def inference(self) -> AbstractContextManager[None]:
        """Everything in inference mode for the length of a call; put back after."""
        ...


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

    fed = (shape[-1], *shape[:-1]) if subject.channels_first else shape
    try:
        with autodiff.quiet(), subject.inference():
            if subject.opaque:
                run(keras.ops.zeros((1, *fed), "float32"))
            else:
                autodiff.dry_run(run, (1, *fed))
    except FieldmarkError:
        raise
    except Exception as error:
        raise ModelError(
            f"model {subject.name!r} cannot be called on one image of shape {shape} (height, width, channels): "
            f"{_first_line(error)}"
        ) from error
    return Record(tuple(calls), *ends)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
