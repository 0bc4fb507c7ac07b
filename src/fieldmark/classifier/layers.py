"""List a model's layers, find one by name, choose the one that class activation maps are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from markupsafe import Markup

from fieldmark import notebook
from fieldmark.classifier.layout import PLAIN, Grid, Layout, grids
from fieldmark.classifier.subject import Call, Record, Subject
from fieldmark.classifier.taps import split_call
from fieldmark.errors import LayerError, unknown

STEPS_OVER = ("pool", "dropout", "flatten", "pad", "crop")

Reaching = Callable[[Sequence[str]], Sequence[bool]]


@dataclass(frozen=True)
class LayerInfo:
    """One layer call: its path, type, output shape without batch (channels last), and whether CAMs use it by default.

    A layer that is called twice is listed twice: `name` and `name#2`. The tokens of a transformer whose grid is known
    count as the feature map (h, w, c) that they are.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    spatial: bool
    chosen: bool = False
    layout: Layout = PLAIN
    unsettled: tuple[Grid, ...] | None = None  # tokens that may lie in any of these grids, or in none known

    @property
    def is_tokens(self) -> bool:
        return self.layout.grid is not None


def list_layers(
    record: Record, subject: Subject, image: tuple[int, ...], tokens: Grid | None = None
) -> list[LayerInfo]:
    """Every layer call in order of completion, for images of this shape (channels last).

    tokens  the grid of a transformer's tokens where the user said it; else it is read off their number
    """
    infos: list[LayerInfo] = []
    maps: list[tuple[int, ...]] = []
    counts: set[int] = set()  # of tokens, met so far
    for call in record.calls:
        info = _info(call, subject, tuple(image[:-1]), maps, tokens)
        if info.is_tokens or _is_unsettled(info):
            counts.add(call.shape[0])
        elif info.spatial and counts & set(info.shape[:-1]):
            info = replace(info, spatial=False)  # within attention: (heads, tokens, ...)
        elif info.spatial:
            maps.append(info.shape[:-1])
        infos.append(info)
    return infos


def _info(
    call: Call, subject: Subject, image: tuple[int, ...], maps: list[tuple[int, ...]], given: Grid | None
) -> LayerInfo:
    name, kind, shape, axes = call.name, call.kind, call.shape, subject.places
    whole = call.output.shape[0] in (1, None)  # windows and sequences of crops come as more rows than images
    if len(shape) == axes + 1:
        first = subject.layout(kind)
        shape = (*shape[1:], shape[0]) if first else shape
        return LayerInfo(name, kind, shape, whole and prod(shape[:-1]) > 1, layout=Layout(channels_first=first))
    if len(shape) != 2 or axes < 2 or not whole or shape[0] < 2:
        return LayerInfo(name, kind, shape, False)
    found = grids(shape[0], image, maps) if given is None else [given] if given.tokens == shape[0] else []
    if len(found) == 1:
        return LayerInfo(name, kind, (*found[0].places, shape[1]), True, layout=Layout(grid=found[0]))
    return LayerInfo(name, kind, shape, False, unsettled=tuple(found))


def choose_layer(layers: Sequence[LayerInfo], model: str, reaching: Reaching | None = None) -> tuple[str, str]:
    """(name, reason): the last spatial feature map before pooling or flattening.

    Pooling, padding and dropout at the very end are stepped over; maps before the first convolution do not count. In
    a transformer it is the last normalisation whose patches still reach the score, which `reaching` tells of names:
    behind the last attention only the class token may be read.
    Raises LayerError for a model without one, and says which methods work.
    """
    first = next((i for i, layer in enumerate(layers) if _convolves(layer) or layer.is_tokens), len(layers))
    own = [i for i in range(first, len(layers)) if layers[i].spatial]
    own = [i for i in own if not _steps_over(layers[i]) and not _contains(layers, i)]
    maps = [i for i in own if not layers[i].is_tokens]
    after = maps[-1] if maps else -1
    refuse_unsettled(layers[after + 1 :], model)
    tokens = [layers[i] for i in own if i > after]
    if tokens and (not maps or any(map(_normalises, tokens))):
        return _choose_tokens(tokens, reaching)
    if not maps:
        raise LayerError(
            f"model {model!r} has no spatial layer: expected a convolution whose output is (height, width, channels) "
            "with more than one pixel; class activation maps cannot be made, methods at the input (Gradients) work"
        )
    chosen = layers[after]
    then = next((layers[i].kind for i in range(after + 1, len(layers)) if not _contains(layers, i)), "the output")
    size = " x ".join(map(str, chosen.shape[:-1]))
    return chosen.name, f"last spatial feature map ({size}, {chosen.shape[-1]} channels), before {then}"


def _choose_tokens(layers: Sequence[LayerInfo], reaching: Reaching | None) -> tuple[str, str]:
    """The last normalisation that reaches the score, else the last layer of any kind that does."""

    def reached(some: Sequence[LayerInfo]) -> list[LayerInfo]:
        told = reaching([layer.name for layer in some]) if reaching and some else [True] * len(some)
        return [layer for layer, reaches in zip(some, told, strict=True) if reaches]

    chosen = (reached([layer for layer in layers if _normalises(layer)]) or reached(layers) or list(layers))[-1]
    grid = chosen.layout.grid
    assert grid is not None
    what = "normalisation" if _normalises(chosen) else "layer"
    prefix = f", {grid.prefix} other token(s) before them" if grid.prefix else ""
    size = " x ".join(map(str, grid.places))
    return chosen.name, f"last {what} whose patches reach the score ({size} tokens{prefix})"


def refuse_unsettled(layers: Sequence[LayerInfo], model: str) -> None:
    """Raise LayerError where layers normalise tokens twice or more, as transformers do, and no grid is certain."""
    found = [layer for layer in layers if _is_unsettled(layer)]
    if len(found) < 2 or any(layer.is_tokens and _normalises(layer) for layer in layers):
        return
    may = " or ".join(map(str, found[-1].unsettled or ())) or "none that fits the image"
    raise LayerError(
        f"model {model!r} has {found[-1].shape[0]} tokens: expected patches in a grid, after a few other tokens "
        f"at most, found {may}; say which: Classifier(model, tokens=(height, width, tokens before them))"
    )


class Layers(list[LayerInfo]):
    """A list of layers that a notebook shows as a table, the one that CAMs use in bold."""

    def _repr_html_(self) -> str:
        rows = [
            (
                Markup("<b>{}</b>").format(layer.name) if layer.chosen else layer.name,
                layer.kind,
                " x ".join(map(str, layer.shape)),
                "class activation maps" if layer.chosen else "map" if layer.spatial else "",
            )
            for layer in self
        ]
        return notebook.block(notebook.table(("layer", "kind", "output", "used for"), rows, most=400))


def mark_chosen(layers: Sequence[LayerInfo], name: str) -> Layers:
    return Layers(replace(layer, chosen=layer.name == name) for layer in layers)


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


def require_spatial(layer: LayerInfo, layers: Sequence[LayerInfo], places: int = 2) -> None:
    """Raise LayerError unless the layer's output is a feature map (height, width, channels)."""
    if len(layer.shape) == places + 1:
        return
    valid = ", ".join(other.name for other in [other for other in layers if other.spatial][:-7:-1])
    wanted = {1: "length", 2: "height, width", 3: "depth, height, width"}[places]
    raise LayerError(
        f"layer {layer.name!r}: expected a feature map ({wanted}, channels), received an output of shape "
        f"{layer.shape}; " + (f"the last ones that are: {valid}" if valid else "this model has none")
    )


def _is_unsettled(layer: LayerInfo) -> bool:
    """Whether these are tokens whose grid is not known: rows that a layer normalises, as transformers do."""
    return layer.unsettled is not None and "layernorm" in layer.kind.lower()


def _convolves(layer: LayerInfo) -> bool:
    return "conv" in layer.kind.lower()


def _normalises(layer: LayerInfo) -> bool:
    return "norm" in layer.kind.lower()


def _steps_over(layer: LayerInfo) -> bool:
    return any(word in layer.kind.lower() for word in STEPS_OVER)


def _contains(layers: Sequence[LayerInfo], index: int) -> bool:
    """Whether the call is of a container: one that completes after calls whose path lies under it."""
    base = split_call(layers[index].name)[0]
    return any(layer.name.startswith((base + "/", base + ".")) for layer in layers[:index])
