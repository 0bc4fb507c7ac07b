"""Images come decoded and in order from many threads, a bounded number ahead of who asks for them.

One thread walks the source and hands each item to a pool; the queue between them and the caller is bounded, so that a
slow model holds the reading back and a fast one never waits for it as long as the disk keeps up. Pillow decodes JPEG
without Python's lock, so the threads run beside the model.
"""

from __future__ import annotations

import os
import queue
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import ImageError
from fieldmark.run.sources.base import Item, Shape, decode

AHEAD = 4  # batches that may wait decoded
_END = object()


@dataclass(frozen=True)
class Read:
    """An item that was decoded: its image, or why there is none; and whether its file changed since it was listed."""

    item: Item
    image: np.ndarray | None
    reason: str = ""
    changed: bool = False


@dataclass(frozen=True)
class Span:
    """The items [start, stop) of one shard; with `open_end` fewer, where the source ends before."""

    number: int
    start: int
    stop: int
    open_end: bool = False


@dataclass
class Batch:
    """Images of one shard that go through the model together; `last` closes the shard."""

    span: Span
    items: list[Item] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    last: bool = False

    @property
    def seen(self) -> int:
        return len(self.items) + len(self.rejected)


def threads_wanted() -> int:
    """As many as this process may use, and at least two, as one of them often waits for the disk."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, usable)


def read_ahead(items: Iterator[Item], shape: Shape | None, ahead: int, threads: int) -> Iterator[Read]:
    """Every item decoded, in order; at most `ahead` wait. Errors of the source itself are raised here."""
    waiting: queue.Queue[Any] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(value: Any) -> bool:
        while not stop.is_set():
            try:
                waiting.put(value, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for item in items:
                if stop.is_set() or not put(pool.submit(read_item, item, shape)):
                    return
            put(_END)
        except BaseException as error:  # goes on where the images are asked for
            put(error)

    with _without_pillows_remarks(), ThreadPoolExecutor(threads, "fieldmark-decode") as pool:
        feeder = threading.Thread(target=feed, args=(pool,), name="fieldmark-read", daemon=True)
        feeder.start()
        try:
            while (each := waiting.get()) is not _END:
                if isinstance(each, BaseException):
                    raise each
                yield _result(each)
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            feeder.join(timeout=10)


def _result(future: Future[Read]) -> Read:
    return future.result()


def read_item(item: Item, shape: Shape | None) -> Read:
    """The image of one item, or the reason why there is none: a bad file never stops a run."""
    changed = False
    if item.stamp is not None and isinstance(item.payload, Path):
        try:
            status = os.stat(item.payload)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            return Read(item, None, "the file is gone" if gone else (error.strerror or str(error)).lower())
        changed = (status.st_size, status.st_mtime_ns) != item.stamp
    try:
        return Read(item, decode(item, shape), changed=changed)
    except ImageError as error:
        return Read(item, None, str(error).removeprefix(f"{item.name}: "), changed)


def batches(read: Iterator[Read], spans: Iterable[Span], size: int) -> Iterator[Batch]:
    """Images in batches of `size` that never cross a shard; each span ends with a batch that is marked last.

    The items must be those of the spans, in order.
    """
    upcoming = iter(spans)
    batch: Batch | None = None
    for each in read:
        if batch is None:
            batch = Batch(next(upcoming))
        _add(batch, each)
        if each.item.index == batch.span.stop - 1:
            yield _closed(batch)
            batch = None
        elif len(batch.items) == size:
            yield batch
            batch = Batch(batch.span)
    if batch is not None:
        yield _closed(batch)


def _add(batch: Batch, each: Read) -> None:
    if each.changed:
        batch.changed.append(each.item.name)
    if each.image is None:
        batch.rejected.append((each.item.index, each.item.name, each.reason))
    else:
        batch.items.append(replace(each.item, payload=None))  # an array would be kept twice
        batch.images.append(each.image)


def _closed(batch: Batch) -> Batch:
    batch.last = True
    return batch


@contextmanager
def _without_pillows_remarks() -> Iterator[None]:
    """Pillow's warnings of odd metadata are no business of a run; set once, as filters belong to the whole process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.|fieldmark\.images")
        yield
