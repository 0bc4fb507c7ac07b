"""What a layer holds: its channels as they are, and their first principal component."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError, LayerError
from fieldmark.explainers.activations import eigen_cam
from tests.support import models

pytestmark = pytest.mark.every_backend


@pytest.fixture(scope="module")
def known() -> models.Known:
    return models.functional()


@pytest.fixture(scope="module")
def clf(known: models.Known) -> fm.Classifier:
    return fm.Classifier(known.model, batch_size=2)


# Activation maps


def test_the_channels_with_the_highest_mean_come_first(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(3) + np.float32([0, 3, -3])[:, None, None, None]
    maps = known.feature_maps(x)
    att = fm.ActivationMaps(channels=4)(clf, x)
    order = np.argsort(-maps.mean(axis=(1, 2)), axis=1)[:, :4]
    assert len({tuple(row) for row in order}) > 1  # each image its own
    assert att.targets == tuple(tuple(f"channel {c}" for c in row) for row in order)
    for i, row in enumerate(order):
        np.testing.assert_allclose(att.maps[i], np.moveaxis(maps[i][..., row], -1, 0), atol=1e-6)
    np.testing.assert_allclose(att.scores, att.maps.mean(axis=(2, 3)), atol=1e-6)
    assert (att.classes == -1).all()
    assert np.isnan(att.probabilities).all()
    assert not att.signed
    assert att.provenance["target"] == "channels"
    assert att.provenance["layer"] == "conv2"


def test_channels_that_are_named_come_in_that_order(known: models.Known, clf: fm.Classifier) -> None:
    x = known.images(2)
    att = fm.ActivationMaps(channels=(7, 0, 7))(clf, x, fm.Class(1))
    assert att.targets == (("channel 7", "channel 0", "channel 7"),) * 2
    np.testing.assert_allclose(att.maps, np.moveaxis(known.feature_maps(x)[..., [7, 0, 7]], -1, 1), atol=1e-6)


def test_a_layer_with_fewer_channels_shows_all(known: models.Known, clf: fm.Classifier) -> None:
    assert fm.ActivationMaps()(clf, known.images(1)).maps.shape[1] == 12


def test_negative_activations_are_signed(known: models.Known, clf: fm.Classifier) -> None:
    assert fm.ActivationMaps(layer="norm")(clf, known.images(1)).signed


def test_activation_maps_are_saved_like_any_other(known: models.Known, clf: fm.Classifier, tmp_path: Any) -> None:
    att = fm.ActivationMaps(channels=2)(clf, known.images(1))
    again = fm.Attribution.load(att.save(tmp_path / "maps.npz"))
    assert again.targets == att.targets
    np.testing.assert_array_equal(again.maps, att.maps)


def test_channels_that_cannot_be(known: models.Known, clf: fm.Classifier) -> None:
    for wrong in (0, -1, (), (3, -1), (1.5,), "3"):
        with pytest.raises(FieldmarkError) as error:
            fm.ActivationMaps(channels=wrong)  # type: ignore[arg-type]
        assert str(error.value) == (
            f"channels={wrong!r}: expected how many (1 or more), or a tuple of channel numbers from 0"
        )
    with pytest.raises(LayerError) as layer_error:
        fm.ActivationMaps(channels=(1, 12))(clf, known.images(1))
    assert str(layer_error.value) == "channel 12 of layer 'conv2': expected 0 to 11"


# Eigen-CAM


@pytest.mark.parametrize("shape", [(2, 4, 3, 9), (2, 4, 5, 6)], ids=["fewer pixels", "fewer channels"])
@pytest.mark.parametrize("centred", [False, True])
def test_eigen_cam_is_the_first_singular_component(shape: tuple[int, ...], centred: bool) -> None:
    maps = np.random.default_rng(1).normal(size=shape)
    found = eigen_cam(maps.astype(np.float32), centred=centred)
    for mine, each in zip(found, maps, strict=True):
        matrix = each.reshape(-1, shape[-1])
        mean = matrix.mean(axis=1)
        matrix = matrix - matrix.mean(axis=0) if centred else matrix
        expected = (matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]).reshape(shape[1:3])
        assert (mine.ravel() * mean).sum() >= 0
        np.testing.assert_allclose(mine, expected * np.sign((expected.ravel() * mean).sum()), atol=1e-5)


def test_eigen_cam_of_one_pattern_is_that_pattern() -> None:
    pattern = np.random.default_rng(0).uniform(size=(1, 5, 4))
    strengths = np.array([3.0, 0.0, 4.0])
    np.testing.assert_allclose(eigen_cam(pattern[..., None] * strengths), 5 * pattern, atol=1e-5)


def test_eigen_cam_is_the_same_for_every_class_and_never_negative_after_a_relu(
    known: models.Known, clf: fm.Classifier
) -> None:
    att = fm.EigenCAM()(clf, known.images(3), fm.Top(2))
    assert att.maps.shape == (3, 2, 8, 6)
    np.testing.assert_array_equal(att.maps[:, 0], att.maps[:, 1])
    np.testing.assert_allclose(att.maps[:, 0], eigen_cam(known.feature_maps(known.images(3))), atol=1e-5)
    assert att.maps.min() >= 0
    assert not att.signed
    assert att.provenance["class_specific"] is False
    assert (att.scores[:, 0] > att.scores[:, 1]).all()
    centred = fm.EigenCAM(centred=True)(clf, known.images(3))
    assert centred.signed
    np.testing.assert_allclose(centred.maps.mean(axis=(2, 3)), 0, atol=1e-5)


@pytest.mark.parametrize("method", [fm.EigenCAM, fm.ActivationMaps])
def test_several_layers_are_a_list_and_a_batch_equals_its_images(
    known: models.Known, clf: fm.Classifier, method: Any
) -> None:
    x = known.images(3)
    both = method(layers=("conv2", "conv1"))(clf, x)
    assert [each.provenance["layer"] for each in both] == ["conv2", "conv1"]
    for name, each in zip(("conv2", "conv1"), both, strict=True):
        np.testing.assert_allclose(each.maps[2], method(layer=name)(clf, x[2]).maps[0], atol=1e-4)
