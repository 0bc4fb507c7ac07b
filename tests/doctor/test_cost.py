"""Costs are counted, not guessed: what a rehearsal counts is what the engine is then asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.doctor.rehearsal import counted
from fieldmark.explainers.diagnosis import silent
from tests.support import explainers, models

GRADIENT = ("path", "features")


@contextmanager
def rows_of(engine: Any) -> Iterator[dict[str, int]]:
    """How many rows go through the passes of an engine: forward, with gradients, and behind a layer."""
    rows = {"forward": 0, "gradient": 0, "tail": 0}
    call = engine.passes.call

    def counting(key: Any, traced: Any, arrays: Any, rows_at: Any = None, sums: int = 0, **more: Any) -> Any:
        by_row = rows_at or more.pop("rows", None)
        n = len(arrays[by_row[0] if by_row else 0])
        name = key[0] if isinstance(key, tuple) else key
        if name == "gradients" or name in GRADIENT:
            rows["gradient"] += n
        else:
            rows["tail" if name == "from" else "forward"] += n
        return call(key, traced, arrays, by_row, sums, **more)

    engine.passes.call = counting
    try:
        yield rows
    finally:
        del engine.passes.call


@pytest.mark.parametrize("explainer", explainers.ALL, ids=explainers.NAMES)
def test_the_rehearsal_counts_what_is_then_asked_for(explainer: Any) -> None:
    known = models.functional(shape=(32, 28, 3))
    image = known.images(1)
    clf = fm.Classifier(known.model, batch_size=4)
    layer = clf.choose_layer()[0]
    clf.predict(image)
    seen = {layer: clf.engine.observe(clf.prepare(image)[1], layer).values}
    if hasattr(explainer, "incremental"):
        object.__setattr__(explainer, "incremental", False)
    count, _ = counted(clf, explainer, image[0], seen)
    with rows_of(clf.engine) as rows, silent():
        explainer(clf, image)
    assert count.tail == rows["tail"]
    assert count.gradient + count.shallow == rows["gradient"]
    assert count.forward + count.masked == rows["forward"]


def test_more_samples_cost_more() -> None:
    known = models.functional()
    clf = fm.Classifier(known.model)
    few, many = (counted(clf, fm.RISE(samples=n), known.images(1)[0], {})[0].masked for n in (16, 64))
    assert (few, many) == (16, 64)


def test_a_method_within_a_method_is_counted() -> None:
    known = models.functional()
    clf = fm.Classifier(known.model)
    around = fm.SmoothGrad(inner=fm.GradCAM(), samples=8)
    assert counted(clf, around, known.images(1)[0], {})[0].shallow == 8


def test_a_method_that_does_not_fit_says_why() -> None:
    found = fm.Classifier(models.smooth().model).doctor()
    refused = {each.name: each.refusal for each in found.methods if not each.fits}
    assert "has no ReLU layer" in refused["GuidedBackprop"]
    assert "GradCAM" not in refused
    assert "Not for this model" in str(found)


def test_a_bare_function_gets_the_methods_that_work() -> None:
    from fieldmark.classifier.subject import PREDICTION_ONLY

    found = fm.Classifier(lambda x: x.mean(axis=(1, 2))).doctor(np.random.default_rng(0).random((2, 32, 32, 3)))
    assert {each.name for each in found.methods if each.fits} == set(PREDICTION_ONLY)
    assert "--method occlusion" in found.next_steps[0][1]
