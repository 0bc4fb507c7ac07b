"""Where images come from: whatever a user calls a source becomes one of four kinds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.run.sources.arrays import ArraySource, HuggingFaceSource, IterableSource, from_datasets, saved_dataset
from fieldmark.run.sources.base import Item, Shape, Source, decode
from fieldmark.run.sources.files import FileSource
from fieldmark.run.sources.tables import ParquetSource, find_parquet, parquet_source

__all__ = [
    "ArraySource",
    "FileSource",
    "HuggingFaceSource",
    "Item",
    "IterableSource",
    "ParquetSource",
    "Shape",
    "Source",
    "SourceOptions",
    "as_source",
    "decode",
]


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How a source is read.

    column          the column of images, in tables
    truth           the column of true classes, in tables; "folder": an image's folder is its class
    split           which split of a saved Hugging Face dataset
    channels_first  whether an iterable's arrays are (c, h, w); None: torch tensors that look like it are
    """

    column: str | None = None
    truth: str | None = None
    split: str | None = None
    channels_first: bool | None = None


def as_source(given: Any, options: SourceOptions, listing: Path) -> Source:
    """The source for a folder, glob or file (or several), a Parquet file, a saved dataset, an array or an iterable.

    listing  where the listing of image files is, or will be, written
    """
    if isinstance(given, (ArraySource, FileSource, HuggingFaceSource, IterableSource, ParquetSource)):
        return given
    if isinstance(given, (str, os.PathLike)):
        return _from_paths([os.fspath(given)], options, listing)
    if isinstance(given, (list, tuple)) and given and all(isinstance(each, (str, os.PathLike)) for each in given):
        return _from_paths([os.fspath(each) for each in given], options, listing)
    if isinstance(given, np.ndarray):
        if given.ndim not in (3, 4) or 0 in given.shape:
            raise ImageError(f"source: expected images (n, height, width, channels), received shape {given.shape}")
        return ArraySource(given if given.ndim == 4 else given[None])
    if hasattr(given, "features") and hasattr(given, "cast_column"):
        return from_datasets(given, options.column, options.truth)
    if isinstance(given, Sequence) and not len(given):
        raise ImageError("source: expected at least one image, received none")
    if hasattr(given, "__iter__") and not hasattr(given, "__next__"):
        return IterableSource(given, options.channels_first)
    raise FieldmarkError(
        "source: expected a folder, glob or file, a Parquet file, a saved dataset, an array (n, h, w, c), or something "
        "that can be iterated again from the start (a tf.data.Dataset, a DataLoader, a list), "
        f"received {type(given).__name__}"
    )


def _from_paths(given: list[str], options: SourceOptions, listing: Path) -> Source:
    if len(given) == 1:
        folder = Path(given[0]).expanduser()
        if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():
            return saved_dataset(folder, options.column, options.truth, options.split)
    tables = [path for each in given for path in find_parquet(each)]
    if tables:
        return parquet_source(list(dict.fromkeys(tables)), options.column, options.truth)
    for name in ("column", "split"):
        if getattr(options, name) is not None:
            raise FieldmarkError(
                f"--{name} {getattr(options, name)}: {given[0]} is no Parquet file and no saved dataset; leave it out"
            )
    if options.truth not in (None, "folder"):
        raise FieldmarkError(f"--truth {options.truth}: image files have no columns; expected folder, or leave it out")
    return FileSource(tuple(given), str(listing.absolute()), truth_from_folder=options.truth == "folder")
