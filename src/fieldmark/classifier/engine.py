"""The six verbs: all that explainers ask of a model, written once in keras.ops, compiled once per shape.

x is what the model eats, channels last, float; n images go through in chunks of `batch_size`, and every verb returns
NumPy arrays. The model is patched only while a pass is traced (or, on torch, run) and comes back exactly as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from fieldmark.classifier import autodiff
from fieldmark.classifier.feature_gradients import FeatureGradient, feature_gradients
from fieldmark.classifier.folding import Pair, folded
from fieldmark.classifier.head import Head
from fieldmark.classifier.incremental import Incremental
from fieldmark.classifier.layout import Layout
from fieldmark.classifier.masked import masked_scores
from fieldmark.classifier.passes import Passes
from fieldmark.classifier.path_gradients import PathGradient, path_gradients
from fieldmark.classifier.rows import LazyMasks, Path
from fieldmark.classifier.subject import Subject, refuse_opaque
from fieldmark.classifier.taps import Surgery, patched, split_call, tapped
from fieldmark.targets import Resolved, Rule

INPUT = "input"
FOLDED_WITHIN = 1e-3  # of the largest score: far above rounding (1e-5 seen), far below any effect worth a map

Taps = Mapping[str, Callable[[Any], Any]]
Reduce = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Gradient(NamedTuple):
    """values (n, ...) where the gradient was taken, gradients (n, t, ...), scores (n, classes), weights (n, t, c)."""

    values: Any
    gradients: Any
    scores: np.ndarray
    weights: np.ndarray


class Observation(NamedTuple):
    """values (n, ...) at a layer (a tuple of them for several layers), scores (n, classes)."""

    values: Any
    scores: np.ndarray


class Engine:
    """A subject with its head, seen through the verbs. `logits=False` explains probabilities instead."""

    def __init__(
        self,
        subject: Subject,
        head: Head,
        *,
        logits: bool = True,
        batch_size: int = 16,
        pairs: Sequence[Pair] = (),
    ) -> None:
        self.subject, self.head, self.logits = subject, head, logits
        self.pairs = tuple(pairs)  # convolutions and normalisations that run as one
        self._folding_checked = not pairs
        self.layouts: Mapping[str, Layout] = {}  # of each layer, for the shape of image seen last
        self.incremental = Incremental(self)
        self.passes = Passes(lambda: subject.variables, batch_size, eager=subject.opaque)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(n, classes): logits, or probabilities where the engine was made so."""
        return self.passes.over_batches("scores", lambda x: (self.forward(x),), [x], "Scores")[0]

    def activations(self, x: np.ndarray, layer: str) -> np.ndarray:
        """The output of a layer, channels last: (n, h, w, c) for a feature map."""

        def traced(x: Any) -> tuple[Any, ...]:
            seen: dict[str, Any] = {}
            self.forward(x, {layer: lambda value: seen.setdefault(layer, value)})
            return (self.layout(layer).outward(seen[layer]),)

        return self.passes.over_batches(("activations", layer), traced, [x], f"Activations of {layer}")[0]

    def observe(
        self, x: np.ndarray, at: str | Sequence[str], reduce: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> Observation:
        """The output of a layer, or of several in that order, and the scores, from one forward pass.

        With `reduce` the values are replaced, chunk by chunk, by reduce(values), so that large ones never pile up.
        """
        names = (at,) if isinstance(at, str) else tuple(at)

        def traced(x: Any) -> tuple[Any, ...]:
            seen: dict[str, Any] = {}
            scores = self.forward(x, {name: partial(seen.setdefault, name) for name in names})
            return (*(self.layout(name).outward(seen[name]) for name in names), scores)

        def finish(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            return arrays if reduce is None else (*map(reduce, arrays[:-1]), arrays[-1])

        *values, scores = self.passes.over_batches(("observe", names), traced, [x], "Activations", finish)
        return Observation(values[0] if isinstance(at, str) else tuple(values), scores)

    def gradients(
        self,
        x: np.ndarray,
        target: Resolved,
        at: str | Sequence[str] = INPUT,
        reduce: Reduce | None = None,
        surgery: Surgery | None = None,
    ) -> Gradient:
        """Values and gradients at the input or at layers, and the scores, for t targets from one forward pass.

        `at` may name several layers; values and gradients are then tuples in that order. With `reduce` both are
        replaced, chunk by chunk, by reduce(values, gradients, scores), so that large ones never pile up. `surgery`
        runs the pass with layers of its own making, whose gradients follow another rule.
        """
        names = (at,) if isinstance(at, str) else tuple(at)
        size = len(names)

        def traced(x: Any, given: Any = None) -> tuple[Any, ...]:
            values, gradients, scores, weights = self._differentiate(x, names, target.rule, given, surgery=surgery)
            return (*values, *gradients, scores, weights)

        def finish(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            if reduce is None:
                return arrays
            reduced = [reduce(arrays[i], arrays[size + i], arrays[-2]) for i in range(size)]
            return (*reduced, *reduced, *arrays[-2:])

        given = [] if target.given is None else [target.given]
        key = ("gradients", names, target.rule, surgery)
        out = self.passes.over_batches(key, traced, [x, *given], "Gradients", finish)
        values, gradients = tuple(out[:size]), tuple(out[size : 2 * size])
        if isinstance(at, str):
            return Gradient(values[0], gradients[0], out[-2], out[-1])
        return Gradient(values, gradients, out[-2], out[-1])

    def path_gradients(
        self,
        x: np.ndarray,
        target: Resolved,
        path: Path,
        at: str = INPUT,
        square: bool = False,
        sum_channels: bool = False,
    ) -> PathGradient:
        """Per image the weighted sum, over the samples that `path` draws, of factor times gradient; summed on device.

        At a layer the path runs through that layer's output, and only what follows it is differentiated. Which class
        is the top one is decided on x itself, not on the samples. `square` also sums the squares; `sum_channels` adds
        the channels up first, so that the squares are those of a map.
        """
        return path_gradients(self, x, target, path, at, square, sum_channels)

    def feature_gradients(self, x: np.ndarray, layer: str, directions: np.ndarray) -> FeatureGradient:
        """Gradients at the input of a layer's mean activation along directions (n, c), one for each image."""
        return feature_gradients(self, x, layer, directions)

    def masked_scores(
        self,
        x: np.ndarray,
        masks: np.ndarray | LazyMasks,
        fill: np.ndarray,
        interpolation: str = "bilinear",
        shades: np.ndarray | None = None,
    ) -> np.ndarray:
        """(n, m, classes) under m masks for all images (m, h, w) or for each its own (n, m, h, w), of any resolution.

        A mask is 1 where the image stays and 0 where `fill` (n or 1, h, w, c) shows; it is enlarged and blended on
        device. `shades` (n, m, a, b, c) are added to the fill, each mask its own, enlarged bilinearly. Patches are
        scored incrementally where that is faster and proves right.
        """
        return masked_scores(self, x, masks, fill, interpolation, shades)

    def scores_from(self, layer: str, activations: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(n, classes) when that layer's output is replaced by `activations` (channels last), all else being from x."""

        def traced(activations: Any, x: Any) -> tuple[Any, ...]:
            return (self.forward(x, {layer: partial(self.layout(layer).inward, activations)}),)

        return self.passes.over_batches(("from", layer), traced, [activations, x], f"Scores from {layer}")[0]

    # One pass, inside a trace

    def forward(self, x: Any, taps: Taps | None = None, surgery: Surgery | None = None) -> Any:
        """Within a pass: (n, classes) of x, with functions at layers, or with layers that act otherwise."""
        if taps or surgery:
            refuse_opaque(self.subject)
        with (
            self.running(() if surgery else self._unseen_pairs(taps or {})),
            tapped(self.subject.layers, self.subject.method, taps or {}),
        ):
            fed = Layout(self.subject.channels_first).inward(x, x)
            return self.read(self.head, surgery.call(self.subject, fed) if surgery else self.subject.call(fed))

    @contextmanager
    def running(self, pairs: Sequence[Pair]) -> Iterator[None]:
        """The model as every pass runs it: in inference mode, its head open, these pairs folded."""
        with ExitStack() as stack:
            stack.enter_context(self.subject.inference())
            for name, value in self.head.patches.items():
                stack.enter_context(patched(self.head.layer, name, value))
            stack.enter_context(folded(self.subject, pairs))
            yield

    def read(self, head: Head, raw: Any) -> Any:
        """The scores, or what was asked for, from the raw output of a running model."""
        scores = head.scores(raw)
        return scores if self.logits else self.head.probabilities(scores)

    def gradient_at(self, points: Any, rule: Rule, given: Any, layer: str | None = None, x: Any = None) -> Any:
        """Within a pass: the gradient (n, t, ...) at points that stand in for the input, or for a layer's output."""
        name = layer or INPUT
        replaced = (layer, points) if layer else None
        return self._differentiate(x if layer else points, (name,), rule, given, replaced)[1][0]

    def _differentiate(
        self,
        x: Any,
        names: Sequence[str],
        rule: Rule,
        given: Any,
        replaced: tuple[str, Any] | None = None,
        surgery: Surgery | None = None,
    ) -> tuple[list[Any], list[Any], Any, Any]:
        """Values and gradients in the order of `names`, scores, weights; `replaced` puts a value in a layer's place."""
        refuse_opaque(self.subject)
        order: list[str] = []

        def run(watch: autodiff.Watch) -> Any:
            order.clear()

            def spot(name: str) -> Callable[[Any], Any]:
                def tap(value: Any) -> Any:
                    order.append(name)
                    if replaced and replaced[0] == name:
                        value = self.layout(name).inward(replaced[1], value)
                    return watch(value)

                return tap

            fed = spot(INPUT)(x) if INPUT in names else x
            return self.forward(fed, {name: spot(name) for name in names if name != INPUT}, surgery)

        values, gradients, scores, weights = autodiff.vjp(run, lambda scores: weigh(rule, scores, given))
        value, gradient = dict(zip(order, values, strict=True)), dict(zip(order, gradients, strict=True))
        return (
            [value[n] if n == INPUT else self.layout(n).outward(value[n]) for n in names],
            [gradient[n] if n == INPUT else self.layout(n).outward(gradient[n], targets=1) for n in names],
            scores,
            weights,
        )

    def _unseen_pairs(self, taps: Taps) -> list[Pair]:
        """The pairs to fold in a pass that looks at these layers: what leaves a folded convolution is another value."""
        looked_at = {split_call(name)[0] for name in taps}
        return [pair for pair in self.pairs if pair[0] not in looked_at]

    def check_folding(self, x: np.ndarray) -> None:
        """Once: compare two inputs with the model as it is, and never fold again where the scores differ."""
        if self._folding_checked:
            return
        self._folding_checked = True
        pairs, few = self.pairs, x[:2]
        fast = self.scores(few)
        self.pairs = ()
        plain = self.passes.over_batches("plain", lambda x: (self.forward(x),), [few], "Check")[0]
        largest = float(np.abs(plain).max(initial=0, where=np.isfinite(plain)))
        if np.allclose(fast, plain, rtol=0, atol=FOLDED_WITHIN * largest + 1e-6, equal_nan=True):
            self.pairs = pairs
            self.passes.forget("plain")
        else:
            self.passes.forget()

    def layout(self, layer: str) -> Layout:
        """How that layer's output becomes a map (n, h, w, c)."""
        return self.layouts.get(layer, Layout(self.subject.channels_first))


def weigh(rule: Rule, scores: Any, given: Any) -> Any:
    """The weights (n, t, classes) of a rule, on device and without a gradient; `targets.apply_rule` on the host."""
    scores = ops.stop_gradient(scores)
    if rule.kind == "top":
        _, order = ops.top_k(scores, rule.k)
        return ops.one_hot(order, scores.shape[1], dtype="float32")
    given = ops.cast(given, "float32")
    if rule.kind == "given":
        return given
    others = ops.where(given > 0, -np.inf, ops.expand_dims(scores, 1))
    return given - ops.softmax(others, axis=-1)
