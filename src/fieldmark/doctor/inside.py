"""What a recorded pass shows: where the first weights are, what stands before them, which statistics training left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldmark.classifier.taps import split_call

if TYPE_CHECKING:
    from fieldmark.classifier.subject import Call, Record

NORMALISING = ("Normalization",)  # Keras's layer with a mean and variance of its own
PREPARING = ("Rescaling", "Resizing", "CenterCrop", "Normalize", *NORMALISING)
# Layers that only differ while a model is trained.
IDLE = ("random", "dropout", "noise", "augment", "flip", "identity")
MEANINGLESS = 1e-2  # of the median: a channel whose gamma is this small says nothing about what came in


@dataclass(frozen=True, eq=False)
class Norm:
    """The first layer with stored statistics: its name, and what its output is made of (channels,)."""

    name: str
    kind: str
    gamma: np.ndarray
    beta: np.ndarray
    stored: np.ndarray  # by how much epsilon makes the output less than standard: the root of variance / (it + epsilon)

    @property
    def telling(self) -> np.ndarray:
        """Bool (channels,): where the output says what the input was."""
        size = np.abs(self.gamma)
        return np.asarray(size > MEANINGLESS * np.median(size)) & (size > 0)


@dataclass(frozen=True, eq=False)
class Inside:
    """What a recorded pass shows.

    first      the first layer with weights, or None
    before     (name, kind) of the layers before it that act on the image, those that only train included
    norm       the first normalisation with statistics that training left, or None
    untrained  all normalisations hold the statistics they began with
    relus      the names of ReLU calls
    leaves     every call of a layer without layers of its own
    """

    first: str | None
    before: tuple[tuple[str, str], ...]
    norm: Norm | None
    untrained: bool
    relus: tuple[str, ...]
    leaves: tuple[str, ...]


def look_inside(record: Record) -> Inside:
    """Read a recorded pass."""
    from fieldmark.classifier.guided import is_relu

    calls = leaf_calls(record)
    first = next((i for i, call in enumerate(calls) if _weighted(call)), None)
    stored = [call for call in calls if statistics(call) is not None]
    trained = [call for call in stored if not _initial(call)]
    return Inside(
        first=None if first is None else calls[first].name,
        before=tuple((call.name, call.kind) for call in calls[:first]),
        norm=_norm(trained[0]) if trained else None,
        untrained=bool(stored) and not trained,
        relus=tuple(call.name for call in calls if is_relu(call.layer)),
        leaves=tuple(call.name for call in calls),
    )


def leaf_calls(record: Record) -> list[Call]:
    """The calls of layers that hold no other layer that was called, in order."""
    parents = set()
    for call in record.calls:
        name = split_call(call.name)[0]
        parents |= {name[:i] for i, letter in enumerate(name) if letter in "/."}
    return [call for call in record.calls if split_call(call.name)[0] not in parents]


def statistics(call: Call) -> tuple[np.ndarray, np.ndarray] | None:
    """(mean, variance) that a normalisation stores; None for any other layer."""
    layer = call.layer
    pairs: tuple[tuple[str, str], ...] = (("moving_mean", "moving_variance"), ("running_mean", "running_var"))
    if call.kind in NORMALISING:
        pairs = (("mean", "variance"), *pairs)
    for mean, variance in pairs:
        found = getattr(layer, mean, None), getattr(layer, variance, None)
        if found[0] is not None and found[1] is not None:
            return _array(found[0]).ravel(), _array(found[1]).ravel()
    return None


def _initial(call: Call) -> bool:
    found = statistics(call)
    assert found is not None
    return bool(np.all(found[0] == 0) and np.all(found[1] == 1))


def _norm(call: Call) -> Norm:
    found = statistics(call)
    assert found is not None
    size = len(found[0])
    layer = call.layer
    gamma = next((getattr(layer, n) for n in ("gamma", "weight") if getattr(layer, n, None) is not None), None)
    beta = next((getattr(layer, n) for n in ("beta", "bias") if getattr(layer, n, None) is not None), None)
    epsilon = next((float(getattr(layer, n)) for n in ("epsilon", "eps") if getattr(layer, n, None) is not None), 0.0)
    variance = np.maximum(found[1].astype(np.float64), np.finfo(np.float32).tiny)
    return Norm(
        call.name,
        call.kind,
        np.ones(size, np.float32) if gamma is None else _array(gamma).ravel(),
        np.zeros(size, np.float32) if beta is None else _array(beta).ravel(),
        np.sqrt(variance / (variance + epsilon)).astype(np.float32),
    )


def _weighted(call: Call) -> bool:
    if call.kind in PREPARING or any(word in call.kind.lower() for word in IDLE):
        return False
    layer = call.layer
    weights = getattr(layer, "weights", None)
    if weights is None or not hasattr(weights, "__len__"):
        weights = list(layer.parameters(recurse=False)) if hasattr(layer, "parameters") else ()
    return len(weights) > 0


def _array(value: Any) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value), dtype=np.float32)
