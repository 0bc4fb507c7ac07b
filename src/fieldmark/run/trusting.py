"""The hiding of `trust`, most of its work, over the path of any run: kept, resumable, on one machine or many."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.errors import FieldmarkError
from fieldmark.run.bulk import run_job
from fieldmark.run.jobs import Opened
from fieldmark.run.models import HeldModel, NamedModel
from fieldmark.run.options import Options
from fieldmark.run.results import Results
from fieldmark.run.sources import Shape
from fieldmark.trust.mapping import Made
from fieldmark.trust.study import Hidden, HiddenOne, Study, hide_each, together

IMAGES = 4  # measured at a time: each is hundreds of passes


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """The measures of hiding for some images of a study, as a job. Its source is the images' numbers.

    study   without its classifier, which travels as `model`
    Columns: `measured`, JSON of `HiddenOne`: values by method and metric, curves, passes used and asked.
    """

    model: NamedModel | HeldModel
    study: Study
    made: Mapping[str, Made]
    plain: frozenset[str]

    def describe(self) -> dict[str, Any]:
        study, digest = self.study, hashlib.sha256()
        for each in (study.images, study.labels, *(part for m in self.made.values() for part in (m.cells, m.sums))):
            digest.update(np.ascontiguousarray(each).tobytes())
        return {
            "job": "hiding",
            "model": self.model.describe(),
            "methods": list(self.made),
            "images": len(study),
            "steps": study.steps,
            "cells": list(study.cells),
            "seed": study.seed,
            "maps": digest.hexdigest()[:16],
        }

    def open(self) -> Opened:
        return Measuring(self)


@dataclass
class Measuring:
    """`Hiding` with its model loaded: a batch of numbers in, what hiding showed of these images out."""

    job: Hiding
    shape: Shape | None = None
    batch_size: int = IMAGES
    remarks: Counter[str] = field(default_factory=Counter)
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def study(self) -> Study:
        return replace(self.job.study, classifier=self.job.model.classifier())

    def __call__(self, images: np.ndarray) -> Mapping[str, Any]:
        chosen = images.reshape(-1)
        found = hide_each(self.study, self.job.made, set(self.job.plain), chosen)
        self.provenance = {"seed": self.job.study.seed}
        return {"measured": [json.dumps(asdict(one), default=np.ndarray.tolist) for one in found]}


@dataclass(frozen=True)
class HidingRun:
    """For `fm.trust(..., hiding=HidingRun(folder))`: parts are hidden by a run into `folder`.

    options  see `Options`: engine, address, shard_size, ...
    model    the classifier by what it was loaded from, so that workers load it themselves; None: it is sent to them
    """

    folder: str | os.PathLike[str]
    options: Options = field(default_factory=lambda: Options(shard_size=IMAGES))
    model: NamedModel | None = None

    def __call__(self, study: Study, made: Mapping[str, Made], plain: set[str]) -> Hidden:
        """As `fieldmark.trust.study.hide`. Raises FieldmarkError as a run does."""
        job = Hiding(
            model=self.model or HeldModel(study.classifier),
            study=replace(study, classifier=None),  # type: ignore[arg-type]
            made={name: replace(each, seconds=0.0) for name, each in made.items()},  # they differ from call to call
            plain=frozenset(plain),
        )
        numbers = np.arange(len(study)).reshape(-1, 1, 1, 1)
        run_job(job, numbers, out=self.folder, options=self.options)
        rows = [
            json.loads(text) for batch in Results(Path(self.folder)).batches(["measured"]) for text in batch["measured"]
        ]
        if len(rows) != len(study):
            raise FieldmarkError(
                f"{self.folder}: {len(study) - len(rows)} images could not be measured; see rejected.parquet"
            )
        return together(made, [_read(row) for row in rows])


def _read(row: dict[str, Any]) -> HiddenOne:
    curves = {name: {key: np.array(each) for key, each in found.items()} for name, found in row["curves"].items()}
    return HiddenOne(row["values"], curves, row["used"], row["asked"])
