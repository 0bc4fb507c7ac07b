"""Gradients at many points for few images, added up where they are made: only sums leave the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from fieldmark.classifier.rows import Path, path_rows
from fieldmark.progress import track
from fieldmark.targets import Resolved, Rule, apply_rule

if TYPE_CHECKING:
    from fieldmark.classifier.engine import Engine


SLOTS = 3  # where among a batch's arrays the images are that its rows belong to; all others have one row a sample


class PathGradient(NamedTuple):
    """What a path adds up to, for n images and t targets.

    mean     (n, t, h, w, c): the weighted sum of factor times gradient; (n, t, h, w) where channels were summed
    square   the same of the squares, or None
    slopes   (n, samples, t): of each sample, factor times gradient summed over all places; where channels were summed
    scores   (n, classes) of x itself
    weights  (n, t, classes)
    """

    mean: np.ndarray
    square: np.ndarray | None
    slopes: np.ndarray | None
    scores: np.ndarray
    weights: np.ndarray


def path_gradients(
    engine: Engine, x: np.ndarray, target: Resolved, path: Path, at: str, square: bool, sum_channels: bool
) -> PathGradient:
    """See `Engine.path_gradients`. `at` == "input" or a layer."""
    scores = engine.scores(x)
    top = target.rule.kind == "top"
    given = apply_rule(target, scores) if top or target.given is None else target.given
    rule = Rule("given") if top else target.rule
    inside = at != "input"
    values = engine.activations(x, at) if inside else x
    places = values.shape[1:-1] if sum_channels else values.shape[1:]
    sums = [np.zeros((len(x), given.shape[1], *places), np.float32) for _ in range(1 + square)]
    slopes: list[np.ndarray] = []
    traced = _traced(engine, at if inside else None, rule, square, sum_channels)
    passes = engine.passes
    batches = -(-len(x) * path.samples // passes.batch_size)
    for rows in track(path_rows(values, path, passes.batch_size), batches, "Gradients along a path"):
        extra = [each for each in (rows.factors, x[rows.images] if inside else None) if each is not None]
        arrays = [*rows.arrays, given[rows.images], *extra]
        padded = [passes.padded(array, fill=array is not rows.shares) for array in arrays]
        key = ("path", at, rule, square, sum_channels, rows.factors is None)
        by_row = [index for index, array in enumerate(arrays) if array is not arrays[SLOTS]]
        parts = passes.call(key, partial(traced, rows.factors is not None), padded, by_row, sums=len(sums))
        for total, part in zip(sums, parts, strict=False):
            total[rows.first : rows.last] += part[: rows.last - rows.first]
        slopes += [part[: len(rows.images)] for part in parts[len(sums) :]]
    along = np.concatenate(slopes).reshape(len(x), path.samples, -1) if sum_channels else None
    return PathGradient(sums[0], sums[1] if square else None, along, scores, apply_rule(target, scores))


def _traced(
    engine: Engine, layer: str | None, rule: Rule, square: bool, sum_channels: bool
) -> Callable[..., tuple[Any, ...]]:
    """One batch of rows: their gradients, added up by the image they belong to, and each row's sum."""

    def traced(factored: bool, points: Any, owner: Any, shares: Any, slots: Any, given: Any, *extra: Any) -> Any:
        found = engine.gradient_at(points, rule, given, layer, *extra[factored:])
        if factored:
            found = found * ops.expand_dims(extra[0], 1)
        if sum_channels:
            found = ops.sum(found, axis=-1)
        mine = ops.cast(ops.expand_dims(slots, 1) == ops.expand_dims(owner, 0), "float32")
        sums = [ops.tensordot(mine * shares[:, 0], found, axes=1)]
        if square:
            sums.append(ops.tensordot(mine * shares[:, 1], ops.square(found), axes=1))
        if sum_channels:
            sums.append(ops.sum(found, axis=tuple(range(2, len(found.shape)))))
        return tuple(sums)

    return traced
