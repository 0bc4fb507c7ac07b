"""The evidence of a field guide over the path of any run: kept in a folder, resumable, on one machine or many."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.classifier import Classifier
from fieldmark.explainers.contract import parameters
from fieldmark.guide.evidence import EXPLAINER, SMOOTH, Said, evidence
from fieldmark.run.bulk import run_job
from fieldmark.run.jobs import Opened
from fieldmark.run.models import HeldModel, NamedModel
from fieldmark.run.options import Options
from fieldmark.run.results import Results
from fieldmark.run.sources import Shape

BATCHES = 4  # of the classifier's, at once: images of one class go through it together


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What each pixel of an image adds to the margin of the class that is predicted for it, as a job.

    Columns: `predicted_class`, and `evidence`, float32 (n, 1, height, width) at the guide's working size.
    """

    model: NamedModel | HeldModel
    size: tuple[int, int]

    def describe(self) -> dict[str, Any]:
        return {
            "job": "evidence",
            "model": self.model.describe(),
            "method": {"method": type(EXPLAINER).__name__, **parameters(EXPLAINER), "smooth": SMOOTH},
            "size": list(self.size),
        }

    def open(self) -> Opened:
        return Finding(self)


@dataclass
class Finding:
    """`Evidence` with its model loaded. Images come as the model takes them."""

    job: Evidence
    shape: Shape | None = None
    remarks: Counter[str] = field(default_factory=Counter)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classifier = self.job.model.classifier()
        self.batch_size = BATCHES * self.classifier.batch_size

    def __call__(self, images: np.ndarray) -> Mapping[str, Any]:
        said = Said.by(self.classifier, images)
        maps = evidence(self.classifier, images, said, self.job.size)
        self.provenance = {"columns": {"evidence": {**self.job.describe()["method"], "signed": True}}}
        return {"predicted_class": said.predicted.astype(np.int32), "evidence": maps[:, None]}


@dataclass(frozen=True)
class EvidenceRun:
    """Evidence for `FieldGuide.from_images(..., evidence=EvidenceRun(folder))`, found by a run into `folder`.

    options  see `Options`: engine, address, batch_size, ...
    model    the classifier by what it was loaded from, so that workers load it themselves; None: it is sent to them
    """

    folder: str | os.PathLike[str]
    options: Options = field(default_factory=Options)
    model: NamedModel | None = None

    def __call__(self, classifier: Classifier, images: np.ndarray, said: Said, shape: tuple[int, int]) -> np.ndarray:
        """(n, *shape), as `fieldmark.guide.evidence.evidence` gives it. Raises FieldmarkError as a run does."""
        job = Evidence(model=self.model or HeldModel(classifier), size=shape)
        run_job(job, images, out=self.folder, options=self.options)
        found = np.zeros((len(images), *shape), np.float32)
        left = np.ones(len(images), bool)
        for batch in Results(Path(self.folder)).batches(["index", "predicted_class", "evidence"]):
            rows = np.asarray(batch["index"])
            same = batch["predicted_class"] == said.predicted[rows]  # two classes may tie, on another machine
            found[rows[same]] = np.asarray(batch["evidence"], np.float32)[same, 0]
            left[rows[same]] = False
        if left.any():
            rows = np.nonzero(left)[0]
            rest = Said(said.scores[rows], said.predicted[rows], said.margins[rows])
            found[rows] = evidence(classifier, images[rows], rest, shape)
        return found
