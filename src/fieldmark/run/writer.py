"""Shards: Parquet files that carry their own story, written part by part and named only when they are whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError
from fieldmark.run.arrow import arrow, as_half, same_layout, to_table
from fieldmark.run.sources.base import Item
from fieldmark.run.store import REJECTED, TEMPORARY, RunFolder, Shard, shard_name, sync_folder

ABOUT, STORY = b"fieldmark", b"fieldmark.shard"  # in the schema: how it was made; in the file: what became of it
BUFFERED = 32 << 20  # bytes of columns that wait for a row group
Rejection = tuple[int, str, str]  # index, name, reason


def base_columns(items: Sequence[Item], truth: bool) -> dict[str, Any]:
    """What every run's rows begin with: the item's number, its name, and its true class where the source says."""
    import numpy as np

    columns: dict[str, Any] = {
        "index": np.array([item.index for item in items], np.int64),
        "source": [item.name for item in items],
    }
    if truth:
        said = [None if item.truth is None else str(item.truth) for item in items]
        columns["truth"] = arrow().array(said, arrow().string())
    return columns


class ShardWriter:
    """One shard being written. `add` any number of batches, then `finish`; or `abandon`."""

    def __init__(self, folder: Path, number: int, start: int, schema: Any = None, half: bool = False) -> None:
        self.folder, self.number, self.start, self.stop, self.half = folder, number, start, start, half
        self.schema = schema  # of the run, once known; without metadata
        self.rejected: list[Rejection] = []
        self.changed: list[str] = []
        self.remarks: Counter[str] = Counter()
        self.lost: dict[str, float] = {}
        self.first: str | None = None
        self.about: Mapping[str, Any] = {}  # settings, versions, provenance: known when the first images are computed
        self._path = folder / f"{TEMPORARY}{number:08d}-{uuid.uuid4().hex[:12]}"
        self._file: Any = None
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = 0

    def add(self, items: Sequence[Item], columns: Mapping[str, Any]) -> None:
        """One row an item. Raises FieldmarkError where the columns are not those of the run."""
        truthful = any(item.truth is not None for item in items)
        truth = truthful if self.schema is None else "truth" in self.schema.names
        given = {**base_columns(items, truth), **columns}
        if self.half:
            given, lost = as_half(given)
            self.lost = {name: max(lost.get(name, 0), self.lost.get(name, 0)) for name in lost | self.lost}
        table = to_table(given)
        if self.schema is None:
            self.schema = table.schema
        if other := same_layout(self.schema, table.schema):
            expected, received = (
                [str(each.field(name).type) if name in each.names else "nothing" for name in other[:1]]
                for each in (self.schema, table.schema)
            )
            raise FieldmarkError(
                f"column {other[0]}: expected {expected[0]} as in the first images, received {received[0]}; "
                "one run holds maps of one size"
            )
        self._waiting.append(table.select(self.schema.names).cast(self.schema))
        self._rows += len(items)
        if sum(each.nbytes for each in self._waiting) >= BUFFERED:
            self._flush()

    def learn(self, columns: Mapping[str, Any]) -> None:
        """Take the columns' names and types from those of an image that is not of the run."""
        given = {**base_columns([Item(0, "", None)], False), **columns}
        self.schema = to_table(as_half(given)[0] if self.half else given).schema

    def finish(self) -> Shard:
        """Write what waits and the metadata, sync, and give the file its name."""
        if self.schema is None:
            raise FieldmarkError("shard: no columns are known yet")
        self._flush(always=True)
        story = {
            "number": self.number,
            "start": self.start,
            "stop": self.stop,
            "rejected": self.rejected,
            "changed": self.changed,
            "remarks": dict(self.remarks),
            "float16_error": self.lost or None,
            "first": self.first,
        }
        self._writer.add_key_value_metadata({STORY: json.dumps(story, default=str).encode()})
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        path = self.folder / shard_name(self.number)
        size, digest = self._path.stat().st_size, sha256(self._path)
        os.replace(self._path, path)
        sync_folder(self.folder)
        return Shard(
            number=self.number,
            start=self.start,
            stop=self.stop,
            rows=self._rows,
            rejected=len(self.rejected),
            changed=len(self.changed),
            bytes=size,
            sha256=digest,
            first=self.first,
            remarks=dict(self.remarks),
        )

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            with contextlib.suppress(Exception):  # the disk is full, or the like: this file is thrown away
                self._writer.close()
            with contextlib.suppress(OSError):
                self._file.close()
        self._path.unlink(missing_ok=True)

    def _flush(self, always: bool = False) -> None:
        pa = arrow()
        if self._writer is None and (self._waiting or always):
            self._file = open(self._path, "wb")  # noqa: SIM115 closed by finish or abandon
            schema = self.schema.with_metadata({ABOUT: json.dumps(self.about, default=str)})
            words = [field.name for field in schema if pa.types.is_string(field.type)]  # one of floats is larger
            self._writer = pa.parquet.ParquetWriter(
                self._file, schema, compression="zstd", compression_level=1, use_dictionary=words
            )
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._waiting.clear()
            self._writer.write_table(table, row_group_size=max(len(table), 1))


def read_story(path: Path) -> dict[str, Any]:
    """What a shard says of itself: settings, provenance, rejected items. Raises FieldmarkError for another file."""
    try:
        metadata = arrow().parquet.read_metadata(path).metadata or {}
        return {**json.loads(metadata[ABOUT]), **json.loads(metadata[STORY])}
    except (OSError, ValueError, KeyError):
        raise FieldmarkError(f"{path}: not a shard of a run, or damaged; run the same again to mend it") from None


def read_shard(path: Path) -> Shard | None:
    """The record of a shard that has its name but no line in the log; None where the file is not whole."""
    try:
        story = read_story(path)
        rows = arrow().parquet.read_metadata(path).num_rows
    except (FieldmarkError, OSError):
        return None
    return Shard(
        number=story["number"],
        start=story["start"],
        stop=story["stop"],
        rows=rows,
        rejected=len(story["rejected"]),
        changed=len(story["changed"]),
        bytes=path.stat().st_size,
        sha256=sha256(path),
        first=story["first"],
        remarks=story["remarks"],
    )


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_rejected(folder: RunFolder, finished: Mapping[int, Shard]) -> None:
    """One table of every image that could not be read: its number, name and the reason."""
    pa = arrow()
    schema = pa.schema([("index", pa.int64()), ("source", pa.string()), ("reason", pa.string())])
    partial = folder.path / f"{TEMPORARY}{REJECTED}"
    with open(partial, "wb") as file, pa.parquet.ParquetWriter(file, schema) as writer:
        for number in sorted(finished):
            if finished[number].rejected:
                rows = read_story(folder.shards / shard_name(number))["rejected"]
                columns = [pa.array(column) for column in zip(*rows, strict=True)]
                writer.write_table(pa.table(columns, schema=schema))
        writer.close()
        os.fsync(file.fileno())
    os.replace(partial, folder.path / REJECTED)
    sync_folder(folder.path)
