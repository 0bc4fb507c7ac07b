"""Passes through a model: compiled once per shape, kept for the next call, run in chunks that fit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from fieldmark.classifier import autodiff
from fieldmark.progress import track

KEPT = 48  # compiled passes kept; the least recently used goes first

Traced = Callable[..., tuple[Any, ...]]
Finish = Callable[..., tuple[np.ndarray, ...]]


class Passes:
    """The compiled passes of one model. `traces` counts compilations: a loop over many images must not raise it."""

    def __init__(self, variables: Callable[[], Sequence[Any]], batch_size: int, eager: bool = False) -> None:
        self.batch_size = batch_size
        self.eager = eager  # run every pass as it is written: what it calls cannot be traced
        self.traces = 0
        self._variables = variables
        self._compiled: OrderedDict[Any, Callable[..., Any]] = OrderedDict()

    def over_batches(
        self, key: Any, traced: Traced, arrays: Sequence[np.ndarray], label: str, finish: Finish | None = None
    ) -> list[np.ndarray]:
        """Run `traced` over chunks of the arrays' common first axis and join what `finish` makes of each."""
        parts = []
        starts = range(0, len(arrays[0]), self.batch_size)
        for start in track(starts, len(starts), label):
            chunk = [array[start : start + self.batch_size] for array in arrays]
            n = len(chunk[0])
            out = tuple(value[:n] for value in self.call(key, traced, [self.padded(array) for array in chunk]))
            parts.append(finish(*out) if finish else out)
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def padded(self, array: np.ndarray, fill: bool = True) -> np.ndarray:
        """Rows added up to the next of few lengths, where another length would mean another compilation.

        The last row is repeated, or zeros are added (`fill=False`), for arrays that weigh rows.
        """
        fixed = autodiff.static_batches() and not self.eager
        missing = (1 << (len(array) - 1).bit_length()) - len(array) if fixed else 0
        if missing <= 0:
            return array
        extra = np.repeat(array[-1:], missing, axis=0)
        return np.concatenate([array, extra if fill else np.zeros_like(extra)])

    def call(self, key: Any, traced: Traced, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """One chunk through the compiled pass for this key and these shapes."""
        signature = (key, *((array.shape[1:], str(array.dtype)) for array in arrays))
        function = traced if self.eager else self._compiled.get(signature)
        with autodiff.quiet():
            if function is None:
                function = autodiff.compiled(self._counted(traced), arrays, self._variables())
                self._compiled[signature] = function
            if not self.eager:
                self._compiled.move_to_end(signature)
            if len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
            out = function(*(ops.convert_to_tensor(array) for array in arrays))
            return tuple(np.asarray(ops.convert_to_numpy(value)) for value in out)

    def forget(self, key: Any = None) -> None:
        """Drop the compiled passes of one key, or all of them after a change in how passes are made."""
        for signature in list(self._compiled):
            if key is None or signature[0] == key:
                del self._compiled[signature]

    def _counted(self, traced: Traced) -> Traced:
        def counting(*arguments: Any) -> tuple[Any, ...]:
            self.traces += 1
            return traced(*arguments)

        return counting
