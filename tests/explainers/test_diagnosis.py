"""A map that is blank says why: each cause is planted in a small model, and a good map says nothing."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.errors import MapWarning
from tests.support import explainers, models

on_every_backend = pytest.mark.every_backend
SHAPE = (12, 9, 3)


class Cut(layers.Layer):
    """Lets values through and no gradient."""

    def call(self, x: Any) -> Any:
        return keras.ops.stop_gradient(x)


class Root(layers.Layer):
    """The square root, whose slope at 0 is infinite."""

    def call(self, x: Any) -> Any:
        return keras.ops.sqrt(x)


def network(*after: Any, head: str | None = None, pooled: bool = True) -> Any:
    """A convolution "maps" (3 channels, all positive on positive images), what comes after it, and 2 classes."""
    models.seeded()
    steps = [layers.Conv2D(3, 1, use_bias=False, activation="relu", name="maps"), *after]
    steps += [layers.GlobalAveragePooling2D(name="pooled")] if pooled else []
    model = keras.Sequential([keras.Input(SHAPE), *steps, layers.Dense(2, activation=head, name="final")])
    model.get_layer("maps").kernel.assign(np.eye(3, dtype=np.float32)[None, None])
    final = model.get_layer("final")
    final.kernel.assign(np.resize(np.array([[1, -1]], np.float32), final.kernel.shape))
    return model


def images(n: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 1, size=(n, *SHAPE)).astype(np.float32)


def uneven(n: int = 1) -> np.ndarray:
    """With places where the convolution is off, so that places differ for every method."""
    x = images(n)
    x[:, 2:6, 2:6] *= -1
    return x


def said(explainer: Any, model: Any, x: np.ndarray, target: Any = 0, **options: Any) -> tuple[str, ...]:
    """The warnings of an explanation, which were also given as Python warnings, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        att = explainer(fm.Classifier(model, **options), x, target=target)
    assert [str(each.message) for each in caught if each.category is MapWarning] == list(att.warnings)
    assert all(each.filename == __file__ for each in caught if each.category is MapWarning)
    return att.warnings


@pytest.mark.parametrize("explainer", explainers.ALL, ids=explainers.NAMES)
def test_a_good_map_says_nothing(explainer: Any) -> None:
    # One unit more on the side of class 0, so that no method's map of it is blank.
    model = network()
    model.get_layer("final").kernel.assign(np.array([[1, -1], [2, -1], [0.5, -1]], np.float32))
    assert said(explainer, model, uneven(2)) == ()


@pytest.mark.parametrize("explainer", [fm.GradCAM(), fm.XGradCAM(), fm.AblationCAM()], ids=repr)
def test_all_negative_before_the_relu(explainer: Any) -> None:
    model = network()
    assert said(explainer, model, images(3), target=1) == (
        "blank map for image 0, 1, 2: every place of layer 'maps' speaks against this score, and the ReLU leaves "
        "nothing; relu=False (--set relu=false) shows it signed, or explain another class",
    )
    with_more_targets = said(explainer, model, images(1), target=[fm.Class(0), fm.Class(1)])
    assert with_more_targets[0].startswith("blank map for image 0 (class 1): every place of layer 'maps' speaks ")


@on_every_backend
@pytest.mark.parametrize("explainer", [fm.GradCAM(), fm.LayerCAM(), fm.ScoreCAM(), fm.EigenCAM()], ids=repr)
def test_a_layer_that_is_off(explainer: Any) -> None:
    assert said(explainer, network(), -images()) == (
        "blank map for image 0: the output of layer 'maps' is zero everywhere for this image, so nothing passes "
        "through it (units that are switched off, or an image that the model was not made for); check "
        "preprocess=, or choose another layer",
    )


@on_every_backend
@pytest.mark.parametrize("explainer", [fm.GradCAM(layer="maps"), fm.HiResCAM(layer="maps"), fm.Gradients()], ids=repr)
def test_a_gradient_that_is_cut(explainer: Any) -> None:
    where = "layer 'maps'" if type(explainer).needs_layer else "the input"
    assert said(explainer, network(Cut(name="cut")), images()) == (
        f"blank map for image 0: no gradient reaches {where} although the score depends on it: the path is cut "
        "(stop_gradient, detach, no_grad, rounding); mend the model, or use methods without gradients (Occlusion, "
        "RISE, ScoreCAM)",
    )


@on_every_backend
def test_units_that_are_off_after_the_layer() -> None:
    off = layers.Conv2D(3, 1, activation="relu", name="off")
    model = network(off)
    off.set_weights([np.eye(3, dtype=np.float32)[None, None], np.full(3, -1.6, np.float32)])
    assert said(fm.HiResCAM(layer="maps"), model, images()) == (
        "blank map for image 0: no gradient reaches layer 'maps': only large changes of it move the score, so units "
        "after it are switched off or saturated for this image; methods without gradients work (Occlusion, RISE), or "
        "choose another layer",
    )


def test_a_layer_that_leads_elsewhere() -> None:
    image = keras.Input(SHAPE)
    side = layers.Conv2D(3, 1, name="side")(image)
    main = layers.Conv2D(3, 1, name="main")(image)
    ends = [
        layers.Dense(2, name=name)(layers.GlobalAveragePooling2D()(value))
        for name, value in (("one", main), ("two", side))
    ]
    model = keras.Model(image, ends)
    assert said(fm.GradCAM(layer="side"), model, images(), output=0) == (
        "blank map for image 0: the score does not depend on layer 'side' for this image: the path from it is dead "
        "(units switched off after it), or leads to another output; choose another layer (Classifier.layers()), or "
        "output=",
    )


@pytest.mark.parametrize("explainer", [fm.Gradients(), fm.Occlusion(), fm.LRP(), fm.RISE(samples=8)], ids=repr)
def test_a_model_that_is_dead(explainer: Any) -> None:
    model = network()
    model.get_layer("final").kernel.assign(np.zeros((3, 2), np.float32))
    (sentence,) = said(explainer, model, images())
    assert sentence == (
        "blank map for image 0: the score is the same whatever the image: the model is dead (all units switched off), "
        "or its output is constant; check preprocess= and the weights"
    )


def test_an_image_of_one_colour() -> None:
    x = np.full((1, *SHAPE), 0.5, np.float32)
    assert said(fm.Occlusion(), network(), x) == (
        "blank map for image 0: the image has one colour, so that hiding a part of it behind that colour changes "
        "nothing; set fill=",
    )
    assert said(fm.GradCAM(), network(), x) == (
        "the same value everywhere in the map for image 0: the image has one colour, so every place is like any other",
    )


def test_a_layer_of_one_pixel() -> None:
    model = network(layers.MaxPooling2D(SHAPE[:2], name="one"))
    assert said(fm.GradCAM(layer="one"), model, images()) == (
        "the same value everywhere in the map for image 0: layer 'one' has one pixel, so the map cannot say where; "
        "choose an earlier layer",
    )


@pytest.mark.parametrize("explainer", [fm.Gradients(), fm.GradCAM(), fm.Occlusion()], ids=repr)
def test_saturated_probabilities(explainer: Any) -> None:
    model = network(head="softmax")
    model.get_layer("final").kernel.assign(np.full((3, 2), 100, np.float32) * [1, -1])
    found = said(explainer, model, uneven(2), scores="probabilities")
    assert found == (
        "saturated probability for image 0, 1: it is so near 0 or 1 that hardly anything moves it, so the map is "
        "weak, blank or noise; explain logits: leave scores='probabilities' (--probabilities) out",
    )
    assert said(explainer, model, uneven(2)) == ()
    small = network(head="softmax")
    assert said(explainer, small, uneven(2), scores="probabilities") == ()


@on_every_backend
def test_a_weight_that_is_not_finite() -> None:
    model = network()
    kernel = np.eye(3, dtype=np.float32)[None, None]
    kernel[0, 0, 1, 1] = np.nan
    model.get_layer("maps").kernel.assign(kernel)
    path = model.get_layer("maps").kernel.path
    assert said(fm.GradCAM(), model, images()) == (
        f"NaN or infinite values in the map for image 0: the weight {path!r} holds NaN or infinity; the model is "
        "damaged: load or train it again",
    )


def test_values_that_overflow() -> None:
    square = layers.Conv2D(3, 1, name="large")
    model = network(square)
    square.set_weights([np.full((1, 1, 3, 3), 1e30, np.float32), np.zeros(3, np.float32)])
    (sentence,) = said(fm.GradCAM(layer="maps"), model, images() * 1e10)
    assert sentence.startswith(
        "NaN or infinite values in the map for image 0: the output of layer 'large' is the first that is not finite; "
        "what was fed runs from "
    )
    assert sentence.endswith("e+09: check preprocess= and that layer")


@on_every_backend
def test_a_gradient_that_is_not_finite() -> None:
    x = images()
    x[0, 2, 2] = 0
    model = network(Root(name="root"))
    assert said(fm.HiResCAM(layer="maps"), model, x) == (
        "NaN or infinite values in the map for image 0: the scores are finite but the gradient at layer 'maps' is not: "
        "a step after it has no finite slope there (a square root or logarithm at 0, a division by 0); methods without "
        "gradients work (Occlusion, RISE)",
    )


@on_every_backend
def test_half_precision_that_overflows() -> None:
    models.seeded()
    image = keras.Input(SHAPE)
    value = layers.Conv2D(3, 1, name="half", dtype="mixed_float16", kernel_initializer="ones")(image)
    value = layers.GlobalAveragePooling2D(dtype="float32")(value)
    model = keras.Model(image, layers.Dense(2, dtype="float32")(value))
    (sentence,) = said(fm.GradCAM(), model, images() * 60_000)
    assert sentence == (
        "NaN or infinite values in the map for image 0: the output of layer 'half' is the first that is not finite; "
        "its values are beyond what float16 holds (65504): compute in float32 or bfloat16"
    )


def test_many_images_are_one_sentence() -> None:
    (sentence,) = said(fm.GradCAM(), network(), images(12), target=1)
    assert sentence.startswith("blank map for image 0, 1, 2, 3, 4 and 7 more: every place of layer 'maps' speaks ")


def test_an_explainer_within_another_is_silent() -> None:
    (sentence,) = said(fm.SmoothGrad(inner=fm.GradCAM(), samples=3, noise=0.01), network(), images(2), target=1)
    assert sentence.startswith("blank map for image 0, 1: ")


@pytest.mark.parametrize("explainer", explainers.ALL, ids=explainers.NAMES)
def test_every_explainer_says_something_of_a_dead_model(explainer: Any) -> None:
    model = network()
    model.get_layer("maps").kernel.assign(np.zeros((1, 1, 3, 3), np.float32))
    att = explainer(fm.Classifier(model), images(), target=0)
    assert att.maps.any() or att.warnings
