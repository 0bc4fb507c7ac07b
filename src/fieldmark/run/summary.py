"""What a person wants to know after a million images: counts, mean maps, the typical and the odd, confused pairs.

Two passes over the shards, each in bounded memory: the first adds up the maps of each class, the second compares every
map with the mean of its class.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fieldmark.attribution import resize_maps
from fieldmark.progress import track
from fieldmark.run.results import Results

GRID = 32  # maps are compared at most at this size
CLASSES = 12  # classes shown with their maps, the most frequent
EXAMPLES = 3  # typical and untypical images of a class
OUTLIERS = 12
PAIRS = 12
CLOSE = 0.2  # a second class within this of the first's probability is a confusion, where no truth is known
BORDER = 1 / 8  # of the height and of the width, on each side


@dataclass(frozen=True)
class Example:
    """One image: its number, name, class in words and probability, and the value it was chosen for."""

    index: int
    source: str
    predicted: str
    probability: float
    value: float


@dataclass
class ClassSummary:
    """A predicted class: how many images, the mean of their maps (each scaled to 1), the nearest and furthest."""

    name: str
    count: int
    probability: float
    blank: int
    mean: np.ndarray
    typical: list[Example] = field(default_factory=list)
    untypical: list[Example] = field(default_factory=list)
    likeness: float = math.nan  # mean correlation of a map with the mean map


@dataclass
class Summary:
    """Everything that the page shows, and that `summary.json` has without the maps.

    judged     images whose true class is known and one of the model's; accuracy: the share of them that is right
    strangers  true classes that the model does not have, with their images
    """

    method: str
    signed: bool
    images: int
    rejected: int
    blank: int
    truth_known: bool
    judged: int
    accuracy: float | None
    strangers: list[tuple[str, int]]
    classes: list[ClassSummary]
    counts: list[tuple[str, int]]
    pairs: list[tuple[str, str, int]]
    outliers: list[Example]
    border_share: float  # of a map that is spread evenly
    border_median: float
    manifest: dict[str, Any]


def summarise(results: Results, method: str | None = None) -> Summary:
    """Summarise one method's maps (the first target of each image). Raises FieldmarkError as `Results` does."""
    method = method or results.methods[0]
    first = _First(method, results.manifest.get("labels"))
    for batch in track(_rows(results, method), _steps(results), "Adding up maps"):
        first.take(batch)
    shown = [name for name, _ in first.counts.most_common(CLASSES)]
    second = _Second(method, {name: first.mean(name) for name in first.counts})
    for batch in track(_rows(results, method), _steps(results), "Comparing maps"):
        second.take(batch)
    classes = [first.summary(name) for name in shown]
    for each in classes:
        second.finish(each)
    totals = results.manifest.get("totals", {})
    signed = (
        bool(results.manifest["provenance"]["columns"][method]["signed"]) if "provenance" in results.manifest else False
    )
    return Summary(
        method=method,
        signed=signed,
        images=sum(first.counts.values()),
        rejected=int(totals.get("rejected", 0)),
        blank=sum(first.blank.values()),
        truth_known=first.judged > 0 or bool(first.strangers),
        judged=first.judged,
        accuracy=first.right / first.judged if first.judged else None,
        strangers=first.strangers.most_common(),
        classes=classes,
        counts=first.counts.most_common(),
        pairs=[(a, b, n) for (a, b), n in first.pairs.most_common(PAIRS)],
        outliers=second.outliers(),
        border_share=border_mask(first.shape).mean(),
        border_median=second.median(),
        manifest=results.manifest,
    )


def _rows(results: Results, method: str) -> Iterator[dict[str, Any]]:
    wanted = ["index", "source", "predicted", "predicted_class", "probability", "top_classes", "top_probabilities"]
    wanted += ["truth"] if "truth" in results.schema.names else []
    for batch in results.batches([*wanted, method]):
        batch["maps"] = reduced(np.asarray(batch.pop(method), np.float32)[:, 0])
        yield batch


def _steps(results: Results) -> int:
    return sum(-(-_count(path) // 512) for path in results.files)


def _count(path: Any) -> int:
    from fieldmark.run.arrow import arrow

    return int(arrow().parquet.read_metadata(path).num_rows)


def reduced(maps: np.ndarray) -> np.ndarray:
    """Maps (n, h, w) of at most GRID x GRID, each divided by its largest absolute value; blank ones stay zero."""
    h, w = maps.shape[1:]
    if max(h, w) > GRID:
        maps = resize_maps(maps[:, None], (min(h, GRID), min(w, GRID)))[:, 0]
    maps = np.nan_to_num(maps, posinf=0, neginf=0)
    largest = np.abs(maps).reshape(len(maps), -1).max(axis=1)
    return np.divide(maps, largest[:, None, None], out=np.zeros_like(maps), where=largest[:, None, None] > 0)


def border_mask(shape: tuple[int, int]) -> np.ndarray:
    """(h, w), true in the outermost BORDER of the height and width, at least one row and column on each side."""
    mask = np.ones(shape, bool)
    rows, columns = (max(1, round(length * BORDER)) for length in shape)
    mask[rows : shape[0] - rows, columns : shape[1] - columns] = False
    return mask


class _First:
    """Sums over all images, by predicted class."""

    def __init__(self, method: str, labels: list[str] | None) -> None:
        self.method = method
        self.known = None if labels is None else {*labels, *map(str, range(len(labels)))}
        self.strangers: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.blank: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.names: dict[int, str] = {}
        self.pending: Counter[tuple[str, int]] = Counter()
        self.probability: Counter[str] = Counter()
        self.right = self.judged = 0
        self.shape = (1, 1)
        self._sums: dict[str, np.ndarray] = {}

    def take(self, batch: dict[str, Any]) -> None:
        maps = batch["maps"]
        self.shape = maps.shape[1:]
        blank = ~maps.any(axis=(1, 2))
        for i, name in enumerate(batch["predicted"]):
            self.counts[name] += 1
            self.blank[name] += int(blank[i])
            self.probability[name] += float(batch["probability"][i])  # type: ignore[assignment]
            self.names[int(batch["predicted_class"][i])] = name
            self._sums.setdefault(name, np.zeros(self.shape))
            self._sums[name] += maps[i]
            self._confusion(batch, i, name)

    def _confusion(self, batch: dict[str, Any], i: int, name: str) -> None:
        truth = batch["truth"][i] if "truth" in batch else None
        if truth is not None:
            right = truth in (name, str(batch["predicted_class"][i]))
            if self.known is not None and truth not in self.known:
                self.strangers[truth] += 1
            else:
                self.judged += 1
                self.right += right
            if not right:
                self.pairs[truth, name] += 1
        elif "truth" not in batch and batch["top_probabilities"].shape[1] > 1:
            first, second = batch["top_probabilities"][i, :2]
            if first - second < CLOSE:
                self.pending[name, int(batch["top_classes"][i, 1])] += 1

    def mean(self, name: str) -> np.ndarray:
        return self._sums[name] / max(1, self.counts[name] - self.blank[name])

    def summary(self, name: str) -> ClassSummary:
        for (first, second), number in self.pending.items():
            self.pairs[first, self.names.get(second, f"class {second}")] += number
        self.pending.clear()
        probability = self.probability[name] / self.counts[name]
        return ClassSummary(name, self.counts[name], probability, self.blank[name], self.mean(name))


class _Second:
    """Every map against the mean of its class; the best and worst are kept, and a histogram of the border's share."""

    def __init__(self, method: str, means: dict[str, np.ndarray]) -> None:
        self.method, self.means = method, means
        self.near: dict[str, list[tuple[float, int, Example]]] = {}
        self.far: dict[str, list[tuple[float, int, Example]]] = {}
        self.edge: list[tuple[float, int, Example]] = []
        self.total: Counter[str] = Counter()
        self.number: Counter[str] = Counter()
        self.histogram = np.zeros(1000, np.int64)

    def take(self, batch: dict[str, Any]) -> None:
        maps = batch["maps"]
        positive = np.maximum(maps, 0)
        sums = positive.sum(axis=(1, 2))
        border = positive[:, border_mask(maps.shape[1:])].sum(axis=1)
        for i, name in enumerate(batch["predicted"]):
            if sums[i] <= 0:
                continue
            share = float(border[i] / sums[i])
            likeness = correlation(maps[i], self.means[name])
            self.histogram[min(999, int(share * 1000))] += 1
            self.total[name] += likeness  # type: ignore[assignment]
            self.number[name] += 1
            _keep(self.edge, share, OUTLIERS, batch, i, share)
            _keep(self.near.setdefault(name, []), likeness, EXAMPLES, batch, i, likeness)
            _keep(self.far.setdefault(name, []), -likeness, EXAMPLES, batch, i, likeness)

    def finish(self, each: ClassSummary) -> None:
        each.typical = _ranked(self.near.get(each.name, []))
        shown = {example.index for example in each.typical}
        each.untypical = [one for one in _ranked(self.far.get(each.name, [])) if one.index not in shown]
        if self.number[each.name]:
            each.likeness = self.total[each.name] / self.number[each.name]

    def outliers(self) -> list[Example]:
        return _ranked(self.edge)

    def median(self) -> float:
        """The median share of the border, to a thousandth."""
        total = self.histogram.sum()
        return float(np.searchsorted(self.histogram.cumsum(), total / 2) / 1000) if total else 0.0


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two maps over their pixels; 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def _keep(heap: list[Any], rank: float, most: int, batch: dict[str, Any], i: int, value: float) -> None:
    """Keep the `most` of highest rank; of equals the first images."""
    index = int(batch["index"][i])
    if len(heap) == most and (rank, -index) <= heap[0][:2]:
        return
    example = Example(index, batch["source"][i], batch["predicted"][i], float(batch["probability"][i]), value)
    (heapq.heappush if len(heap) < most else heapq.heapreplace)(heap, (rank, -index, example))


def _ranked(heap: list[Any]) -> list[Example]:
    return [example for _, _, example in sorted(heap, key=lambda each: (-each[0], -each[1]))]
