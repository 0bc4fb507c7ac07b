"""What is done to a batch: any picklable job goes over the same path; explaining is the one that comes along."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from fieldmark.errors import FieldmarkError
from fieldmark.explainers.contract import parameters
from fieldmark.explainers.diagnosis import silent
from fieldmark.run.models import HeldModel, NamedModel, OneBatch
from fieldmark.run.precision import FLOAT32, check_precision, measured_error, running_in
from fieldmark.run.sources.base import Shape
from fieldmark.targets import Predicted, as_target

Columns = Mapping[str, Any]


class Opened(Protocol):
    """A job with its model loaded: call it with images (n, h, w, c), get columns of n rows.

    shape       what files are read at; None: their own size
    batch_size  images a call
    remarks     warnings, with the number of images each was said of; emptied by who reads them
    provenance  how the columns were made, JSON-able; complete after the first call
    """

    shape: Shape | None
    batch_size: int
    remarks: Counter[str]
    provenance: dict[str, Any]

    def __call__(self, images: np.ndarray) -> Columns: ...


class Job(Protocol):
    """What to do, before any model is loaded. It must pickle, so that it can travel to other machines."""

    def describe(self) -> dict[str, Any]:
        """The settings, JSON-able: a run is only continued with the same."""
        ...

    def open(self) -> Opened: ...


@dataclass(frozen=True, kw_only=True)
class Explain:
    """Predict and explain.

    Columns: `predicted` (label), `predicted_class`, `probability`, `top_classes` and `top_probabilities` (n, top);
    `targets`, `target_classes`, `scores`, `probabilities` (n, t) of what was explained; and the raw maps (n, t, h, w)
    of each method under its name, with `_variance` and `_picture` where it makes them.
    """

    model: NamedModel | HeldModel
    explainers: tuple[Any, ...]
    target: Any = field(default_factory=Predicted)
    size: tuple[int, int] | None = None
    fit: str = "crop"
    top: int = 5
    precision: str = FLOAT32
    device: str | None = None

    def __post_init__(self) -> None:
        if not self.explainers:
            raise FieldmarkError("run: expected at least one explainer, received none")
        if self.top < 1:
            raise FieldmarkError(f"top={self.top}: expected 1 or more")
        check_precision(self.precision)

    @property
    def labels(self) -> list[str] | None:
        """The model's classes; None where only an image tells how many there are."""
        return self.model.labels()

    def describe(self) -> dict[str, Any]:
        return {
            "job": "explain",
            "model": self.model.describe(),
            "methods": [{"method": type(each).__name__, **parameters(each)} for each in self.explainers],
            "target": stable(repr(as_target(self.target))),
            "top": self.top,
            "precision": self.precision,
        }

    def open(self) -> Opened:
        return Explaining(self)


class Explaining:
    """`Explain` with its model loaded."""

    def __init__(self, job: Explain) -> None:
        self.job = job
        self.classifier = OneBatch.of(job.model.classifier(), job.device)
        self.shape: Shape | None = job.model.shape(job.size, job.fit)
        self.batch_size = self.classifier.batch_size
        self.remarks: Counter[str] = Counter()
        self.provenance: dict[str, Any] = {}
        self._own_targets: set[str] = set()
        self._told: set[int] = set()

    def __call__(self, images: np.ndarray) -> Columns:
        first, half = not self.provenance, self.job.precision != FLOAT32
        exact: dict[str, Any] = {}
        if first and half:
            exact, _ = self._columns(images)
            self.classifier.forget()  # what was compiled computes in float32
            self.remarks.clear()
        with running_in(self.classifier, self.job.precision):
            columns, provenance = self._columns(images)
        if first:
            self.provenance = provenance
            if half:
                error = measured_error(exact, columns)
                self.provenance["precision"] = {"images": len(images), "error_against_float32": error}
        return columns

    def _columns(self, images: np.ndarray) -> tuple[dict[str, Any], dict[str, Any]]:
        made: list[Any] = []
        with self.classifier.batch(images):
            for number, explainer in enumerate(self.job.explainers):
                with silent() if number in self._told else nullcontext():
                    found = explainer(self.classifier, images, self.job.target)
                found = found if isinstance(found, list) else [found]
                made += found
                if any(att.warnings for att in found):
                    self._told.add(number)  # the cause is looked into once: that costs passes
            predictions = self.classifier.last_read or self.classifier.predict(images)
        columns = top_columns(predictions, self.job.top)
        names = column_names(made)
        columns |= _target_columns(made[0], "")
        provenance: dict[str, Any] = {"columns": {}, "reading": predictions.reading}
        provenance["read_at"] = self.shape.describe() if self.shape else None
        if not self.provenance:
            self._own_targets = {n for n, att in zip(names, made, strict=True) if att.targets != made[0].targets}
        for name, att in zip(names, made, strict=True):
            columns |= _target_columns(att, f"{name}_") if name in self._own_targets else {}
            columns |= _map_columns(att, name)
            provenance["columns"][name] = {**att.provenance, "signed": att.signed}
            self._remark(att)
        return columns, provenance

    def _remark(self, att: Any) -> None:
        method = att.provenance["method"]
        flat = att.maps.reshape(len(att.maps), -1)
        for what, found in (
            ("blank maps", ~flat.any(axis=1)),
            ("maps with NaN or infinity", ~np.isfinite(flat).all(1)),
        ):
            if found.any():
                self.remarks[f"{method}: {what}"] += int(found.sum())
        for text in att.warnings:
            self.remarks[f"{method}, the first time: {text}"] += 1


def top_columns(predictions: Any, top: int) -> dict[str, Any]:
    """The predicted class in words and number, and the `top` classes with their probabilities."""
    order = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :top].astype(np.int32)
    best = np.take_along_axis(predictions.probabilities, order, axis=1).astype(np.float32)
    return {
        "predicted": [predictions.labels[index] for index in order[:, 0]],
        "predicted_class": order[:, 0],
        "probability": best[:, 0],
        "top_classes": order,
        "top_probabilities": best,
    }


def _target_columns(att: Any, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}targets": list(att.targets),
        f"{prefix}target_classes": att.classes.astype(np.int32),
        f"{prefix}scores": att.scores,
        f"{prefix}probabilities": att.probabilities,
    }


def _map_columns(att: Any, name: str) -> dict[str, Any]:
    found = {name: att.maps}
    if att.variance is not None:
        found[f"{name}_variance"] = att.variance
    if att.pictures is not None:
        found[f"{name}_picture"] = att.pictures
    return found


def column_names(made: Sequence[Any]) -> list[str]:
    """A column name for each attribution: gradcam; with the layer, then a number, where several would be the same."""
    plain = [str(att.provenance["method"]).lower() for att in made]
    named = [
        f"{name}_{re.sub(r'[^0-9A-Za-z]+', '_', str(att.provenance.get('layer') or 'input'))}"
        if plain.count(name) > 1
        else name
        for name, att in zip(plain, made, strict=True)
    ]
    return [f"{name}_{named[:i].count(name) + 1}" if name in named[:i] else name for i, name in enumerate(named)]


@dataclass(frozen=True, kw_only=True)
class PerBatch:
    """A function of images (n, h, w, c) that returns columns of n rows, as a job: what `run_job` takes.

    function  from a module that other machines have too, where it is to run there
    make      instead: a function without arguments that is called once where the work is done, and returns the function
    name      what the run's settings call it; `settings` (JSON-able) is compared when a run goes on
    """

    function: Callable[[np.ndarray], Columns] | None = None
    make: Callable[[], Callable[[np.ndarray], Columns]] | None = None
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    shape: Shape | None = None
    batch_size: int = 16

    def __post_init__(self) -> None:
        if (self.function is None) == (self.make is None):
            raise FieldmarkError("PerBatch: expected one of function= and make=")

    def describe(self) -> dict[str, Any]:
        named = self.function or self.make
        called = self.name or f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', type(named))}"
        return {"job": called, **self.settings}

    def open(self) -> Opened:
        function = self.make() if self.make is not None else self.function
        assert function is not None
        return Calling(function, self.shape, self.batch_size, provenance=self.describe())


@dataclass
class Calling:
    """`PerBatch` where the work is done."""

    function: Callable[[np.ndarray], Columns]
    shape: Shape | None
    batch_size: int
    remarks: Counter[str] = field(default_factory=Counter)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __call__(self, images: np.ndarray) -> Columns:
        columns = self.function(images)
        if not isinstance(columns, Mapping) or not columns:
            raise FieldmarkError(f"job: expected columns by name, received {type(columns).__name__}")
        return columns


def stable(text: str) -> str:
    """Without addresses in memory, which differ from run to run."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
