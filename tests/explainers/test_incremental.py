"""Occlusion that computes only what a patch can reach: the same as covering every image whole, or the plain way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.classifier import incremental
from fieldmark.classifier.reach import Crop, Window
from tests.support import models

every_backend = pytest.mark.every_backend

SHAPE = (41, 34, 3)


def build(middle: Callable[[Any], Any], shape: tuple[int, int, int] = SHAPE) -> Any:
    models.seeded()
    image = keras.Input(shape)
    value = layers.Conv2D(6, 3, padding="same", activation="relu", name="late")(middle(image))
    final = layers.Dense(5, activation="softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=10.0))
    model = keras.Model(image, final(layers.GlobalAveragePooling2D()(value)))
    models.unsettle(model)
    return model


def noise(n: int = 2, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def plans(clf: fm.Classifier) -> list[incremental.Plan | None]:
    return list(clf.engine.incremental._plans.values())


def assert_same(clf: fm.Classifier, images: np.ndarray, **fields: Any) -> None:
    """The maps of both ways, where they are large enough for a wrong pixel to show."""
    fast, plain = (fm.Occlusion(incremental=way, **fields)(clf, images).maps for way in (True, False))
    assert np.abs(plain).max() > 1e-3
    np.testing.assert_allclose(fast, plain, rtol=0, atol=2e-5)


def mobile(x: Any) -> Any:
    x = layers.ZeroPadding2D(((1, 2), (0, 1)))(x)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    return layers.Add()([x, y])


def strides(x: Any) -> Any:
    x = layers.Conv2D(4, (5, 4), strides=(2, 1), padding="same", activation="tanh")(x)
    return layers.Conv2D(4, (1, 2), strides=(1, 3), padding="valid")(x)


def strided_point(x: Any) -> Any:
    return layers.Conv2D(4, 1, strides=3, padding="same")(x)


def dilated(x: Any) -> Any:
    return layers.SeparableConv2D(5, 3, padding="same")(layers.Conv2D(4, 3, dilation_rate=2, padding="same")(x))


def pools(x: Any) -> Any:
    x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.Conv2D(4, 2)(x))
    return layers.AveragePooling2D((2, 3), strides=1)(layers.LeakyReLU()(x))


def branches(x: Any) -> Any:
    x = layers.Conv2D(4, 3, padding="same")(x)
    y = layers.Conv2D(2, (1, 5), padding="same")(x)
    z = layers.Conv2D(2, (5, 1), padding="same")(x)
    joined = layers.Concatenate()([layers.Dropout(0.5)(x), y, z])
    return keras.ops.relu6(joined + 0.5)


def border_pool(x: Any) -> Any:
    """ "Same" average pooling counts only what is there: whole maps from here on."""
    return layers.AveragePooling2D(3, strides=1, padding="same")(layers.Conv2D(4, 5, padding="same")(x))


NETS = (mobile, strides, strided_point, dilated, pools, branches, border_pool)


@every_backend
@pytest.mark.parametrize("middle", NETS)
def test_both_ways_give_the_same(middle: Callable[[Any], Any]) -> None:
    clf = fm.Classifier(build(middle))
    assert_same(clf, noise(), patch=(7, 6))  # the last row and column overlap those before
    assert all(plans(clf)), "the plain way was compared with itself"


@pytest.mark.parametrize("middle", NETS)
@pytest.mark.parametrize(("patch", "stride"), [(2, 1), ((13, 4), (9, 3))])
def test_the_size_of_patches_does_not_matter(
    middle: Callable[[Any], Any], patch: Any, stride: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "WORTH_BELOW", 2.0)
    model = build(middle, (23, 18, 3))
    clf = fm.Classifier(model)
    assert_same(clf, noise(1, (23, 18, 3)), patch=patch, stride=stride)
    assert all(plans(clf))


@every_backend
def test_rectangles_may_fill_the_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "WHOLE_ABOVE", 1.0)
    monkeypatch.setattr(incremental, "WORTH_BELOW", 2.0)
    clf = fm.Classifier(build(mobile))
    assert_same(clf, noise(1), patch=9)
    (plan,) = plans(clf)
    assert plan is not None
    assert [step.node.kind for step in plan.steps if step.crop is None] == ["GlobalAveragePooling2D", "Dense"]


@pytest.mark.parametrize("fields", [{"scores": "probabilities"}, {"fold": False}, {"batch_size": 3}])
def test_it_explains_what_was_asked_for(fields: dict[str, Any]) -> None:
    clf = fm.Classifier(build(mobile), **fields)
    assert_same(clf, noise(), patch=6)
    assert all(plans(clf))


def test_fills_differ_by_image_and_pixel() -> None:
    clf = fm.Classifier(build(mobile))
    assert_same(clf, noise(), patch=6, fill="blur")
    assert_same(clf, noise(), patch=6, fill=noise(1)[0])
    assert all(plans(clf))


def test_compiled_once_for_many_images_and_weights_that_change_are_seen() -> None:
    model = build(mobile)
    clf = fm.Classifier(model)
    assert_same(clf, noise(2), patch=6)
    before = clf.engine.passes.traces
    assert_same(clf, noise(5), patch=6)
    assert clf.engine.passes.traces == before
    model.set_weights([weight * 0.5 for weight in model.get_weights()])
    models.unsettle(model, seed=2)
    assert_same(clf, noise(2), patch=6)
    assert clf.engine.passes.traces == before


@every_backend
def test_nested_models_are_one_graph() -> None:
    inner = build(mobile)
    base = keras.Model(inner.input, inner.get_layer("late").output)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Rescaling(0.5),
            base,
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    clf = fm.Classifier(model)
    assert_same(clf, noise(), patch=6, fill=2.0)
    assert all(plans(clf))


# What it must leave alone


class Doubling(layers.Layer):
    """Mixes all pixels of a row: no rectangle would do."""

    def call(self, x: Any) -> Any:
        return x + keras.ops.mean(x, axis=2, keepdims=True)


class LookingAround(layers.Conv2D):
    """A convolution by name and class only."""

    def call(self, x: Any) -> Any:
        return super().call(x + keras.ops.mean(x, axis=(1, 2), keepdims=True))


def squeeze_excite(x: Any) -> Any:
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    gate = layers.Dense(6, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.Conv2D(6, 3)(layers.Multiply()([x, gate]))


def softmax_over_rows(x: Any) -> Any:
    return layers.Softmax(axis=1)(layers.Conv2D(4, 3)(x))


def row_activation(x: Any) -> Any:
    return layers.Conv2D(4, 3, activation=lambda y: y - keras.ops.mean(y, axis=1, keepdims=True))(x)


def norm_over_rows(x: Any) -> Any:
    return layers.BatchNormalization(axis=1)(layers.Conv2D(4, 3)(x))


def joined_rows(x: Any) -> Any:
    x = layers.Conv2D(4, 3)(x)
    return layers.Concatenate(axis=1)([x, layers.UpSampling2D(1)(x)])


def constant_map(x: Any) -> Any:
    return x * np.linspace(-1, 1, SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(1, *SHAPE[:2], 1)


UNKNOWN = (
    squeeze_excite,
    softmax_over_rows,
    row_activation,
    norm_over_rows,
    joined_rows,
    constant_map,
    lambda x: Doubling()(layers.Conv2D(4, 3)(x)),
    lambda x: LookingAround(4, 3)(layers.Conv2D(4, 3)(x)),
)


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("middle", UNKNOWN)
def test_whole_maps_from_a_layer_that_may_look_anywhere(
    middle: Callable[[Any], Any], always: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if always:
        monkeypatch.setattr(incremental, "WORTH_BELOW", 2.0)
    clf = fm.Classifier(build(middle))
    assert_same(clf, noise(1), patch=6)
    assert not always or all(plans(clf))


class Raw(keras.Model):
    """Computes between its layers, where nobody sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Conv2D(4, 3), layers.Conv2D(4, 3)
        self.last = layers.Dense(5)

    def call(self, x: Any) -> Any:
        x = self.first(x * 2)
        return self.last(keras.ops.max(self.second(x) + x[:, 1:-1, 1:-1], axis=(1, 2)))


class Tidy(keras.Model):
    """A model of its own class all of whose work is done by layers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(5)]

    def call(self, x: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return x


@every_backend
@pytest.mark.parametrize(("model", "planned"), [(Raw, False), (Tidy, True)])
def test_a_model_without_a_graph(model: Callable[[], Any], planned: bool) -> None:
    models.seeded()
    made = model()
    made(noise(1))
    clf = fm.Classifier(made)
    assert_same(clf, noise(), patch=6)
    assert all(plan is not None for plan in plans(clf)) == planned


def test_large_patches_go_the_plain_way() -> None:
    clf = fm.Classifier(build(mobile))
    assert_same(clf, noise(1), patch=30)
    assert plans(clf) == [None]


@every_backend
def test_a_wrong_plan_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Window.reached

    def short(self: Window, low: np.ndarray, high: np.ndarray, outputs: int) -> Any:
        first, last = right(self, low, high, outputs)
        return (first + 1 if self.extent > 1 else first), last

    monkeypatch.setattr(Window, "reached", short)
    clf = fm.Classifier(build(mobile))
    assert_same(clf, noise(), patch=6)
    assert plans(clf) == [None]


def test_a_layer_that_refuses_rectangles_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> Any:
        raise ValueError("shape")

    monkeypatch.setattr(incremental, "run_plan", refuse)
    clf = fm.Classifier(build(mobile))
    assert_same(clf, noise(), patch=6)
    assert plans(clf) == [None]


@every_backend
def test_patches_that_do_not_fit_into_memory_go_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    clf = fm.Classifier(build(mobile))
    clf.predict(noise(1))
    plenty = fm.Occlusion(patch=6)(clf, noise()).maps
    run = clf.engine.passes._run

    def starving(key: Any, traced: Any, arrays: Any) -> Any:
        if max(len(array) for array in arrays) > 20:
            raise MemoryError
        return run(key, traced, arrays)

    monkeypatch.setattr(clf.engine.passes, "_run", starving)
    with pytest.warns(RuntimeWarning, match="out of memory"):
        np.testing.assert_allclose(fm.Occlusion(patch=6)(clf, noise()).maps, plenty, rtol=0, atol=2e-5)
    assert all(plans(clf))


def test_the_plain_way_makes_no_plan() -> None:
    clf = fm.Classifier(build(mobile))
    found = fm.Occlusion(incremental=False, patch=6)(clf, noise())
    assert plans(clf) == []
    assert found.provenance["parameters"]["incremental"] is False


# Geometry, by trying every input


@pytest.mark.parametrize("window", [Window(), Window(3, 1, 1), Window(3, 2, 0), Window(5, 2, 1), Window(1, 3, 0)])
def test_what_is_reached_is_what_sees_the_change(window: Window) -> None:
    side, outputs = 17, (17 + window.before - window.extent) // window.stride + 1
    seen = [set(range(j * window.stride - window.before, j * window.stride - window.before + window.extent))
            for j in range(outputs)]  # fmt: skip
    for low in range(side):
        for high in range(low + 1, side + 1):
            reached = {j for j in range(outputs) if seen[j] & set(range(low, high))}
            first, last = window.reached(np.array([low]), np.array([high]), outputs)
            assert set(range(first[0], last[0])) == reached


def test_rectangles_have_one_size_and_lie_within_the_map() -> None:
    low, high = np.array([[0, 3], [8, 6]]), np.array([[2, 6], [9, 7]])
    crop = Crop(low, high, (9, 7))
    assert crop.size == (2, 3)
    assert crop.origins.tolist() == [[0, 3], [7, 4]]
    assert replace(crop, side=(12, 7)).share == 6 / 84


def test_lite0_gives_the_same(cat: np.ndarray) -> None:
    lite0 = pytest.importorskip("fieldmark.demo.lite0")
    pytest.importorskip(lite0.WEIGHTS_PACKAGE, reason="extra `demo` carries the weights")
    clf = fm.Classifier(lite0.lite0(), lite0.preprocess)
    fast, plain = (fm.Occlusion(incremental=way)(clf, cat) for way in (True, False))
    np.testing.assert_allclose(fast.maps, plain.maps, rtol=0, atol=1e-4)
    assert all(plans(clf))
