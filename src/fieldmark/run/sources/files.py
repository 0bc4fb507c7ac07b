"""Image files in folders and globs: listed once, in a fixed order, with a stamp that tells when one changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.images import SUFFIXES, find_images
from fieldmark.run.arrow import arrow
from fieldmark.run.sources.base import Item

LISTED = 4_096  # files a row group of a listing


@dataclass(frozen=True)
class FileSource:
    """The files that folders, globs and paths name. `listing` is the Parquet file that `list_files` wrote of them."""

    patterns: tuple[str, ...]
    listing: str
    truth_from_folder: bool = False
    kind: str = "files"

    @property
    def count(self) -> int:
        return int(arrow().parquet.read_metadata(self.listing).num_rows)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "images": [str(Path(each).expanduser().absolute()) for each in self.patterns],
            "truth": "folder" if self.truth_from_folder else None,
        }

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        pq = arrow().parquet
        with pq.ParquetFile(self.listing, memory_map=True) as file:
            first = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                low, high = max(start - first, 0), rows if stop is None else min(stop - first, rows)
                if low < high:
                    columns = file.read_row_group(group).slice(low, high - low).to_pydict()
                    yield from self._items(columns, first + low)
                first += rows

    def _items(self, columns: dict[str, list[Any]], first: int) -> Iterator[Item]:
        for offset, (path, size, changed) in enumerate(
            zip(columns["source"], columns["size"], columns["modified"], strict=True)
        ):
            truth = Path(path).parent.name if self.truth_from_folder else None
            yield Item(first + offset, path, Path(path), truth, (size, changed))


def list_files(patterns: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(absolute path, size, mtime in ns) of every image file, sorted within each pattern, each file once.

    Folders are walked without holding their listing; raises ImageError as `find_images` does.
    """
    if len(patterns) == 1 and Path(patterns[0]).expanduser().is_dir():
        root = Path(patterns[0]).expanduser().absolute()
        found = False
        for each in _walk(str(root)):
            found = True
            yield each
        if not found:
            raise ImageError(f"{patterns[0]}: no images in this folder; expected files ending in {', '.join(SUFFIXES)}")
        return
    for path in find_images(patterns):
        status = path.stat()
        yield str(path.absolute()), status.st_size, status.st_mtime_ns


def _walk(folder: str) -> Iterator[tuple[str, int, int]]:
    """Depth first, each folder sorted by name: only one folder's names are in memory at a time."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted((each for each in entries if not each.name.startswith(".")), key=lambda each: each.name)
    except OSError as error:
        raise FieldmarkError(f"{folder}: {(error.strerror or str(error)).lower()}; make it readable") from None
    for entry in listed:
        if entry.is_dir():
            yield from _walk(entry.path)
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            try:
                status = entry.stat()
            except FileNotFoundError:  # a dangling link: reading it will say so
                yield entry.path, 0, 0
            else:
                yield entry.path, status.st_size, status.st_mtime_ns


def write_listing(path: Path, files: Iterator[tuple[str, int, int]], before: Any = None) -> int:
    """Write a listing, the table `before` first; returns the number of files."""
    pa = arrow()
    schema = pa.schema([("source", pa.string()), ("size", pa.int64()), ("modified", pa.int64())])
    rows: list[tuple[str, int, int]] = []
    total = 0

    def flush(writer: Any) -> None:
        if rows:
            writer.write_table(pa.table([pa.array(column) for column in zip(*rows, strict=True)], schema=schema))
            rows.clear()

    with open(path, "wb") as file, pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        if before is not None:
            writer.write_table(before.cast(schema), row_group_size=LISTED)
            total += before.num_rows
        for each in files:
            rows.append(each)
            total += 1
            if len(rows) == LISTED:
                flush(writer)
        flush(writer)
        writer.close()
        file.flush()
        os.fsync(file.fileno())
    return total


@dataclass(frozen=True)
class Changes:
    """What is different from the listing of before: how many, and one name of each."""

    added: int = 0
    vanished: int = 0
    changed: int = 0
    examples: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.vanished or self.changed)


def compare(before: Path, now: Path) -> tuple[Changes, Any]:
    """How the listing `now` differs from `before`; and the table of files that are only in `now`."""
    pa = arrow()
    old, new = (pa.parquet.read_table(path, memory_map=True) for path in (before, now))
    added = new.join(old.select(["source"]), "source", join_type="left anti").sort_by("source")
    gone = old.join(new.select(["source"]), "source", join_type="left anti").sort_by("source")
    both = old.join(new, "source", join_type="inner", left_suffix="_old", right_suffix="_new")
    compute = pa.compute
    moved = compute.or_(
        compute.not_equal(both["size_old"], both["size_new"]),
        compute.not_equal(both["modified_old"], both["modified_new"]),
    )
    altered = both.filter(moved).sort_by("source")
    examples = tuple(str(table["source"][0]) for table in (added, gone, altered) if table.num_rows)
    return Changes(added.num_rows, gone.num_rows, altered.num_rows, examples), added
