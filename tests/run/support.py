"""A job without a framework whose right answer is known, and sources for it."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fieldmark.run import Options, PerBatch, Report, Shape, run_job

SIDE = 8
SHAPE = Shape(SIDE, SIDE, 3)


def picture(number: int) -> np.ndarray:
    """One colour that tells the number: uint8 (SIDE, SIDE, 3)."""
    return np.full((SIDE, SIDE, 3), (number % 256, number // 256, 7), np.uint8)


def encoded(number: int) -> bytes:
    held = io.BytesIO()
    Image.fromarray(picture(number)).save(held, "PNG")
    return held.getvalue()


def folder_of(path: Path, count: int) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (path / f"{number:05d}.png").write_bytes(encoded(number))
    return path


def parquet_of(path: Path, column: Any, name: str = "image", **others: Any) -> Path:
    pq.write_table(pa.table({name: column, **others}), path, row_group_size=7)
    return path


def corner(images: np.ndarray) -> dict[str, Any]:
    """The number of each picture, and a map of it."""
    numbers = images[:, 0, 0, 0].astype(np.int64) + 256 * images[:, 0, 0, 1].astype(np.int64)
    return {"number": numbers, "map": np.repeat(numbers, 4).reshape(-1, 1, 2, 2).astype(np.float32)}


def slowly(images: np.ndarray) -> dict[str, Any]:
    time.sleep(0.01)
    return corner(images)


def job(function: Any = corner, batch_size: int = 4, **settings: Any) -> PerBatch:
    return PerBatch(function=function, shape=SHAPE, batch_size=batch_size, name="corner", settings=settings)


def go(images: Any, out: Path, function: Any = corner, shard_size: int = 10, **options: Any) -> Report:
    return run_job(job(function), images, out=out, options=Options(shard_size=shard_size, **options))


def table(out: Path) -> Any:
    """All shards in order."""
    return pa.concat_tables([pq.read_table(path) for path in sorted((out / "shards").glob("*.parquet"))])


def numbers(out: Path) -> list[int]:
    return table(out)["number"].to_pylist()
