"""What `fieldmark.trust` finds: every measure of every method for every image, the ranking, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError, unknown
from fieldmark.trust.metrics import METRIC
from fieldmark.trust.statistics import Interval, difference, interval

BEST, GOOD, DUMMY = "best", "better than the dummies", "no better than a dummy"
GROUPS = (BEST, GOOD, DUMMY)


@dataclass(frozen=True, eq=False)
class Judged:
    """One method, or one dummy, measured.

    name        as it is shown; two of one kind are numbered
    dummy       a random map, the edge detector or the centred Gaussian, which know nothing of the network
    parameters  the explainer's, JSON-able, with its layer
    values      by metric key: float64 (n,), one value an image, NaN where it was not measured
    curves      "deletion_blur", "insertion_mean", ...: mean class probability at each step, float64 (steps + 1,)
    cascade     mean rank correlation with the map of the unshuffled network after each stage; empty: not measured
    notes       one sentence each: what the values rest on, such as maps that were left out
    """

    name: str
    dummy: bool
    parameters: dict[str, Any]
    values: dict[str, np.ndarray]
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    cascade: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def interval(self, key: str) -> Interval:
        """The mean over images and its 95 % interval; n = 0 where it was not measured."""
        if key not in METRIC:
            raise FieldmarkError(unknown("metric", key, METRIC, limit=99))
        return interval(self.values.get(key, np.array([])))


@dataclass(frozen=True)
class Place:
    """Where a method stands, by the metric "gap".

    group       one of GROUPS: "best" is the method with the highest mean and those tied with it
    ties        methods whose paired difference to this one has 0 in its interval
    not_beaten  dummies that it does not beat: the paired difference has 0, or less, in its interval
    """

    name: str
    group: str
    gap: Interval
    ties: tuple[str, ...] = ()
    not_beaten: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passes:
    """Forward passes over masked images.

    used      that were computed, each picture once
    apart     that the same measures would need if each asked for its own, metric by metric and method by method
    maps      forward-pass equivalents of making all maps, those of the sanity and stability checks included
    """

    used: int
    apart: int
    maps: float


@dataclass(frozen=True, eq=False)
class Shown:
    """One image with the map of every method and dummy.

    image    its number among the images; picture  (h, w, c) as given
    maps     by name: (h, w), at its own resolution
    """

    image: int
    picture: np.ndarray
    maps: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Trust:
    """Which map may be believed on this model.

    verdict       one paragraph: which method to use here, which to avoid, how sure, and why
    places        methods best first, without the dummies
    judged        everything measured: methods in the order they were given, then the dummies
    agreement     float64 (m, m): mean rank correlation between the maps of `judged`, in that order
    stages        what was shuffled in each step of the cascade, in words; each includes those before it
    fills         rank correlation of the methods' order under two fills, by pair: {"blur, mean": 0.8}
    failed        methods that gave no map here, and why
    notes         one sentence each: what the result rests on
    settings      images, target, steps, cells, seed, ... JSON-able
    names         of the images, where they have any
    targets       n strings: the class explained for each image
    shown         a few images with their maps, for the page; empty in what `load` reads: maps are not saved
    """

    model: str
    backend: str
    verdict: str
    places: tuple[Place, ...]
    judged: tuple[Judged, ...]
    agreement: np.ndarray
    stages: tuple[str, ...]
    fills: dict[str, float]
    passes: Passes
    seconds: float
    failed: dict[str, str]
    notes: tuple[str, ...]
    settings: dict[str, Any]
    targets: tuple[str, ...]
    names: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return f"<Trust in {len(self.places)} methods on {self.model}: {len(self)} images>"

    def __str__(self) -> str:
        from fieldmark.trust.page import text

        return text(self)

    def __getitem__(self, name: str) -> Judged:
        """The method or dummy of that name. Raises FieldmarkError for another name."""
        for judged in self.judged:
            if judged.name == name:
                return judged
        raise FieldmarkError(unknown("method", name, [judged.name for judged in self.judged], limit=99))

    @property
    def methods(self) -> tuple[Judged, ...]:
        """Without the dummies, in the order they were given."""
        return tuple(judged for judged in self.judged if not judged.dummy)

    @property
    def dummies(self) -> tuple[Judged, ...]:
        return tuple(judged for judged in self.judged if judged.dummy)

    def difference(self, a: str, b: str, key: str = "gap") -> Interval:
        """Of method a less method b, paired by image, with its 95 % interval."""
        nothing = np.full(len(self), np.nan)
        return difference(self[a].values.get(key, nothing), self[b].values.get(key, nothing))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON: means with intervals, every image's values, and what each metric is."""
        from fieldmark.trust.saving import to_dict

        return to_dict(self)

    def save(self, path: str | Path) -> Path:
        """Write `to_dict` to a .json file, whole or not at all. Raises OutputError where it cannot be written."""
        from fieldmark.trust.saving import save

        return save(self, Path(path))

    def write_html(self, path: str | Path) -> Path:
        """Write one page to read without a network: verdict, charts, tables, and what each number means."""
        from fieldmark.report.trust_page import write_trust

        return write_trust(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Trust:
        """Read what `save` wrote. Raises FieldmarkError for a file that is missing, damaged or something else."""
        from fieldmark.trust.saving import load

        return load(Path(path))
