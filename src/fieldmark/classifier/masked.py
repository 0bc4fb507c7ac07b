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
    engine: Engine, x: np.ndarray, masks: np.ndarray | LazyMasks, fill: np.ndarray, interpolation: str
) -> np.ndarray:
    """`Engine.masked_scores`."""
    fill = np.broadcast_to(fill, x.shape)
    fast = engine.incremental.scores(x, masks, fill) if isinstance(masks, PatchMasks) else None
    return _blended(engine, x, masks, fill, interpolation) if fast is None else fast


def _blended(
    engine: Engine, x: np.ndarray, masks: np.ndarray | LazyMasks, fill: np.ndarray, interpolation: str
) -> np.ndarray:
    n, m = len(x), masks.shape[-3]

    def traced(images: Any, fills: Any, index: Any, masks: Any) -> tuple[Any, ...]:
        height, width = images.shape[1:3]
        large = ops.expand_dims(masks, -1)
        if tuple(masks.shape[1:]) != (height, width):
            large = ops.image.resize(large, (height, width), interpolation, data_format="channels_last")
        kept, shown = ops.take(images, index, axis=0), ops.take(fills, index, axis=0)
        return (engine.forward(kept * large + shown * (1 - large)),)

    out = np.empty((n * m, engine.head.classes), np.float32)
    chunks = row_chunks(n * m, engine.passes.batch_size)
    for start, stop in track(chunks, len(chunks), "Masked scores"):
        rows = np.arange(start, stop)
        first, last = start // m, (stop - 1) // m + 1
        chosen = masks[rows % m] if masks.ndim == 3 else masks[rows // m, rows % m]
        arrays = [x[first:last], fill[first:last], (rows // m - first).astype(np.int32), np.float32(chosen)]
        padded = [engine.passes.padded(array) for array in arrays]
        found = engine.passes.call(("masked", interpolation), traced, padded, rows=(2, 3))[0]
        out[start:stop] = found[: stop - start]
    return out.reshape(n, m, -1)
