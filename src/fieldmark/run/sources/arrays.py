"""Images that Python holds or makes: arrays, tf.data, a torch DataLoader, any iterable; and Hugging Face datasets."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import BackendError, FieldmarkError, ImageError, unknown
from fieldmark.run.sources.base import Item
from fieldmark.run.sources.tables import payload_of

SAMPLED = 64  # images of an array whose bytes tell it from another
CHANNELS = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class ArraySource:
    """One array of images (n, h, w, c), also a memory map of a file larger than memory."""

    images: np.ndarray
    kind: str = "array"

    @property
    def count(self) -> int:
        return len(self.images)

    def describe(self) -> dict[str, Any]:
        picked = np.linspace(0, len(self.images) - 1, min(SAMPLED, len(self.images))).astype(int)
        digest = 0
        for number in picked:
            digest = zlib.crc32(np.ascontiguousarray(self.images[number]).tobytes(), digest)
        return {
            "kind": self.kind,
            "shape": list(self.images.shape),
            "dtype": str(self.images.dtype),
            "sample": f"{digest:08x}",
        }

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        for number in range(start, len(self.images) if stop is None else min(stop, len(self.images))):
            yield Item(number, f"image {number}", np.asarray(self.images[number]))


@dataclass(frozen=True, eq=False)
class IterableSource:
    """Images, batches of them, or (images, classes), from anything that can be iterated from the start again.

    `channels_first` is for torch's (c, h, w). Nothing says how many there are, and a run that goes on reads past those
    that are finished; their first image must then be the same as before.
    """

    items: Iterable[Any]
    channels_first: bool | None = None
    kind: str = "iterable"
    count: None = None

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "type": f"{type(self.items).__module__}.{type(self.items).__qualname__}"}

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        number = 0
        iterator = getattr(self.items, "as_numpy_iterator", self.items.__iter__)()
        for element in iterator:
            for image, truth in self._images(element, number):
                if stop is not None and number >= stop:
                    return
                if number >= start:
                    yield Item(number, f"image {number}", image, truth)
                number += 1

    def _images(self, element: Any, number: int) -> Iterator[tuple[Any, int | None]]:
        truth: Any = None
        if isinstance(element, Mapping):
            element = (element.get("image", element.get("pixel_values")), element.get("label", element.get("labels")))
        if isinstance(element, (tuple, list)) and len(element) == 2:
            element, truth = element
        try:
            array = numeric(element)
        except (TypeError, ValueError):
            raise ImageError(
                f"image {number}: expected an array (h, w, c) or (n, h, w, c), alone or with its class, "
                f"received {type(element).__name__}"
            ) from None
        first = self._is_channels_first(element, array) if self.channels_first is None else self.channels_first
        if first and array.ndim in (3, 4):
            array = np.moveaxis(array, -3, -1)
        batch = array if array.ndim == 4 else array[None]
        truths = classes_of(truth, len(batch))
        yield from zip(batch, truths, strict=True)

    @staticmethod
    def _is_channels_first(element: Any, array: np.ndarray) -> bool:
        torch = hasattr(element, "detach") and array.ndim in (3, 4)
        return torch and array.shape[-3] in CHANNELS and array.shape[-1] not in CHANNELS


def numeric(value: Any) -> np.ndarray:
    """An array of numbers from an array or tensor. Raises TypeError for anything else."""
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if array.dtype.kind not in "buif" or array.ndim < 2:
        raise TypeError(f"no image: {array.dtype} {array.shape}")
    return array


def classes_of(truth: Any, n: int) -> list[Any]:
    """One class an image, or None: from a number, an array of n, one-hot rows, or nothing."""
    if truth is None:
        return [None] * n
    array = np.asarray(truth.detach().cpu().numpy() if hasattr(truth, "detach") else truth)
    if array.ndim == 2 and len(array) == n:
        array = array.argmax(axis=1)
    flat = array.reshape(-1).tolist()
    return flat if len(flat) == n else [None] * n


@dataclass(frozen=True, eq=False)
class HuggingFaceSource:
    """A `datasets.Dataset`: one that was saved to a folder, or one in memory. The images' bytes are decoded here."""

    data: Any
    column: str
    truth: str | None = None
    path: str | None = None
    kind: str = "hugging face"

    @property
    def count(self) -> int:
        return len(self.data)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "path": self.path,
            "column": self.column,
            "truth": self.truth,
            "rows": len(self.data),
            "fingerprint": str(getattr(self.data, "_fingerprint", "")),
        }

    def read(self, start: int, stop: int | None) -> Iterator[Item]:
        where = Path(self.path).name if self.path else "row"
        names = self._class_names()
        last = len(self.data) if stop is None else min(stop, len(self.data))
        for number in range(start, last):
            row = self.data[number]
            value = row[self.column]
            payload = payload_of(value) if value is None or isinstance(value, (dict, bytes)) else np.asarray(value)
            truth = row.get(self.truth) if self.truth else None
            yield Item(number, f"{where}:{number}", payload, names[truth] if names and truth is not None else truth)

    def _class_names(self) -> list[str] | None:
        return getattr(self.data.features.get(self.truth), "names", None) if self.truth else None


def saved_dataset(path: Path, column: str | None, truth: str | None, split: str | None) -> HuggingFaceSource:
    """The source of a folder that `datasets.Dataset.save_to_disk` wrote. Raises FieldmarkError, one line."""
    try:
        import datasets
    except ImportError:
        raise BackendError("a saved Hugging Face dataset needs the package datasets: pip install datasets") from None
    try:
        data = datasets.load_from_disk(str(path))
    except Exception as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:160]
        raise FieldmarkError(f"{path}: a saved dataset that cannot be read ({said}); save it again") from None
    if isinstance(data, datasets.DatasetDict):
        if split is None and len(data) == 1:
            split = next(iter(data))
        if split not in data:
            problem = unknown("split", split, list(data)) if split else f"say which split: {', '.join(data)}"
            raise FieldmarkError(f"{path}: {problem}; --split NAME")
        data = data[split]
    return from_datasets(data, column, truth, str(path.absolute()))


def from_datasets(data: Any, column: str | None, truth: str | None, path: str | None = None) -> HuggingFaceSource:
    """The source of a `datasets.Dataset`. Raises FieldmarkError for a column that is missing or holds no images."""
    import datasets

    where = path or "dataset"
    images = [name for name, feature in data.features.items() if isinstance(feature, datasets.Image)]
    arrays = [name for name, feature in data.features.items() if type(feature).__name__ == "Array3D"]
    if column is None:
        if not images and len(arrays) != 1:
            raise FieldmarkError(f"{where}: expected a column of images; columns: {', '.join(data.features)}")
        column = images[0] if images else arrays[0]
    if column not in data.features:
        raise FieldmarkError(f"{where}: {unknown('column', column, list(data.features))}")
    if column not in images + arrays:
        raise FieldmarkError(
            f"{where}: column {column}: expected datasets.Image or Array3D, received {data.features[column]}"
        )
    if truth is not None and truth not in data.features:
        raise FieldmarkError(f"{where}: {unknown('column', truth, list(data.features))}")
    if not len(data):
        raise ImageError(f"{where}: expected at least one image, received none")
    data = data.with_format(None)
    kept = data.select_columns([column] + ([truth] if truth else []))
    if column in images:
        kept = kept.cast_column(column, datasets.Image(decode=False))
    return HuggingFaceSource(kept, column, truth, path)
