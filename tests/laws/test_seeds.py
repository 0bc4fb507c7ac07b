"""Sampled methods: the same seed gives the same array on every backend, and the spread over seeds is what it says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.seeds import OverSeeds, has_seed
from tests.support import explainers, models

SAMPLED = [each for each in explainers.ALL if has_seed(each)]
every_sampled = pytest.mark.parametrize("explainer", SAMPLED, ids=[type(each).__name__ for each in SAMPLED])


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional()


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=8)


@pytest.fixture(scope="module")
def small(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=4)


@pytest.mark.every_backend
@every_sampled
def test_the_same_seed_gives_the_same_array_and_any_batch_size_the_same_to_rounding(
    explainer: Any, clf: fm.Classifier, small: fm.Classifier, known: models.Known
) -> None:
    images = known.images(2)
    np.random.seed(1)
    first = explainer(clf, images, target=2).maps
    np.random.seed(2)  # the global state plays no part
    np.testing.assert_array_equal(explainer(clf, images, target=2).maps, first)
    other_batches = explainer(small, images, target=2).maps
    np.testing.assert_allclose(other_batches, first, rtol=0, atol=1e-5 * max(1, np.abs(first).max()))
    other = dataclasses.replace(explainer, seed=explainer.seed + 1)(clf, images, target=2).maps
    assert not np.array_equal(other, first)


def test_every_field_that_draws_at_random_is_called_seed() -> None:
    assert {type(each).__name__ for each in SAMPLED} >= {"RISE", "SmoothGrad", "LIME", "KernelSHAP", "Sobol", "HSIC"}


def test_the_mean_and_spread_over_seeds(clf: fm.Classifier, known: models.Known) -> None:
    images, inner = known.images(2), fm.RISE(samples=8)
    runs = [dataclasses.replace(inner, seed=seed)(clf, images, target=[1, 2]).maps for seed in (3, 4, 5)]
    att = OverSeeds(inner=inner, seeds=3, seed=3)(clf, images, target=[1, 2])
    np.testing.assert_allclose(att.maps, np.mean(runs, axis=0), atol=1e-6)
    assert att.variance is not None
    np.testing.assert_allclose(att.variance, np.var(runs, axis=0, ddof=1) / 3, rtol=1e-4, atol=1e-9)
    expected = np.sqrt(np.var(runs, axis=0, ddof=1).mean(axis=(2, 3))) / np.abs(np.mean(runs, axis=0)).max(axis=(2, 3))
    np.testing.assert_allclose(att.provenance["spread"], expected, rtol=1e-4)
    assert att.provenance["seeds"] == [3, 4, 5]
    assert att.provenance["method"] == "RISE"


def test_more_samples_spread_less(clf: fm.Classifier, known: models.Known) -> None:
    few, many = (
        np.mean(OverSeeds(inner=fm.RISE(samples=samples), seeds=4)(clf, known.images(1)).provenance["spread"])
        for samples in (8, 128)
    )
    assert many < few


@pytest.mark.parametrize(
    ("inner", "options", "message"),
    [
        (fm.GradCAM(), {}, "OverSeeds: GradCAM has no seed: it gives the same map every time; use it as it is"),
        (fm.RISE(), {"seeds": 1}, "seeds=1: expected a whole number of 2 or more"),
        (fm.RISE, {}, "expected an explainer, for example OverSeeds(inner=RISE())"),
    ],
)
def test_what_cannot_be_run_over_seeds(inner: Any, options: dict[str, int], message: str) -> None:
    with pytest.raises(FieldmarkError) as refused:
        OverSeeds(inner=inner, **options)
    assert message in str(refused.value)


def test_pictures_have_no_mean(clf: fm.Classifier, known: models.Known) -> None:
    inner = next(each for each in SAMPLED if type(each).__name__ == "ActivationMaximisation")
    with pytest.raises(FieldmarkError, match="makes a picture, and the mean of pictures shows nothing"):
        OverSeeds(inner=inner, seeds=2)(clf, known.images(1))


def test_the_command_line_runs_any_sampled_method_over_seeds() -> None:
    from fieldmark.cli.methods import make_explainers

    rise, gradcam = make_explainers(["rise", "gradcam"], settings=["seeds=3", "rise.seed=5", "samples=8"])
    assert rise == fm.OverSeeds(inner=fm.RISE(seed=5, samples=8), seeds=3, seed=5)
    assert gradcam == fm.GradCAM()
    with pytest.raises(FieldmarkError, match="unknown setting of GradCAM 'seeds'"):
        make_explainers(["gradcam"], settings=["seeds=3"])
    with pytest.raises(FieldmarkError, match="seeds=1: expected a whole number of 2 or more"):
        make_explainers(["rise"], settings=["seeds=1"])
