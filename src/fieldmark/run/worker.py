"""The work itself, the same on one machine and on many: spans of the source in, finished shards out."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError
from fieldmark.run.jobs import Job, Opened
from fieldmark.run.reading import AHEAD, Batch, Read, Span, batches, read_ahead, threads_wanted
from fieldmark.run.sources import Item, Source
from fieldmark.run.store import Shard
from fieldmark.run.writer import ShardWriter

WRITES_AHEAD = 2  # batches that may wait to be written


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a worker needs, on any machine that sees the same files. It pickles.

    shards   the folder for finished shards
    about    what every shard says of itself: settings and versions
    schema   of the run's columns, where shards exist already
    half     write maps as float16
    ahead    batches that may wait decoded; threads that decode (None: as many as there are cores)
    """

    job: Job
    source: Source
    shards: str
    about: Mapping[str, Any]
    schema: Any = None
    half: bool = False
    batch_size: int | None = None
    ahead: int = AHEAD
    threads: int | None = None


@dataclass
class Counts:
    """What a worker did, for tests and for the reader of a report: images decoded, batches and images computed."""

    decoded: int = 0
    batches: int = 0
    computed: int = 0


@dataclass(frozen=True)
class Tick:
    """So many more images are done with."""

    images: int


@dataclass
class Worker:
    """A recipe with its model loaded."""

    recipe: Recipe
    opened: Opened
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._columns_unknown = self.recipe.schema is None
        self._writing = _Writing(self.recipe)

    @classmethod
    def start(cls, recipe: Recipe) -> Worker:
        return cls(recipe, recipe.job.open())

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size or self.opened.batch_size

    def run(self, spans: Iterable[Span]) -> Iterator[Tick | Shard]:
        """Work through ascending spans of the source; a shard comes out when its file has its name.

        Spans without end (an iterator of them) are for a source that tells by itself what is left of it.
        """
        with ThreadPoolExecutor(1, "fieldmark-write") as pool:
            writing = self._writing
            waiting: list[tuple[int, Future[Shard | None]]] = []
            try:
                for batch in self._batches(spans):
                    columns = self._compute(batch)
                    close = self._last_words(batch)
                    about = {**self.recipe.about, "provenance": self.opened.provenance}
                    waiting.append((batch.seen, pool.submit(writing.take, batch, columns, about, close)))
                    while len(waiting) > WRITES_AHEAD:
                        yield from _done(waiting.pop(0))
                while waiting:
                    yield from _done(waiting.pop(0))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                writing.abandon()

    def _batches(self, spans: Iterable[Span]) -> Iterator[Batch]:
        size = self.batch_size
        source = self.recipe.source
        items = items_of(source, spans) if isinstance(spans, Sequence) else source.read(0, None)
        read = read_ahead(items, self.opened.shape, self.recipe.ahead * size, self.recipe.threads or threads_wanted())
        return batches(self._counted(read), spans, size)

    def _counted(self, read: Iterator[Read]) -> Iterator[Read]:
        for each in read:
            self.counts.decoded += 1
            yield each

    def _compute(self, batch: Batch) -> Mapping[str, Any] | None:
        """Columns of the batch's images; images that the job refuses one by one are moved to the rejected."""
        if not batch.items:
            return None
        self.counts.batches += 1
        self.counts.computed += len(batch.items)
        try:
            columns = self.opened(np.stack(batch.images))
            self._columns_unknown = False
            return columns
        except (FieldmarkError, ValueError) as error:
            if not isinstance(error, FieldmarkError) and len({image.shape for image in batch.images}) == 1:
                raise
            return self._one_by_one(batch, error)

    def _one_by_one(self, batch: Batch, error: Exception) -> Mapping[str, Any] | None:
        """One image can spoil a batch: find it. Raises the error where every image of the run so far is refused."""
        parts: list[Mapping[str, Any]] = []
        kept: list[Item] = []
        for item, image in zip(batch.items, batch.images, strict=True):
            try:
                parts.append(self.opened(image[None]))
                kept.append(item)
            except FieldmarkError as reason:
                batch.rejected.append((item.index, item.name, str(reason)))
        if not parts and self.counts.computed == len(batch.items):
            raise error  # nothing has worked yet: this is no matter of one image
        batch.items = kept
        self._columns_unknown &= not parts
        return _joined(parts) if parts else None

    def _last_words(self, batch: Batch) -> _Close | None:
        """What the shard is closed with, once its last batch is computed."""
        if not batch.last:
            return None
        blank = self._blank_columns() if self._columns_unknown else None
        remarks = dict(self.opened.remarks)
        self.opened.remarks.clear()
        return _Close(remarks, blank)

    def _blank_columns(self) -> Mapping[str, Any]:
        """Columns of one made-up image, to know them where a first shard holds no image that can be read."""
        self._columns_unknown = False
        shape = self.opened.shape
        if shape is None:
            raise FieldmarkError("run: not one of the first images could be read; see that the source is right")
        return self.opened(np.zeros((1, shape.height, shape.width, shape.channels), np.uint8))


@dataclass(frozen=True)
class _Close:
    remarks: Mapping[str, int]
    blank: Mapping[str, Any] | None


class _Writing:
    """The shard that is being written, all of it in the one writing thread."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.schema = recipe, recipe.schema
        self.writer: ShardWriter | None = None

    def take(
        self, batch: Batch, columns: Mapping[str, Any] | None, about: Mapping[str, Any], close: _Close | None
    ) -> Shard | None:
        span = batch.span
        if self.writer is None:
            folder = Path(self.recipe.shards)
            self.writer = ShardWriter(folder, span.number, span.start, self.schema, self.recipe.half)
        writer = self.writer
        writer.about = about
        writer.rejected += batch.rejected
        writer.changed += batch.changed
        writer.stop = max(writer.stop, span.start, *(item.index + 1 for item in batch.items), *_ends(batch.rejected))
        if writer.first is None and batch.items:
            writer.first = f"{batch.items[0].index}:{digest(batch.images[0])}"
        if columns is not None:
            writer.add(batch.items, columns)
            self.schema = writer.schema
        if close is None:
            return None
        if writer.schema is None and close.blank is not None:
            writer.learn(close.blank)
            self.schema = writer.schema
        writer.remarks.update(close.remarks)
        writer.stop = writer.stop if span.open_end else span.stop
        shard = writer.finish()
        self.writer = None
        return shard

    def abandon(self) -> None:
        if self.writer is not None:
            self.writer.abandon()
            self.writer = None


def items_of(source: Source, spans: Sequence[Span]) -> Iterator[Item]:
    """The items of spans in order; neighbours are read in one go."""
    start = stop = 0
    for span in spans:
        if span.start != stop:
            yield from source.read(start, stop)
            start = span.start
        stop = span.stop
    yield from source.read(start, stop)


def digest(image: np.ndarray) -> str:
    """A short hash of an image's numbers."""
    return f"{zlib.crc32(np.ascontiguousarray(image).tobytes()):08x}"


def _ends(rejected: Iterable[tuple[int, str, str]]) -> list[int]:
    return [index + 1 for index, _, _ in rejected]


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: np.concatenate([part[name] for part in parts])
        if isinstance(parts[0][name], np.ndarray)
        else [row for part in parts for row in part[name]]
        for name in parts[0]
    }


def _done(entry: tuple[int, Future[Shard | None]]) -> Iterator[Tick | Shard]:
    images, future = entry
    shard = future.result()
    yield Tick(images)
    if shard is not None:
        yield shard
