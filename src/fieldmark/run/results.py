"""Reading a run back: a bounded number of rows at a time, or one image's maps as an Attribution."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.attribution import Attribution
from fieldmark.errors import BackendError, FieldmarkError
from fieldmark.run.arrow import arrow, to_numpy
from fieldmark.run.store import MANIFEST, REJECTED, SHARDS
from fieldmark.run.writer import read_story

ROWS = 512


class Results:
    """What a run left in its folder, finished or not. Raises FieldmarkError for a folder without a run.

    manifest  settings, versions, totals and notes, as `manifest.json` has them
    files     the shards, in the order of their images
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser()
        try:
            self.manifest: dict[str, Any] = json.loads((self.folder / MANIFEST).read_text("utf-8"))
        except FileNotFoundError:
            raise FieldmarkError(f"{self.folder}: no run here; expected a folder that `fieldmark run` wrote") from None
        except ValueError:
            raise FieldmarkError(f"{self.folder / MANIFEST}: damaged; run the same again to mend it") from None
        self.files = sorted((self.folder / SHARDS).glob("[0-9]*.parquet"))
        if not self.files:
            raise FieldmarkError(f"{self.folder}: no shard is finished yet; run the same again")
        self.schema = arrow().parquet.read_schema(self.files[0])

    def __len__(self) -> int:
        """Images with results."""
        pq = arrow().parquet
        return sum(pq.read_metadata(path).num_rows for path in self.files)

    def __repr__(self) -> str:
        return f"<Results {self.folder}: {len(self)} images, {', '.join(self.methods)}>"

    @property
    def methods(self) -> list[str]:
        """The columns of maps."""
        return list((read_story(self.files[0]).get("provenance") or {}).get("columns", {}))

    def signed(self, method: str) -> bool:
        """Whether negative values of this method's maps mean evidence against."""
        return bool(read_story(self.files[0])["provenance"]["columns"][method]["signed"])

    def batches(self, columns: Sequence[str] | None = None, rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """All rows, at most `rows` at a time: numbers and maps as arrays, words as lists, by column."""
        pq = arrow().parquet
        for path in self.files:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=rows, columns=list(columns) if columns else None):
                    yield {name: to_numpy(batch.column(name)) for name in batch.schema.names}

    def rejected(self) -> list[tuple[int, str, str]]:
        """(index, source, reason) of every image that could not be read."""
        table = arrow().parquet.read_table(self.folder / REJECTED)
        return list(zip(*(table[name].to_pylist() for name in table.schema.names), strict=True))

    def row(self, index: int) -> dict[str, Any]:
        """The columns of the image with this number, one row each. Raises FieldmarkError where there is none."""
        pq = arrow().parquet
        for path in self._shards_of(index):
            table = pq.read_table(path, filters=[("index", "==", index)])
            if table.num_rows:
                return {name: to_numpy(table[name]) for name in table.schema.names}
        raise FieldmarkError(f"{self.folder}: image {index} has no results")

    def attribution(self, index: int, method: str | None = None, images: np.ndarray | None = None) -> Attribution:
        """The maps of one image by one method (the first), as the explainer returned them; `images` to draw them on."""
        method = method or self.methods[0]
        row = self.row(index)
        prefix = f"{method}_" if f"{method}_targets" in row else ""
        story = read_story(self._shards_of(index)[0])["provenance"]["columns"][method]
        return Attribution(
            maps=np.asarray(row[method], np.float32),
            scores=row[f"{prefix}scores"],
            probabilities=row[f"{prefix}probabilities"],
            classes=row[f"{prefix}target_classes"].astype(np.int64),
            targets=tuple(map(tuple, row[f"{prefix}targets"])),
            provenance=story,
            images=images,
            signed=bool(story["signed"]),
            variance=row.get(f"{method}_variance"),
            pictures=row.get(f"{method}_picture"),
        )

    def dataset(self) -> Any:
        """A Hugging Face `datasets.Dataset` over the shards. Its maps are flat lists: `datasets` has no tensor type
        that Arrow's reads into; the shape is in `Results.schema`."""
        try:
            import datasets
        except ImportError:
            raise BackendError("Results.dataset needs the package datasets: pip install datasets") from None
        pa = arrow()
        fields = [
            field.with_type(field.type.storage_type) if isinstance(field.type, pa.FixedShapeTensorType) else field
            for field in self.schema.remove_metadata()
        ]
        features = datasets.Features.from_arrow_schema(pa.schema(fields))
        return datasets.Dataset.from_parquet([str(path) for path in self.files], features=features)

    def _shards_of(self, index: int) -> list[Path]:
        """The shard that holds this image, by bisection: shards are in the order of their images."""
        low, high = 0, len(self.files)
        while low < high:
            middle = (low + high) // 2
            if read_story(self.files[middle])["stop"] <= index:
                low = middle + 1
            else:
                high = middle
        return self.files[low : low + 1]
