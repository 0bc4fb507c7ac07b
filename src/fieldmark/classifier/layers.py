"""List a model's layers, find one by name, choose the one that class activation maps are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fieldmark.classifier.subject import Record
from fieldmark.classifier.taps import split_call
from fieldmark.errors import LayerError, unknown


@dataclass(frozen=True)
class LayerInfo:
    """One layer call: its path, type, output shape without batch (channels last), and whether CAMs use it by default.

    A layer that is called twice is listed twice: `name` and `name#2`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    spatial: bool
    chosen: bool = False


def list_layers(record: Record, channels_first: bool) -> list[LayerInfo]:
    """Every layer call in order of completion."""
    infos = []
    for call in record.calls:
        shape = (*call.shape[1:], call.shape[0]) if channels_first and len(call.shape) == 3 else call.shape
        infos.append(LayerInfo(call.name, call.kind, shape, _is_spatial(shape)))
    return infos


def _is_spatial(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] * shape[1] > 1


def choose_layer(layers: Sequence[LayerInfo], model: str) -> tuple[str, str]:
    """(name, reason): the last spatial feature map before pooling or flattening.

    Pooling and dropout at the very end are stepped over; maps before the first convolution do not count.
    Raises LayerError for a model without one, and says which methods work.
    """
    first = next((i for i, layer in enumerate(layers) if _convolves(layer)), len(layers))
    spatial = [i for i in range(first, len(layers)) if layers[i].spatial]
    own = [i for i in spatial if not _steps_over(layers[i]) and not _contains(layers, i)]
    if not own:
        raise LayerError(
            f"model {model!r} has no spatial layer: expected a convolution whose output is (height, width, channels) "
            "with more than one pixel; class activation maps cannot be made, methods at the input (Gradients) work"
        )
    chosen = layers[own[-1]]
    after = next((layers[i].kind for i in range(own[-1] + 1, len(layers)) if not _contains(layers, i)), "the output")
    h, w, c = chosen.shape
    return chosen.name, f"last spatial feature map ({h} x {w}, {c} channels), before {after}"


def mark_chosen(layers: Sequence[LayerInfo], name: str) -> list[LayerInfo]:
    return [replace(layer, chosen=layer.name == name) for layer in layers]


def find_layer(layers: Sequence[LayerInfo], name: str, model: str) -> LayerInfo:
    """The layer of that path; the last part of a path is enough where it is unique. Raises LayerError otherwise."""
    by_name = {layer.name: layer for layer in layers}
    if name in by_name:
        return by_name[name]
    base, number = split_call(name)
    ends = [layer for layer in layers if layer.name == name or layer.name.endswith("/" + name)]
    if len(ends) == 1:
        return ends[0]
    if len(ends) > 1:
        raise LayerError(f"layer {name!r} is ambiguous in model {model!r}: {', '.join(e.name for e in ends)}")
    if base in by_name and number > 1:
        times = sum(split_call(layer.name)[0] == base for layer in layers)
        raise LayerError(f"layer {name!r}: {base!r} is called {times} time(s) in model {model!r}")
    raise LayerError(unknown(f"layer in model {model!r}", name, [layer.name for layer in reversed(layers)]))


def require_spatial(layer: LayerInfo, layers: Sequence[LayerInfo]) -> None:
    """Raise LayerError unless the layer's output is a feature map (height, width, channels)."""
    if len(layer.shape) == 3:
        return
    valid = ", ".join(other.name for other in [other for other in layers if other.spatial][:-7:-1])
    raise LayerError(
        f"layer {layer.name!r}: expected a feature map (height, width, channels), received an output of shape "
        f"{layer.shape}; " + (f"the last ones that are: {valid}" if valid else "this model has none")
    )


def _convolves(layer: LayerInfo) -> bool:
    return "conv" in layer.kind.lower()


def _steps_over(layer: LayerInfo) -> bool:
    return any(word in layer.kind.lower() for word in ("pool", "dropout", "flatten"))


def _contains(layers: Sequence[LayerInfo], index: int) -> bool:
    """Whether the call is of a container: one that completes after calls whose path lies under it."""
    base = split_call(layers[index].name)[0]
    return any(layer.name.startswith((base + "/", base + ".")) for layer in layers[:index])
