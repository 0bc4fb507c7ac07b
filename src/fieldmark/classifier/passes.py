"""Passes through a model: compiled once per shape, kept for the next call, run in chunks that fit."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from fieldmark.classifier import autodiff
from fieldmark.errors import ModelError
from fieldmark.progress import track

KEPT = 48  # compiled passes kept; the least recently used goes first
CHANNELS_FIRST = (
    "TensorFlow has no channels-first layers on this processor as it was started: "
    "set TF_ENABLE_ONEDNN_OPTS=1 before Python starts, or run Keras on JAX or torch"
)

Traced = Callable[..., tuple[Any, ...]]
Finish = Callable[..., tuple[np.ndarray, ...]]


class Passes:
    """The compiled passes of one model. `traces` counts compilations: a loop over many images must not raise it."""

    def __init__(self, variables: Callable[[], Sequence[Any]], batch_size: int, eager: bool = False) -> None:
        self.batch_size = batch_size
        self.eager = eager  # run every pass as it is written: what it calls cannot be traced
        self.traces = 0
        self.limit: int | None = None  # rows that are known to fit, once memory has run out
        self._variables = variables
        self._compiled: OrderedDict[Any, Callable[..., Any]] = OrderedDict()

    def over_batches(
        self, key: Any, traced: Traced, arrays: Sequence[np.ndarray], label: str, finish: Finish | None = None
    ) -> list[np.ndarray]:
        """Run `traced` over chunks of the arrays' common first axis and join what `finish` makes of each."""
        parts = []
        size = self.batch_size
        starts = range(0, len(arrays[0]), size)
        for start in track(starts, len(starts), label):
            chunk = [array[start : start + size] for array in arrays]
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

    def call(
        self,
        key: Any,
        traced: Traced,
        arrays: Sequence[np.ndarray],
        rows: Sequence[int] | None = None,
        sums: int = 0,
    ) -> tuple[np.ndarray, ...]:
        """One chunk through the compiled pass for this key and these shapes; in halves where memory runs out.

        rows  which arrays have one row for each of the chunk's rows (all of them); the others are shared by all rows
        sums  how many of the first outputs are sums over rows; the others have one row for each
        """
        by_row = range(len(arrays)) if rows is None else rows
        n = len(arrays[by_row[0]])
        if self.limit is None or n <= self.limit:
            try:
                return self._run(key, traced, arrays)
            except Exception as error:
                if autodiff.is_channels_first(error):
                    raise ModelError(CHANNELS_FIRST) from None
                if not autodiff.is_out_of_memory(error):
                    raise
                self._shrink(n)
        halves = [[a[part] if i in by_row else a for i, a in enumerate(arrays)] for part in np.s_[: n // 2, n // 2 :]]
        first, second = (self.call(key, traced, half, rows, sums) for half in halves)
        return tuple(
            a + b if index < sums else np.concatenate([a, b])
            for index, (a, b) in enumerate(zip(first, second, strict=True))
        )

    def _shrink(self, n: int) -> None:
        """Remember that `n` rows are too many, and say so. Raises ModelError where one is."""
        if n == 1:
            raise ModelError("out of memory with one image a pass: use smaller images, or a machine with more memory")
        self.limit = n // 2
        self.batch_size = min(self.batch_size, self.limit)
        warnings.warn(f"out of memory with {n} images a pass: going on with {self.limit}", RuntimeWarning, stacklevel=2)

    def _run(self, key: Any, traced: Traced, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
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
            out = function(*(autodiff.on_device(array) for array in arrays))
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
