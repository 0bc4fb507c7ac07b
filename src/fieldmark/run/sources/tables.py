"""Images in Parquet files: bytes, Hugging Face's struct of bytes and path, or fixed-shape tensors."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldmark.errors import FieldmarkError, ImageError, unknown
from fieldmark.run.arrow import arrow, to_numpy
from fieldmark.run.sources.base import Item

ROWS = 64  # read at a time: what one read of large images may hold


@dataclass(frozen=True)
class Part:
    """One Parquet file: how many rows it has, and the stamp that tells when it changed."""

    path: str
    rows: int
    size: int
    modified: int


@dataclass(frozen=True)
class ParquetSource:
    """The rows of Parquet files in order. `truth` is the column of true classes, if any."""

    parts: tuple[Part, ...]
    column: str
    truth: str | None = None
    kind: str = "parquet"

    @property
    def count(self) -> int:
        return sum(part.rows for part in self.parts)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "column": self.column,
            "truth": self.truth,
            "files": [[part.path, part.rows, part.size, part.modified] for part in self.parts],
        }

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        first = 0
        for part in self.parts:
            low, high = max(start - first, 0), part.rows if stop is None else min(stop - first, part.rows)
            if low < high:
                for row, payload, truth in _rows(part, self.column, self.truth, low, high):
                    yield Item(first + row, f"{part.path}:{row}", payload, truth)
            first += part.rows


def parquet_source(files: Sequence[Path], column: str | None, truth: str | None) -> ParquetSource:
    """The source of these files. Raises FieldmarkError for a damaged file, a missing column or one of a wrong type."""
    pq = arrow().parquet
    parts, chosen = [], column
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                schema, rows = file.schema_arrow, file.metadata.num_rows
        except FileNotFoundError:
            raise FieldmarkError(f"{path}: no such file") from None
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0][:120]
            raise FieldmarkError(f"{path}: not a Parquet file, or damaged ({said}); get a whole copy of it") from None
        chosen = check_column(schema, chosen, str(path))
        if truth is not None and truth not in schema.names:
            raise FieldmarkError(f"{path}: {unknown('column', truth, schema.names)}")
        status = path.stat()
        parts.append(Part(str(path.absolute()), rows, status.st_size, status.st_mtime_ns))
    if chosen is None or not sum(part.rows for part in parts):
        raise ImageError(f"{', '.join(map(str, files[:3])) or 'source'}: expected at least one image, received none")
    return ParquetSource(tuple(parts), chosen, truth)


def find_parquet(pattern: str) -> list[Path]:
    """The Parquet files that a path, a folder (not those below it) or a glob names; none where it is something else."""
    path = Path(pattern).expanduser()
    if path.suffix.lower() == ".parquet" and path.is_file():
        return [path]
    if path.is_dir():
        return sorted(each for each in path.glob("*.parquet") if each.is_file())
    if glob.has_magic(str(path)):
        return sorted(each for each in map(Path, glob.glob(str(path), recursive=True)) if each.suffix == ".parquet")
    return []


def check_column(schema: Any, column: str | None, where: str) -> str:
    """The column of images: the one named, else "image", else the only one that could hold them."""
    fitting = [field.name for field in schema if _holds_images(field.type)]
    if column is None:
        if "image" in schema.names:
            column = "image"
        elif len(fitting) == 1:
            return fitting[0]
        else:
            listed = ", ".join(f"{field.name} ({_said(field.type)})" for field in schema)
            raise FieldmarkError(f"{where}: expected a column called image; say which with --column. Columns: {listed}")
    if column not in schema.names:
        raise FieldmarkError(f"{where}: {unknown('column', column, schema.names)}")
    if column not in fitting:
        rest = f"; {fitting[0]} would do: --column {fitting[0]}" if fitting else ""
        raise FieldmarkError(
            f"{where}: column {column}: expected images as bytes, as struct<bytes, path> or as fixed-shape tensors "
            f"(height, width, channels), received {_said(schema.field(column).type)}{rest}"
        )
    return column


def _holds_images(kind: Any) -> bool:
    pa = arrow()
    types = pa.types
    if isinstance(kind, pa.FixedShapeTensorType):
        return len(kind.shape) == 3
    if types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return "bytes" in names and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: Any) -> bool:
    types = arrow().types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _said(kind: Any) -> str:
    text = " ".join(str(kind).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rows(part: Part, column: str, truth: str | None, low: int, high: int) -> Iterator[tuple[int, Any, Any]]:
    """(row, payload, truth) of rows low to high of one file; only the row groups that hold them are read.

    Raises FieldmarkError for a file that is not what it was when the run was planned, or cannot be read any more.
    """
    try:
        status = os.stat(part.path)
        if (status.st_size, status.st_mtime_ns) != (part.size, part.modified):
            raise FieldmarkError(
                f"{part.path}: changed while the run was at it; finished shards are kept: put back what it was, "
                "or start anew in another folder"
            )
        yield from _rows_of(part, column, truth, low, high)
    except FieldmarkError:
        raise
    except (OSError, ValueError) as error:  # gone, cut short, or a page of it damaged
        said = (getattr(error, "strerror", None) or str(error)).splitlines()[0][:120].lower()
        raise FieldmarkError(f"{part.path}: cannot be read any more ({said}); finished shards are kept") from None


def _rows_of(part: Part, column: str, truth: str | None, low: int, high: int) -> Iterator[tuple[int, Any, Any]]:
    pq = arrow().parquet
    names = [column] if truth is None else [column, truth]
    with pq.ParquetFile(part.path) as file:
        groups: list[int] = []
        first = start = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if first < high and first + rows > low:
                start = first if not groups else start
                groups.append(group)
            first += rows
        row = start
        for batch in file.iter_batches(batch_size=ROWS, row_groups=groups, columns=names):
            if row + len(batch) > low:
                yield from _decoded_rows(batch, names, row, low, high)
            row += len(batch)
            if row >= high:
                return


def _decoded_rows(batch: Any, names: list[str], row: int, low: int, high: int) -> Iterator[tuple[int, Any, Any]]:
    pa = arrow()
    skip = max(low - row, 0)
    part = batch.slice(skip, min(high - row, len(batch)) - skip)
    images = part.column(names[0])
    truths = part.column(names[1]).to_pylist() if len(names) > 1 else [None] * len(part)
    if isinstance(images.type, pa.FixedShapeTensorType):
        payloads: Any = list(to_numpy(images))
    else:
        payloads = [payload_of(value) for value in images.to_pylist()]
    for offset, (payload, said) in enumerate(zip(payloads, truths, strict=True)):
        yield row + skip + offset, payload, said


def payload_of(value: Any) -> Any:
    """Bytes as they are; of a struct its bytes, else the file at its path; an ImageError where there is neither."""
    if isinstance(value, dict):
        path = value.get("path")
        value = value.get("bytes") if value.get("bytes") is not None else Path(path) if path else None
    return ImageError("no image in this row (null)") if value is None else value
