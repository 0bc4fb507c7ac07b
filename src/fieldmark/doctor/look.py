"""One pass over images that tells what comes in and out of a model's layers; only reductions leave the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.taps import split_call, surrounded
from fieldmark.doctor.inside import Inside

RELU = "relu "
AT_ONCE = 8  # images


@dataclass(frozen=True, eq=False)
class Look:
    """A pass whose layers act as they are, while `note` is told (name, first argument, output) of some calls."""

    names: Sequence[str]
    note: Callable[[str, Any, Any], None]

    def call(self, subject: Any, x: Any) -> Any:
        counts: dict[str, int] = {}

        def around(base: str) -> Callable[..., Any]:
            def function(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
                output = original(*args, **kwargs)
                counts[base] = counts.get(base, 0) + 1
                name = base if counts[base] == 1 else f"{base}#{counts[base]}"
                if name in self.names:
                    self.note(name, args[0] if args else next(iter(kwargs.values()), None), output)
                return output

            return function

        bases = {split_call(name)[0] for name in self.names}
        with surrounded(subject.layers, subject.method, {base: around(base) for base in bases}):
            return subject.call(x)


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass over images showed; every array has a row an image.

    scores     (n, classes)
    entering   what the first weights receive in the middle of the image (n, c), or None where that is no image
    low, high  (n,): its range
    mean, square  (n, channels): of what the normalisation took for standard normal, or None
    flat       bool (n, channels): channels of the chosen layer that are the same everywhere, or None
    silent     for each ReLU bool (n, channels): never above zero
    """

    scores: np.ndarray
    entering: np.ndarray | None
    low: np.ndarray | None
    high: np.ndarray | None
    mean: np.ndarray | None
    square: np.ndarray | None
    flat: np.ndarray | None
    silent: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Looker:
    """Looks again and again in the same way, compiled once; `forget` when it is done."""

    classifier: Classifier
    inside: Inside
    layer: str | None
    found: list[str] = field(default_factory=list)

    def __call__(self, x: np.ndarray) -> Seen:
        """One pass over x (n, h, w, c), as the model eats it."""
        passes = self.classifier.engine.passes
        chunks = [x[start : start + AT_ONCE] for start in range(0, len(x), AT_ONCE)]
        looked = []
        for chunk in chunks:  # all of one size, so that one compilation is enough
            full = np.concatenate([chunk, np.repeat(chunk[-1:], AT_ONCE - len(chunk), axis=0)])
            looked.append(passes.over_batches(self._key, self._traced, [full], "Looking inside"))
        values = (np.concatenate(column)[: len(x)] for column in zip(*looked, strict=True))
        known = dict(zip(self.found, values, strict=True))
        return Seen(
            scores=known["scores"],
            entering=known.get("entering"),
            low=known.get("low"),
            high=known.get("high"),
            mean=known.get("mean"),
            square=known.get("square"),
            flat=known["flat"] > 0 if "flat" in known else None,
            silent={name.removeprefix(RELU): each > 0 for name, each in known.items() if name.startswith(RELU)},
        )

    def forget(self) -> None:
        self.classifier.engine.passes.forget(self._key)

    @property
    def _key(self) -> tuple[str, Looker]:
        return ("doctor", self)

    def _traced(self, x: Any) -> tuple[Any, ...]:
        inside, engine = self.inside, self.classifier.engine
        out: dict[str, Any] = {}

        def note(name: str, entered: Any, output: Any) -> None:
            if name == inside.first and len(getattr(entered, "shape", ())) == self.classifier.subject.places + 2:
                out.update(self._entering(entered))
            if not hasattr(output, "shape"):
                return
            value = engine.layout(name).outward(output)
            if inside.norm is not None and name == inside.norm.name:
                out.update(self._standard(value))
            if name == self.layer:
                out["flat"] = _flat(value)
            if name in inside.relus:
                out[RELU + name] = _silent(value)

        norm = inside.norm.name if inside.norm else None
        names = [name for name in (inside.first, norm, self.layer, *inside.relus) if name]
        out["scores"] = engine.forward(x, surgery=Look(tuple(dict.fromkeys(names)), note))
        self.found[:] = list(out)
        return tuple(out.values())

    def _entering(self, value: Any) -> dict[str, Any]:
        from keras import ops

        from fieldmark.classifier.layout import Layout

        value = Layout(channels_first=self.classifier.subject.channels_first).outward(value)
        middle = tuple(side // 2 for side in value.shape[1:-1])
        every = tuple(range(1, len(value.shape)))
        low, high = ops.min(value, axis=every), ops.max(value, axis=every)
        return {"entering": value[(slice(None), *middle)], "low": low, "high": high}

    def _standard(self, value: Any) -> dict[str, Any]:
        from keras import ops

        norm = self.inside.norm
        assert norm is not None
        if value.shape[-1] != len(norm.gamma):
            return {}
        gamma = np.where(norm.telling, norm.gamma * norm.stored, 1).astype(np.float32)
        standard = (value - ops.convert_to_tensor(norm.beta)) / ops.convert_to_tensor(gamma)
        axes = tuple(range(1, len(value.shape) - 1))
        square = ops.square(standard)
        means = (ops.mean(each, axis=axes) if axes else each for each in (standard, square))
        return dict(zip(("mean", "square"), means, strict=True))


def _flat(value: Any) -> Any:
    from keras import ops

    axes = tuple(range(1, len(value.shape) - 1))
    high, low = (function(value, axis=axes) if axes else value for function in (ops.max, ops.min))
    return ops.cast(high - low <= 1e-6 * (ops.abs(high) + ops.abs(low)), "float32")


def _silent(value: Any) -> Any:
    from keras import ops

    axes = tuple(range(1, len(value.shape) - 1))
    return ops.cast((ops.max(value, axis=axes) if axes else value) <= 0, "float32")
