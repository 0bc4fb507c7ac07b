"""Several explainers in a row: refusals are kept, and Ctrl-C leaves what is finished."""

from __future__ import annotations

from typing import Any

import pytest

import fieldmark as fm
from fieldmark.errors import ModelError
from fieldmark.explainers.several import INTERRUPTED, explain_all
from tests.support import models


class Interrupted:
    def __call__(self, *_arguments: Any) -> Any:
        raise KeyboardInterrupt


class Refusing:
    def __call__(self, *_arguments: Any) -> Any:
        raise ModelError("not this model")


@pytest.fixture(scope="module")
def job() -> tuple[Any, ...]:
    known = models.functional()
    return fm.Classifier(known.model), known.images(1), fm.Predicted()


def test_an_interrupt_leaves_what_is_finished(job: tuple[Any, ...]) -> None:
    made, left_out = explain_all(*job, [fm.GradCAM(), Refusing(), Interrupted(), fm.Gradients()], skip=True)
    assert [att.provenance["method"] for att in made] == ["GradCAM"]
    assert left_out == {"Refusing": "not this model", "Interrupted": INTERRUPTED, "Gradients": INTERRUPTED}


def test_an_interrupt_with_nothing_finished_goes_on(job: tuple[Any, ...]) -> None:
    with pytest.raises(KeyboardInterrupt):
        explain_all(*job, [Interrupted(), fm.GradCAM()], skip=True)


def test_a_refusal_is_raised_unless_it_may_be_skipped(job: tuple[Any, ...]) -> None:
    with pytest.raises(ModelError, match="not this model"):
        explain_all(*job, [fm.GradCAM(), Refusing()])
    with pytest.raises(ModelError, match="not this model"):
        explain_all(*job, [Refusing()], skip=True)
