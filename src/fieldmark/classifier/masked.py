"""Scores of many covered versions of few images: blended on device, or computed only where patches reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from fieldmark.classifier.rows import LazyMasks, PatchMasks, row_chunks
from fieldmark.progress import track

if TYPE_CHECKING:
    from fieldmark.classifier.engine import Engine


def masked_scores(
    engine: Engine,
    x: np.ndarray,
    masks: np.ndarray | LazyMasks,
    fill: np.ndarray,
    interpolation: str,
    shades: np.ndarray | None,
) -> np.ndarray:
    """`Engine.masked_scores`."""
    fill = np.broadcast_to(fill, x.shape)
    fast = engine.incremental.scores(x, masks, fill) if isinstance(masks, PatchMasks) and shades is None else None
    return _blended(engine, x, masks, fill, interpolation, shades) if fast is None else fast


def _blended(
    engine: Engine,
    x: np.ndarray,
    masks: np.ndarray | LazyMasks,
    fill: np.ndarray,
    interpolation: str,
    shades: np.ndarray | None,
) -> np.ndarray:
    n, m = len(x), masks.shape[-3]

    def traced(images: Any, fills: Any, index: Any, masks: Any, *shades: Any) -> tuple[Any, ...]:
        height, width = images.shape[1:3]
        large = masks
        if tuple(masks.shape[1:]) != (height, width):
            sides = zip(masks.shape[1:], (height, width), strict=True)
            rows, columns = (enlarging(small, size, interpolation) for small, size in sides)
            large = ops.matmul(ops.matmul(rows, masks), columns.T)
        large = ops.expand_dims(large, -1)
        kept, shown = ops.take(images, index, axis=0), ops.take(fills, index, axis=0)
        for small in shades:
            sides = zip(small.shape[1:3], (height, width), strict=True)
            rows, columns = (enlarging(less, size, "bilinear") for less, size in sides)
            shown = shown + ops.einsum("ha,nabc,wb->nhwc", rows, small, columns)
        return (engine.forward(kept * large + shown * (1 - large)),)

    out = np.empty((n * m, engine.head.classes), np.float32)
    chunks = row_chunks(n * m, engine.passes.batch_size)
    for start, stop in track(chunks, len(chunks), "Masked scores"):
        rows = np.arange(start, stop)
        first, last = start // m, (stop - 1) // m + 1
        chosen = masks[rows % m] if masks.ndim == 3 else masks[rows // m, rows % m]
        arrays = [x[first:last], fill[first:last], (rows // m - first).astype(np.int32), np.float32(chosen)]
        if shades is not None:
            arrays.append(np.float32(shades[rows // m, rows % m]))
        padded = [engine.passes.padded(array) for array in arrays]
        found = engine.passes.call(("masked", interpolation), traced, padded, rows=range(2, len(arrays)))[0]
        out[start:stop] = found[: stop - start]
    return out.reshape(n, m, -1)


def enlarging(small: int, large: int, interpolation: str) -> np.ndarray:
    """The matrix (large, small) of a resize along one axis, "bilinear" or "nearest", pixel centres aligned.

    Keras's own resize needs torchvision on torch in old versions of Keras 3.
    """
    place = (np.arange(large) + 0.5) * small / large - 0.5
    if interpolation == "nearest":
        return np.eye(small, dtype=np.float32)[np.clip(np.floor(place + 0.5), 0, small - 1).astype(int)]
    place = np.clip(place, 0, small - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(small))).astype(np.float32)
