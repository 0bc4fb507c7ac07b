"""A job pickles: named models are loaded where the work is, held ones travel with their settings."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np

import fieldmark as fm
from fieldmark.run.jobs import Explain
from fieldmark.run.models import HeldModel, NamedModel, weights_digest
from tests.support.command import COLOURS, colour_model


def test_a_job_with_a_held_or_a_named_model_gives_the_same_after_pickling(here: Path) -> None:
    held = HeldModel(fm.Classifier(colour_model(), labels=COLOURS, scores="probabilities", batch_size=5))
    named = NamedModel("model.keras", {"labels": "labels.txt", "scores": "probabilities"}, os.getcwd())
    images = fm.read_images("photos")[:6]
    found = []
    for model in (held, named):
        job = Explain(model=model, explainers=(fm.GradCAM(),))
        copy = pickle.loads(pickle.dumps(job))
        assert copy.describe() == job.describe()
        found.append(copy.open()(images))
    np.testing.assert_array_equal(found[0]["gradcam"], found[1]["gradcam"])
    assert found[0]["predicted"] == found[1]["predicted"]
    assert pickle.loads(pickle.dumps(held)).classifier().batch_size == 5


def test_other_weights_are_another_model() -> None:
    first, second = (fm.Classifier(colour_model()) for _ in range(2))
    assert weights_digest(first) == weights_digest(second)
    second.model.get_layer("final").set_weights([np.eye(3, dtype=np.float32)])
    assert weights_digest(first) != weights_digest(second)
    assert weights_digest(fm.Classifier(lambda x: x.mean(axis=(1, 2)))) is None
