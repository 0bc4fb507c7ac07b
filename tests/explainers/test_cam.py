"""Gradient-weighted maps against closed forms: heads whose gradient is known, and the sums that the papers promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.errors import FieldmarkError, LayerError
from fieldmark.explainers.cam import grad_cam_plus_plus, over_rms, xgrad_cam
from tests.support import models

pytestmark = pytest.mark.every_backend

FAMILY = (fm.GradCAM, fm.GradCAMPlusPlus, fm.HiResCAM, fm.XGradCAM, fm.LayerCAM)
CLASSES = (3, 0)
TARGETS = [fm.Class(cls) for cls in CLASSES]


def network(head: Callable[[Any], Any], shape: tuple[int, int, int] = (10, 8, 3), bias: bool = True) -> Any:
    """Two convolutions, the second of which is "maps", and a head; biases that are not zero unless told."""
    models.seeded(2)
    start = "random_normal" if bias else "zeros"
    image = keras.Input(shape)
    value = layers.Conv2D(5, 3, padding="same", activation="relu", bias_initializer=start, name="early")(image)
    value = layers.MaxPooling2D()(value)
    value = layers.Conv2D(7, 3, padding="same", activation="relu", bias_initializer=start, name="maps")(value)
    return keras.Model(image, head(value), name="net")


def flat_linear(value: Any) -> Any:
    """Every pixel of every map has its own weight: the gradient is the kernel."""
    return layers.Dense(4, bias_initializer="random_normal", name="final")(layers.Flatten()(value))


def pooled_linear(value: Any) -> Any:
    value = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(value))
    return layers.Dense(4, activation="softmax", bias_initializer="random_normal", name="final")(value)


def images(n: int = 3, shape: tuple[int, int, int] = (10, 8, 3), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


def output_of(model: Any, layer: str, x: np.ndarray) -> np.ndarray:
    return models.numpy(keras.Model(model.input, model.get_layer(layer).output)(x, training=False)).astype(np.float64)


@pytest.fixture(scope="module")
def flat() -> Any:
    return network(flat_linear)


@pytest.fixture(scope="module")
def clf(flat: Any) -> fm.Classifier:
    return fm.Classifier(flat, batch_size=4)


def arrays(model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activations (n, 1, h, w, c) and gradients (1, t, h, w, c) of the flat model's classes, by hand."""
    a = output_of(model, "maps", x)
    kernel = models.numpy(model.get_layer("final").kernel).reshape(*a.shape[1:], 4)
    return a[:, None], np.moveaxis(kernel[..., list(CLASSES)], -1, 0)[None].astype(np.float64)


# The papers' formulas, with sums written out over pixels (2, 3) and channels (4).
FORMULAS: dict[Any, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    fm.GradCAM: lambda a, g: (g.mean((2, 3), keepdims=True) * a).sum(-1),
    fm.GradCAMPlusPlus: lambda a, g: (
        (g**2 / (2 * g**2 + g**3 * a.sum((2, 3), keepdims=True)) * np.maximum(g, 0)).sum((2, 3), keepdims=True) * a
    ).sum(-1),
    fm.HiResCAM: lambda a, g: (g * a).sum(-1),
    fm.XGradCAM: lambda a, g: (
        (g * a).sum((2, 3), keepdims=True) / np.maximum(a.sum((2, 3), keepdims=True), 1e-30) * a
    ).sum(-1),
    fm.LayerCAM: lambda a, g: (np.maximum(g, 0) * a).sum(-1),
}


@pytest.mark.parametrize("method", FAMILY, ids=lambda m: m.__name__)
def test_a_map_is_its_papers_formula(flat: Any, clf: fm.Classifier, method: Any) -> None:
    x = images()
    expected = FORMULAS[method](*arrays(flat, x))
    assert (expected.std(axis=(2, 3)) > 1e-3).all()
    signed = method(layer="maps", relu=False)(clf, x, TARGETS)
    np.testing.assert_allclose(signed.maps, expected, atol=1e-5)
    assert signed.signed
    positive = method(layer="maps", relu=True)(clf, x, TARGETS)
    np.testing.assert_allclose(positive.maps, np.maximum(expected, 0), atol=1e-5)
    assert not positive.signed
    default = positive if method is not fm.HiResCAM else signed
    np.testing.assert_array_equal(method(layer="maps")(clf, x, TARGETS).maps, default.maps)


def test_hires_cam_sums_to_the_logit_less_the_bias(flat: Any, clf: fm.Classifier) -> None:
    att = fm.HiResCAM()(clf, images(), TARGETS)
    bias = models.numpy(flat.get_layer("final").bias)[list(CLASSES)]
    np.testing.assert_allclose(att.maps.sum(axis=(2, 3)), att.scores - bias, atol=1e-5)
    grad = fm.GradCAM(relu=False)(clf, images(), TARGETS)
    assert np.abs(grad.maps.sum(axis=(2, 3)) - (att.scores - bias)).max() > 1e-2  # what it was made to mend


def deep_without_bias(value: Any) -> Any:
    value = layers.Conv2D(6, 3, activation="relu", name="later")(value)
    return layers.Dense(4, use_bias=False)(layers.Dense(9, activation="relu")(layers.Flatten()(value)))


def test_signed_xgrad_cam_sums_to_the_score_where_it_is_piecewise_linear() -> None:
    clf = fm.Classifier(network(deep_without_bias))
    att = fm.XGradCAM(layer="maps", relu=False)(clf, images(), TARGETS)
    assert np.abs(att.scores).min() > 1e-3
    np.testing.assert_allclose(att.maps.sum(axis=(2, 3)), att.scores, rtol=1e-4, atol=1e-6)
    grad = fm.GradCAM(layer="maps", relu=False)(clf, images(), TARGETS)
    assert np.abs(grad.maps.sum(axis=(2, 3)) - att.scores).max() > 1e-3


def test_maps_without_anything_in_them_weigh_nothing() -> None:
    a, g = np.ones((1, 2, 2, 2), np.float32), np.ones((1, 1, 2, 2, 2), np.float32)
    a[..., 1] = 0
    np.testing.assert_array_equal(xgrad_cam(a, g), np.ones((1, 1, 2, 2)))
    a[0, :, :, 0] = [[-1, -1], [0, 0]]
    g[:] = 1  # 2 + g sum(A) = 0
    np.testing.assert_array_equal(grad_cam_plus_plus(a, g), np.zeros((1, 1, 2, 2)))
    np.testing.assert_array_equal(over_rms(np.zeros_like(g)), np.zeros_like(g))


def test_rms_divides_the_gradients_by_their_root_mean_square(flat: Any, clf: fm.Classifier) -> None:
    _, g = arrays(flat, images())
    rms = np.sqrt((g**2).mean(axis=(2, 3, 4)))[..., None, None]
    plain, hive = (fm.GradCAM(rms=rms)(clf, images(), TARGETS).maps for rms in (False, True))
    np.testing.assert_allclose(hive * rms, plain, atol=1e-6)
    assert np.abs(hive - plain).max() > 1e-2


# Several layers


@pytest.mark.parametrize("method", FAMILY, ids=lambda m: m.__name__)
def test_several_layers_are_a_list_from_one_pass(clf: fm.Classifier, method: Any) -> None:
    x, names = images(), ("maps", "early")
    method(layers=names)(clf, x, TARGETS)
    passes = count_passes(clf, lambda: method(layers=names)(clf, x, TARGETS))
    assert passes == 1
    both = method(layers=names)(clf, x, TARGETS)
    assert [each.provenance["layer"] for each in both] == list(names)
    for name, each in zip(names, both, strict=True):
        np.testing.assert_allclose(each.maps, method(layer=name)(clf, x, TARGETS).maps, atol=1e-6)
    assert both[1].maps.shape[2:] == (10, 8)
    assert isinstance(method(layers=["early"])(clf, x, TARGETS), list)


def count_passes(clf: fm.Classifier, work: Callable[[], Any]) -> int:
    calls = []
    call = clf.engine.passes.call
    clf.engine.passes.call = lambda *args: calls.append(args) or call(*args)  # type: ignore[method-assign, func-returns-value]
    try:
        work()
    finally:
        del clf.engine.passes.call
    return len(calls)


def test_layers_that_cannot_be(clf: fm.Classifier) -> None:
    with pytest.raises(FieldmarkError) as error:
        fm.LayerCAM(layers="early")  # type: ignore[arg-type]
    assert str(error.value) == 'layers=\'early\': expected a tuple of layer names, such as ("block2", "block5")'
    with pytest.raises(FieldmarkError) as error:
        fm.GradCAM(layer="maps", layers=("early",))
    assert str(error.value) == "layer='maps' and layers=('early',): expected one of the two"
    with pytest.raises(LayerError, match=r"unknown layer in model 'net' 'map': did you mean 'maps'\?"):
        fm.HiResCAM(layers=("early", "map"))(clf, images())
    with pytest.raises(LayerError, match=r"layer 'final': expected a feature map"):
        fm.XGradCAM(layer="final")(clf, images())


# CAM


@pytest.mark.parametrize("name", ["functional, non-square, 8 classes", "Sequential around a base", "subclassed"])
def test_cam_is_the_heads_weights_times_the_maps(name: str) -> None:
    known = models.SOFTMAX_MODELS[name]()
    x = known.images(3)
    att = fm.CAM()(fm.Classifier(known.model), x, TARGETS)
    expected = known.feature_maps(x) @ known.kernel[:, list(CLASSES)]
    np.testing.assert_allclose(att.maps, np.moveaxis(expected, -1, 1), atol=1e-5)
    assert att.signed
    assert att.provenance["layer"] == known.layer


def test_cams_mean_is_the_logit_less_the_bias_and_it_is_the_others_times_the_pixels() -> None:
    model = network(pooled_linear)  # dropout between pooling and the linear layer
    clf = fm.Classifier(model)
    att = fm.CAM()(clf, images(), TARGETS)
    bias = models.numpy(model.get_layer("final").bias)[list(CLASSES)]
    np.testing.assert_allclose(att.maps.mean(axis=(2, 3)), att.scores - bias, atol=1e-5)
    pixels = att.maps.shape[2] * att.maps.shape[3]
    for same in (fm.GradCAM(relu=False), fm.HiResCAM(), fm.XGradCAM(relu=False)):
        np.testing.assert_allclose(same(clf, images(), TARGETS).maps * pixels, att.maps, rtol=1e-3, atol=1e-5)


def test_cam_takes_every_linear_way_of_pooling() -> None:
    convolutional = network(lambda v: layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="each")(v)))
    clf = fm.Classifier(convolutional)
    att = fm.CAM(layer="maps")(clf, images(), TARGETS)
    np.testing.assert_allclose(att.maps, fm.HiResCAM(layer="maps")(clf, images(), TARGETS).maps * 20, atol=1e-5)
    single = fm.CAM()(fm.Classifier(models.sigmoid().model), models.sigmoid().images(2), [fm.Class(1), fm.Class(0)])
    np.testing.assert_allclose(single.maps[:, 0], -single.maps[:, 1], atol=1e-6)


def hidden(value: Any) -> Any:
    return layers.Dense(4)(layers.Dense(16, activation="relu")(layers.GlobalAveragePooling2D()(value)))


def largest(value: Any) -> Any:
    return layers.Dense(4)(layers.GlobalMaxPooling2D()(value))


def clipped(value: Any) -> Any:
    return layers.Dense(4)(layers.GlobalAveragePooling2D()(layers.ReLU(max_value=6.0, name="clip")(value)))


REFUSED = {
    "hidden layer": (hidden, "is not linear in it"),
    "maximum": (largest, "is not linear in it"),
    "clipped later": (clipped, "is not linear in it"),
    "flattened": (flat_linear, "weighs its pixels differently"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_cam_refuses_other_heads_and_says_why(case: str) -> None:
    head, reason = REFUSED[case]
    with pytest.raises(LayerError) as error:
        fm.CAM(layer="maps")(fm.Classifier(network(head)), images(1), TARGETS)
    assert str(error.value) == (
        "CAM at layer 'maps': expected global average pooling and one linear layer after it, but the rest of the "
        f"model {reason}; GradCAM and HiResCAM work at any layer"
    )


def test_cam_refuses_a_layer_that_is_gone_around() -> None:
    image = keras.Input((10, 8, 3))
    maps = layers.Conv2D(7, 3, activation="relu", name="maps")(image)
    both = [layers.GlobalAveragePooling2D()(value) for value in (maps, image)]
    model = keras.Model(image, layers.Dense(4)(layers.Concatenate()(both)))
    with pytest.raises(LayerError, match="the rest of the model sees the image past it"):
        fm.CAM(layer="maps")(fm.Classifier(model), np.zeros((2, 10, 8, 3), np.float32), TARGETS)


def test_cam_refuses_probabilities() -> None:
    clf = fm.Classifier(network(pooled_linear), scores="probabilities")
    with pytest.raises(FieldmarkError) as error:
        fm.CAM()(clf, images(1))
    assert str(error.value) == (
        "CAM: expected logits, received probabilities, which are not linear; use scores='logits', or GradCAM"
    )


# Whatever the images and targets


@pytest.mark.parametrize("shape", [(10, 8, 3), (9, 14, 1), (8, 8, 13)])
def test_a_batch_equals_its_images_one_by_one(shape: tuple[int, int, int]) -> None:
    clf = fm.Classifier(network(pooled_linear, shape), batch_size=2)
    x = images(3, shape)
    for method in (*FAMILY, fm.CAM):
        together = method()(clf, x, fm.Top(2))
        assert together.maps.shape[:2] == (3, 2)
        assert together.maps.dtype == np.float32
        for index in range(3):
            alone = method()(clf, x[index], fm.Top(2))
            np.testing.assert_allclose(together.maps[index], alone.maps[0], atol=1e-5)


def test_a_model_in_half_precision_gives_maps_in_single() -> None:
    image = keras.Input((10, 8, 3))
    value = layers.Conv2D(6, 3, activation="relu", dtype="mixed_bfloat16", name="maps")(image)
    value = layers.Dense(4, dtype="float32", name="final")(layers.GlobalAveragePooling2D(dtype="float32")(value))
    model = keras.Model(image, value)
    kernel = models.numpy(model.get_layer("final").kernel)[:, list(CLASSES)]
    maps = models.numpy(keras.ops.cast(keras.Model(image, model.get_layer("maps").output)(images()), "float32"))
    clf = fm.Classifier(model)
    for method in (fm.CAM(), fm.HiResCAM(), fm.AblationCAM(), fm.ActivationMaps()):
        assert method(clf, images(), TARGETS).maps.dtype == np.float32
    found = fm.CAM()(clf, images(), TARGETS).maps
    np.testing.assert_allclose(found, np.moveaxis(maps @ kernel, -1, 1), atol=0.02 * np.abs(found).max())


def test_targets_are_linear_in_the_signed_maps(clf: fm.Classifier) -> None:
    for method in (fm.GradCAM(relu=False), fm.HiResCAM(), fm.XGradCAM(relu=False)):
        rating = method(clf, images(), fm.Weighted({3: 2.0, 0: -0.5})).maps[:, 0]
        each = method(clf, images(), TARGETS).maps
        np.testing.assert_allclose(rating, 2 * each[:, 0] - 0.5 * each[:, 1], atol=1e-5)


def test_configuration_is_frozen_and_compared_by_value() -> None:
    assert fm.LayerCAM(layer="x") == fm.LayerCAM(layer="x")
    assert replace(fm.GradCAM(), rms=True) != fm.GradCAM()
