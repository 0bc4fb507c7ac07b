"""Out of memory: half the batch, the same result, one warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import ModelError
from tests.support import models

EXPLAINERS = [
    fm.GradCAM(),
    fm.Gradients(),
    fm.SmoothGrad(inner=fm.Gradients(), samples=6),
    fm.ExpectedGradients(samples=6),
    fm.RISE(samples=20),
    fm.AblationCAM(),
]


def starve(monkeypatch: pytest.MonkeyPatch, clf: fm.Classifier, most: int, error: Exception) -> list[int]:
    """Let passes of more than `most` rows fail as a framework does; returns the rows of every try."""
    passes, tried = clf.engine.passes, []
    run = passes._run

    def starving(key: Any, traced: Callable[..., Any], arrays: Any) -> Any:
        rows = max(len(array) for array in arrays)
        tried.append(rows)
        if rows > most:
            raise error
        return run(key, traced, arrays)

    monkeypatch.setattr(passes, "_run", starving)
    return tried


@pytest.mark.every_backend
@pytest.mark.parametrize("explainer", EXPLAINERS, ids=lambda e: type(e).__name__)
def test_the_batch_is_halved_and_the_result_is_the_same(explainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = models.functional()
    images = known.images(11)
    plenty = explainer(fm.Classifier(known.model, batch_size=8), images).maps
    clf = fm.Classifier(known.model, batch_size=8)
    clf.predict(images[:1])
    tried = starve(monkeypatch, clf, 3, MemoryError("no more"))
    with pytest.warns(RuntimeWarning, match="out of memory with [84] images a pass: going on with [42]") as said:
        maps = explainer(clf, images).maps
    assert sum("out of memory" in str(each.message) for each in said) == 2
    np.testing.assert_allclose(maps, plenty, atol=2e-5 * max(1, np.abs(plenty).max()))
    assert sum(rows > 3 for rows in tried) == 2  # 8, then 4; never again
    assert clf.engine.passes.batch_size == 2


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1024 bytes."),
        type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
    ],
    ids=["python", "torch on a CPU", "torch on a GPU", "jax", "tensorflow"],
)
def test_every_frameworks_words_for_it_are_known(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    known = models.functional()
    clf = fm.Classifier(known.model, batch_size=4)
    clf.predict(known.images(1))
    starve(monkeypatch, clf, 2, error)
    with pytest.warns(RuntimeWarning, match="out of memory"):
        assert clf.predict(known.images(4)).scores.shape == (4, models.CLASSES)


def test_other_failures_are_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = models.functional()
    clf = fm.Classifier(known.model, batch_size=4)
    clf.predict(known.images(1))
    tried = starve(monkeypatch, clf, 2, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        clf.predict(known.images(4))
    assert tried == [4]


def test_one_image_that_is_too_large_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    known = models.functional()
    clf = fm.Classifier(known.model, batch_size=2)
    clf.predict(known.images(1))
    starve(monkeypatch, clf, 0, MemoryError())
    with (
        pytest.warns(RuntimeWarning, match="going on with 1"),
        pytest.raises(ModelError, match="out of memory with one image a pass: use smaller images"),
    ):
        clf.predict(known.images(2))
