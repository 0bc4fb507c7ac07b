"""The classifier of a run: named, so that every process loads its own, or held in memory and pickled."""

from __future__ import annotations

import copy
import hashlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.classifier.loading import load
from fieldmark.classifier.predictions import Predictions
from fieldmark.classifier.sizes import image_shape
from fieldmark.errors import FieldmarkError, MapWarning
from fieldmark.run.sources.base import Shape


class _Model:
    """What both kinds of model share: one classifier a process, and what tells it from another."""

    def classifier(self) -> Classifier:
        raise NotImplementedError

    def shape(self, size: tuple[int, int] | None, fit: str) -> Shape:
        """What files are read at. Raises ImageError for a model that takes images which no file holds."""
        classifier = self.classifier()
        height, width, channels = image_shape(classifier, size)
        free = classifier.input_shape is None or classifier.preprocess is not None
        arrays = (None, None, None) if free else classifier.input_shape
        return Shape(height, width, channels, fit, arrays)  # type: ignore[arg-type]

    def labels(self) -> list[str] | None:
        """Of all classes; None for a model whose shape only an image tells, unless they were given."""
        classifier = self.classifier()
        try:
            return classifier.labels
        except FieldmarkError:
            return classifier._given_labels

    def describe(self) -> dict[str, Any]:
        classifier = self.classifier()
        function = classifier.preprocess
        return {
            "name": classifier.name,
            "weights": weights_digest(classifier),
            "scores": classifier.wants,
            "output": classifier.output,
            "labels": hashlib.sha256("\n".join(self.labels() or []).encode()).hexdigest()[:12],
            "preprocess": None if function is None else str(getattr(function, "__qualname__", type(function).__name__)),
        }


@dataclass(frozen=True)
class NamedModel(_Model):
    """A model by what `fieldmark.load` takes: loaded where the work is done."""

    model: str
    options: Mapping[str, Any]
    folder: str = ""  # where module:function is found

    def classifier(self) -> Classifier:
        return self._loaded

    @cached_property
    def _loaded(self) -> Classifier:
        if self.folder and self.folder not in sys.path:
            sys.path.insert(0, self.folder)
        return load(self.model, **self.options)

    def adopt(self, classifier: Classifier) -> None:
        """Use a classifier that this process has loaded already."""
        self.__dict__["_loaded"] = classifier

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "options": self.options, "folder": self.folder}


@dataclass(frozen=True, eq=False)
class HeldModel(_Model):
    """A classifier in memory; pickled as its model, preprocessing and settings."""

    held: Classifier

    def classifier(self) -> Classifier:
        return self.held

    def __reduce__(self) -> tuple[Any, ...]:
        kept = self.held
        settings = {"scores": kept.wants, "output": kept.output, "batch_size": kept.batch_size, "fold": kept.fold}
        return _rebuilt, (kept.model, kept.preprocess, kept._given_labels, settings)


def _rebuilt(model: Any, preprocess: Any, labels: Any, settings: dict[str, Any]) -> HeldModel:
    return HeldModel(Classifier(model, preprocess, labels, **settings))


def as_model(given: Any) -> NamedModel | HeldModel:
    """A classifier, or what `fieldmark.load` takes, as the model of a run."""
    if isinstance(given, (NamedModel, HeldModel)):
        return given
    if isinstance(given, Classifier):
        return HeldModel(given)
    if isinstance(given, (str, os.PathLike)):
        return NamedModel(absolute(os.fspath(given)), {}, os.getcwd())
    raise FieldmarkError(f"run: expected a Classifier or what fieldmark.load takes, received {type(given).__name__}")


def absolute(name: str) -> str:
    """A file by its whole path, so that a worker elsewhere finds it; other names as they are."""
    return str(Path(name).absolute()) if Path(name).is_file() else name


def weights_digest(classifier: Classifier) -> str | None:
    """A short hash of all weights; None for a bare function, which shows none."""
    from keras import ops

    variables = list(classifier.subject.variables)
    if not variables:
        return None
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(ops.convert_to_numpy(variable)).tobytes())
    return digest.hexdigest()[:16]


class OneBatch(Classifier):
    """A view of a classifier that prepares a batch once for all methods and remembers the scores they read.

    So that a prediction beside a map costs no pass of its own. What it compiles, it keeps for the next batch.
    """

    last_read: Predictions | None
    _batch: tuple[Any, Any] | None
    _device: str | None

    @classmethod
    def of(cls, classifier: Classifier, device: str | None = None) -> OneBatch:
        view = cls.__new__(cls)
        view.__dict__.update(classifier.__dict__)
        view._layers = copy.copy(classifier._layers)  # what this one learns from images, the other has not seen
        view.last_read, view._batch, view._device = None, None, device
        return view

    @contextmanager
    def batch(self, images: np.ndarray) -> Iterator[None]:
        """For the length of one batch, on the device that was asked for."""
        self.last_read = self._batch = None
        try:
            with self._on_device(), warnings.catch_warnings():
                warnings.simplefilter("ignore", MapWarning)  # the run counts them
                yield
        finally:
            self._batch = None

    def prepare(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        if self._batch is None or self._batch[0] is not images:
            self._batch = (images, super().prepare(images))
        return self._batch[1]

    def read(self, scores: np.ndarray) -> Predictions:
        predictions = super().read(scores)
        if self.last_read is None and self._batch is not None and len(scores) == len(self._batch[0]):
            self.last_read = predictions
        return predictions

    def forget(self) -> None:
        """Drop what was compiled: the model is about to run otherwise."""
        self.engine.passes.forget()

    def _on_device(self) -> Any:
        if self._device is None:
            return nullcontext()
        import keras

        try:
            return keras.device(self._device)
        except Exception as error:
            raise FieldmarkError(
                f"device {self._device!r}: {str(error).splitlines()[0]}; expected cpu or gpu:0"
            ) from None
