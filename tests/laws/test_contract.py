"""What every explainer promises, whatever its method: run over `EXPLAINERS`, so that a new one is held to it.

The first and the fourth run on every backend; the laws of each family do so in tests/explainers.
"""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import ImageError, TargetError
from tests.support import explainers, models

every_explainer = pytest.mark.parametrize("explainer", explainers.ALL, ids=explainers.NAMES)


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional()


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    labels = [f"kind {index}" for index in range(models.CLASSES)]
    return fm.Classifier(known.model, labels=labels, batch_size=8)


def single_class(att: fm.Attribution) -> bool:
    """Whether t runs over the targets (and not over channels, as in ActivationMaps)."""
    return att.provenance["method"] != "ActivationMaps"


@pytest.mark.every_backend
@every_explainer
def test_an_attribution_says_what_it_is(
    explainer: Any, clf: fm.Classifier, known: models.Known, tmp_path: Path
) -> None:
    images = known.images(2)
    att = explainer(clf, images, target=[fm.Class("kind 1"), fm.Class(4)])
    assert att.maps.dtype == np.float32
    assert len(att.maps) == 2
    assert np.isfinite(att.maps).all()
    assert att.signed or att.maps.min() >= 0
    assert att.resized().shape[-2:] == known.shape[:2]
    assert att.provenance["method"] == type(explainer).__name__
    assert set(att.provenance["parameters"]) == {field.name for field in dataclasses.fields(explainer)}
    assert att.provenance["seed"] == getattr(explainer, "seed", None)
    assert (att.provenance["layer"] is not None) == type(explainer).needs_layer
    json.dumps(att.provenance)
    if single_class(att):
        scores = clf.predict(images).scores
        assert att.targets == (("kind 1", "kind 4"),) * 2
        if att.pictures is None:  # otherwise the scores are those of the pictures made
            np.testing.assert_allclose(att.scores, scores[:, [1, 4]], atol=1e-5)
        np.testing.assert_array_equal(att.classes, [[1, 4]] * 2)
    loaded = fm.Attribution.load(att.save(tmp_path / "maps.npz"))
    np.testing.assert_array_equal(loaded.maps, att.maps)
    assert (loaded.targets, loaded.provenance, loaded.warnings) == (att.targets, att.provenance, att.warnings)


@every_explainer
def test_a_batch_equals_its_images_one_by_one(explainer: Any, clf: fm.Classifier, known: models.Known) -> None:
    images = known.images(3)
    if getattr(explainer, "seed", None) is None:
        together = explainer(clf, images, target=fm.Predicted()).maps
        for index, image in enumerate(images):
            alone = explainer(clf, image, target=fm.Predicted()).maps[0]
            np.testing.assert_allclose(together[index], alone, atol=1e-5 * max(1, np.abs(alone).max()))
    else:  # noise is drawn for each image by its place, so the first image and any batch size must agree
        small = fm.Classifier(known.model, batch_size=3)
        maps = explainer(clf, images, target=fm.Predicted()).maps
        again = explainer(small, images, target=fm.Predicted()).maps
        np.testing.assert_allclose(again, maps, atol=2e-5 * max(1, np.abs(maps).max()))
        alone = explainer(clf, images[0], target=fm.Predicted()).maps[0]
        np.testing.assert_allclose(maps[0], alone, atol=2e-5 * max(1, np.abs(alone).max()))


@every_explainer
def test_the_same_seed_gives_the_same_array(explainer: Any, clf: fm.Classifier, known: models.Known) -> None:
    first, second = (explainer(clf, known.images(1)).maps for _ in range(2))
    np.testing.assert_array_equal(first, second)
    if hasattr(explainer, "seed"):
        other = dataclasses.replace(explainer, seed=explainer.seed + 1)
        assert not np.array_equal(other(clf, known.images(1)).maps, first)


def process_state() -> list[Any]:
    """What a well-behaved library leaves alone."""
    import matplotlib

    return [
        random.getstate(),
        [np.asarray(part).tolist() for part in np.random.get_state()[1:3]],
        keras.config.dtype_policy().name,
        keras.config.floatx(),
        keras.config.image_data_format(),
        matplotlib.get_backend(),
    ]


@pytest.mark.every_backend
@every_explainer
def test_the_model_and_the_process_are_left_as_they_were(explainer: Any) -> None:
    known = models.functional()
    before = _snapshot(known.model), process_state()
    explainer(fm.Classifier(known.model), known.images(1), target=fm.Class(2))
    after = _snapshot(known.model), process_state()
    np.testing.assert_equal(after, before)


def _snapshot(model: Any) -> list[Any]:
    layers = [model, *models._every_layer(model)]
    return [
        [(layer.name, sorted(layer.__dict__), layer.trainable) for layer in layers],
        [np.array(weight) for weight in model.get_weights()],
    ]


@every_explainer
def test_bad_input_is_one_line(explainer: Any, clf: fm.Classifier, known: models.Known) -> None:
    for images, target, error in [
        (np.full((1, *known.shape), np.nan, np.float32), 0, ImageError),
        (np.zeros((1, 5, 5, 3), np.float32), 0, ImageError),
        (known.images(1), "kind 99", TargetError),
        (known.images(1), fm.Top(0), TargetError),
    ]:
        with pytest.raises(error) as caught:
            explainer(clf, images, target=target)
        assert "\n" not in str(caught.value)


@every_explainer
def test_every_shape_of_image_is_taken(explainer: Any) -> None:
    for shape in ((9, 14, 1), (14, 9, 4)):
        known = models.functional(shape=shape, outputs=3)
        images = (np.random.default_rng(0).random((1, *shape)) * 255).astype(np.uint8)
        clf = fm.Classifier(known.model, preprocess=lambda x: x / 127.5 - 1)
        att = explainer(clf, images, target=fm.Class(0))
        assert np.isfinite(att.maps).all()
        assert att.images is not None
        assert att.images.dtype == np.uint8
        assert att.resized().shape[-2:] == shape[:2]


@every_explainer
def test_it_is_configuration_and_nothing_else(explainer: Any) -> None:
    kind = type(explainer)
    assert dataclasses.is_dataclass(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        explainer.anything = 1
    with pytest.raises(TypeError):
        kind(None)  # every field is given by name
    assert kind.summary.endswith(".")
    assert "[" in (kind.__doc__ or "")  # cites its source
