"""The same network with shuffled weights, layer after layer from the head down; put back whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.taps import split_call

STAGES = 4


@dataclass(frozen=True)
class Stage:
    """Layers that are shuffled in one step, last called first, and how to say it."""

    layers: tuple[str, ...]
    words: str


def stages(classifier: Classifier, count: int = STAGES) -> tuple[Stage, ...]:
    """The cascade: the layer nearest to the output, then the others in equal parts; none for a model without weights.

    Layers come in the order they are called, last first; those that one image does not call come at the end.
    """
    held = classifier.subject.weights()
    called = [split_call(info.name)[0] for info in classifier.layers()] if held else []
    order = [name for name in dict.fromkeys(reversed(called)) if name in held]
    order += [name for name in held if name not in order]
    if not order:
        return ()
    rest = len(order) - 1
    ends = [1 + round(rest * step / (count - 1)) for step in range(count)] if rest else [1]
    found, start = [], 0
    for end in sorted(set(ends)):
        words = "all layers" if end == len(order) else f"{order[0]!r}" if end == 1 else f"the last {end} layers"
        found.append(Stage(tuple(order[start:end]), words))
        start = end
    return tuple(found)


@contextmanager
def shuffling(classifier: Classifier, seed: int = 0) -> Iterator[Callable[[Stage], None]]:
    """Yields a function that shuffles the weights of a stage; at the end every weight is as it was, to the bit.

    The numbers of each array change places, so that their sizes, and those of the activations, stay about what they
    were, and running variances positive: a network of fresh weights is often dead, and every map of it blank.
    """
    held = classifier.subject.weights()
    before = {name: [weight.read() for weight in weights] for name, weights in held.items()}
    rng = np.random.default_rng(seed)

    def shuffle(stage: Stage) -> None:
        for name in stage.layers:
            for weight, numbers in zip(held[name], before[name], strict=True):
                weight.write(rng.permutation(numbers.ravel()).reshape(numbers.shape))

    try:
        yield shuffle
    finally:
        for name, weights in held.items():
            for weight, numbers in zip(weights, before[name], strict=True):
                weight.write(numbers)
