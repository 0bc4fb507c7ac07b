"""Score-CAM and Ablation-CAM against closed forms on networks that are linear in the image or in the maps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from PIL import Image

import fieldmark as fm
from fieldmark.errors import FieldmarkError
from fieldmark.explainers.cam_perturbed import as_masks, most_varied, softmax_over
from tests.support import models

pytestmark = pytest.mark.every_backend

CLASSES = (3, 0)
TARGETS = [fm.Class(cls) for cls in CLASSES]
SHAPE = (12, 8, 3)


def linear_network(channels: int = 5) -> Any:
    """Linear all through: mean colour of 4 x 4 squares, a 1 x 1 convolution ("maps", 3 x 2), pooling, a dense layer."""
    models.seeded(3)
    image = keras.Input(SHAPE)
    value = layers.Conv2D(channels, 1, use_bias=False, name="maps")(layers.AveragePooling2D(4)(image))
    value = layers.Dense(4, bias_initializer="random_normal", name="final")(layers.GlobalAveragePooling2D()(value))
    return keras.Model(image, value, name="linear")


def images(n: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, *SHAPE)).astype(np.float32)


def parts(model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps (n, h, w, c), what each pixel adds to the two logits (n, H, W, t), the biases (t)."""
    colours = models.numpy(model.get_layer("maps").kernel)[0, 0].astype(np.float64)
    final = model.get_layer("final")
    kernel, bias = (models.numpy(value)[..., list(CLASSES)] for value in (final.kernel, final.bias))
    squares = x.reshape(len(x), 3, 4, 2, 4, 3).mean(axis=(2, 4))
    return squares @ colours, x @ (colours @ kernel) / (12 * 8), bias


def enlarged(maps: np.ndarray, size: tuple[int, int] = SHAPE[:2]) -> np.ndarray:
    """(n, H, W, c) from (n, h, w, c), by Pillow."""
    planes = [Image.fromarray(np.float32(p)) for p in np.moveaxis(maps, -1, 1).reshape(-1, *maps.shape[1:3])]
    large = np.stack([np.asarray(p.resize(size[::-1], Image.Resampling.BILINEAR)) for p in planes])
    return np.moveaxis(large.reshape(len(maps), maps.shape[-1], *size), 1, -1).astype(np.float64)


def rises(model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps (n, h, w, c) and S(x ∘ H_k) - S(0) (n, t, c) by the paper: enlarge, then bring to 0..1."""
    maps, pixels, _ = parts(model, x)
    large = enlarged(maps)
    low, high = large.min(axis=(1, 2), keepdims=True), large.max(axis=(1, 2), keepdims=True)
    return maps, np.einsum("nhwc,nhwt->ntc", (large - low) / (high - low), pixels)


@pytest.fixture(scope="module")
def net() -> Any:
    return linear_network()


@pytest.fixture(scope="module")
def clf(net: Any) -> fm.Classifier:
    return fm.Classifier(net, batch_size=4)


# Score-CAM


def test_score_cam_is_algorithm_1(net: Any, clf: fm.Classifier) -> None:
    x = images()
    maps, values = rises(net, x)
    powers = np.exp(values)
    expected = np.einsum("nhwc,ntc->nthw", maps, powers / powers.sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(fm.ScoreCAM(relu=False)(clf, x, TARGETS).maps, expected, atol=1e-5)
    att = fm.ScoreCAM()(clf, x, TARGETS)
    np.testing.assert_allclose(att.maps, np.maximum(expected, 0), atol=1e-5)
    assert not att.signed
    assert (expected < -1e-3).any()


def test_without_softmax_the_weights_are_the_increase_of_confidence(net: Any, clf: fm.Classifier) -> None:
    x = images()
    expected = np.einsum("nhwc,ntc->nthw", *rises(net, x))
    found = fm.ScoreCAM(softmax=False, relu=False)(clf, x, TARGETS)
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(found.maps, expected, atol=1e-5)
    assert found.signed


def test_pixels_fade_to_the_baseline_and_the_baseline_image_is_taken_off(net: Any, clf: fm.Classifier) -> None:
    x, shift = images(), 0.7
    maps, values = rises(net, x)
    large = enlarged(maps)
    masks = (large - large.min(axis=(1, 2), keepdims=True)) / np.ptp(large, axis=(1, 2), keepdims=True)
    grey = parts(net, np.full_like(x, shift))[1]
    # x H + b (1 - H), less the image that is all b: what H lets through of x, less what it takes of b
    expected = np.einsum("nhwc,ntc->nthw", maps, values - np.einsum("nhwc,nhwt->ntc", masks, grey))
    found = fm.ScoreCAM(softmax=False, relu=False, baseline=shift)(clf, x, TARGETS)
    np.testing.assert_allclose(found.maps, expected, atol=1e-5)
    assert np.abs(found.maps - fm.ScoreCAM(softmax=False, relu=False)(clf, x, TARGETS).maps).max() > 1e-2


def test_channels_keeps_those_of_highest_variance(net: Any, clf: fm.Classifier) -> None:
    x = images()
    maps, values = rises(net, x)
    order = np.argsort(-maps.var(axis=(1, 2)), axis=1)[:, :2]
    assert len({tuple(sorted(row)) for row in order}) > 1  # each image its own
    maps = np.take_along_axis(maps, order[:, None, None], axis=-1)
    powers = np.exp(np.take_along_axis(values, order[:, None], axis=-1))
    expected = np.einsum("nhwc,ntc->nthw", maps, powers / powers.sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(fm.ScoreCAM(relu=False, channels=2)(clf, x, TARGETS).maps, expected, atol=1e-5)
    all_of_them = fm.ScoreCAM()(clf, x, TARGETS).maps
    np.testing.assert_allclose(fm.ScoreCAM(channels=99)(clf, x, TARGETS).maps, all_of_them, atol=1e-6)


def test_flat_maps_cost_no_pass_and_weigh_nothing(monkeypatch: Any) -> None:
    model = linear_network()
    kernel = models.numpy(model.get_layer("maps").kernel)
    kernel[..., [1, 4]] = 0
    model.get_layer("maps").kernel.assign(kernel)
    lame, x, shapes = fm.Classifier(model), images(), []
    plain = lame.engine.masked_scores
    monkeypatch.setattr(lame.engine, "masked_scores", lambda x, m, fill: shapes.append(m.shape) or plain(x, m, fill))
    found = fm.ScoreCAM(relu=False)(lame, x, TARGETS)
    assert shapes == [(3, 3, 3, 2)]
    maps, _, _ = parts(model, x)
    with np.errstate(invalid="ignore"):
        powers = np.exp(rises(model, x)[1])[..., [0, 2, 3]]
    expected = np.einsum("nhwc,ntc->nthw", maps[..., [0, 2, 3]], powers / powers.sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(found.maps, expected, atol=1e-5)
    blank = fm.ScoreCAM()(lame, np.ones((1, *SHAPE), np.float32), TARGETS)
    assert not blank.maps.any()
    assert blank.warnings == (
        "blank map for image 0: every channel of layer 'maps' is the same everywhere, and this method goes by what "
        "varies",
    )


def test_images_of_a_batch_keep_their_own_number_of_live_maps() -> None:
    maps = np.zeros((2, 2, 2, 3), np.float32)
    maps[0, 0, 0] = [1, 0, 3]
    maps[1, 0, 0] = [0, 2, 0]
    kept, live = most_varied(maps, None)
    assert kept.shape == (2, 2, 2, 2)
    np.testing.assert_array_equal(kept[:, 0, 0], [[3, 1], [2, 0]])
    np.testing.assert_array_equal(live, [[True, True], [True, False]])
    weights = softmax_over(np.zeros((2, 1, 2)), live)
    np.testing.assert_allclose(weights[:, 0], [[0.5, 0.5], [1, 0]])
    np.testing.assert_array_equal(softmax_over(np.ones((1, 1, 2)), np.zeros((1, 2), bool)), np.zeros((1, 1, 2)))


@given(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(0, 30)] * 2), st.integers(0, 99))
def test_masks_run_from_0_to_1_once_they_are_enlarged(small: Any, more: Any, seed: int) -> None:
    size = (small[0] + more[0], small[1] + more[1])
    maps = np.random.default_rng(seed).normal(size=(1, *small, 2)).astype(np.float32)
    masks = as_masks(maps, size)
    assert masks.shape == (1, 2, *small)
    large = enlarged(np.moveaxis(masks, 1, -1), size)
    if small == (1, 1):
        assert not large.any()
        return
    np.testing.assert_allclose(large.min(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(large.max(axis=(1, 2)), 1, atol=1e-5)


# Ablation-CAM


def test_ablation_cam_is_its_closed_form_behind_pooling(net: Any, clf: fm.Classifier) -> None:
    x = images()
    maps, _, bias = parts(net, x)
    final = models.numpy(net.get_layer("final").kernel)[:, list(CLASSES)]
    lost = maps.mean(axis=(1, 2))[:, None] * final.T  # S - S_k
    scores = lost.sum(axis=-1) + bias
    assert scores.min() < 0 < scores.max()
    expected = np.einsum("nhwc,ntc->nthw", maps, lost / np.abs(scores)[..., None])
    att = fm.AblationCAM(relu=False)(clf, x, TARGETS)
    np.testing.assert_allclose(att.maps, expected, rtol=1e-3, atol=1e-4)
    assert att.signed
    np.testing.assert_allclose(fm.AblationCAM()(clf, x, TARGETS).maps, np.maximum(att.maps, 0), atol=1e-6)


def test_ablation_cam_asks_the_rest_of_the_network() -> None:
    models.seeded(5)
    image = keras.Input(SHAPE)
    maps = layers.Conv2D(6, 3, strides=2, activation="relu", name="maps")(image)
    rest = [layers.Flatten(), layers.Dense(9, activation="tanh"), layers.Dense(4)]
    value = maps
    for layer in rest:
        value = layer(value)
    model, x = keras.Model(image, value), images()
    at_maps = models.numpy(keras.Model(image, maps)(x)).copy()

    def scores(a: np.ndarray) -> np.ndarray:
        value: Any = keras.ops.convert_to_tensor(a)
        for layer in rest:
            value = layer(value)
        return models.numpy(value)[:, list(CLASSES)]

    whole, expected = scores(at_maps), 0
    for channel in range(6):
        without = at_maps.copy()
        without[..., channel] = 0
        share = (whole - scores(without)) / np.abs(whole)
        expected = expected + share[:, :, None, None] * at_maps[:, None, :, :, channel]
    found = fm.AblationCAM(layer="maps", relu=False)(fm.Classifier(model, batch_size=4), x, TARGETS)
    np.testing.assert_allclose(found.maps, expected, rtol=1e-3, atol=1e-4)


def test_channels_that_are_zero_are_not_run(monkeypatch: Any) -> None:
    model = linear_network()
    kernel = models.numpy(model.get_layer("maps").kernel)
    kernel[..., [0, 3]] = 0
    model.get_layer("maps").kernel.assign(kernel)
    clf, rows = fm.Classifier(model, batch_size=4), []
    plain = clf.engine.scores_from
    monkeypatch.setattr(clf.engine, "scores_from", lambda layer, a, x: rows.append(len(a)) or plain(layer, a, x))
    fm.AblationCAM()(clf, images(), TARGETS)
    assert sum(rows) == 3 + 3 * 3  # the images, and three live channels of each


def test_a_score_of_zero_divides_by_nothing() -> None:
    model = linear_network()
    model.get_layer("final").bias.assign(np.zeros(4))
    att = fm.AblationCAM()(fm.Classifier(model), np.zeros((1, *SHAPE), np.float32), TARGETS)
    assert not att.maps.any()
    assert not att.scores.any()


# Both


@pytest.mark.parametrize("method", [fm.ScoreCAM, fm.AblationCAM])
def test_several_layers_are_a_list_and_a_batch_equals_its_images(method: Any) -> None:
    known = models.functional()
    clf, x = fm.Classifier(known.model, batch_size=4), known.images(3)
    both = method(layers=("conv2", "conv1"))(clf, x, fm.Top(2))
    assert [each.provenance["layer"] for each in both] == ["conv2", "conv1"]
    assert both[1].maps.shape == (3, 2, 16, 12)
    for index in range(3):
        for name, each in zip(("conv2", "conv1"), both, strict=True):
            alone = method(layer=name)(clf, x[index], fm.Top(2)).maps[0]
            np.testing.assert_allclose(each.maps[index], alone, rtol=1e-3, atol=1e-4)


def test_values_that_cannot_be() -> None:
    for channels in (0, -3, 2.5):
        with pytest.raises(FieldmarkError) as error:
            fm.ScoreCAM(channels=channels)  # type: ignore[arg-type]
        assert str(error.value) == f"channels={channels!r}: expected None (all) or a whole number of 1 or more"
    with pytest.raises(FieldmarkError) as error:
        fm.ScoreCAM(baseline=float("nan"))
    assert str(error.value) == "baseline=nan: expected a finite number"
