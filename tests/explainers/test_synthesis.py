"""Activation maximisation: the score rises, gradients of every map are adjoints, colours come back as they went in."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.errors import FieldmarkError, ImageError
from fieldmark.explainers.canvas import Canvas, View, roughness
from fieldmark.explainers.synthesis import ActivationMaximisation

every_backend = pytest.mark.every_backend
STILL: dict[str, Any] = {"jitter": 0, "rotation": 0.0, "zoom": 0.0, "tv": 0.0, "l2": 0.0}


def images(n: int = 1, shape: tuple[int, int, int] = (12, 10, 3)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape)).astype(np.uint8)


def red_or_blue(shape: tuple[int, int, int] = (12, 10, 3)) -> Any:
    """Class 0 is the mean of the first channel above 0.5, class 1 of the last, class 2 falls with both."""
    image = keras.Input(shape)
    kernel = np.zeros((1, 1, shape[-1], 2), np.float32)
    kernel[0, 0, 0, 0] = kernel[0, 0, -1, 1] = 1.0
    conv, head = layers.Conv2D(2, 1, activation="relu", name="features"), layers.Dense(3, activation="softmax")
    model = keras.Model(image, head(layers.GlobalAveragePooling2D()(conv(image))))
    conv.set_weights([kernel, np.full(2, -0.5, np.float32)])
    head.set_weights([np.array([[1, 0, -1], [0, 1, -1]], np.float32) * 10, np.zeros(3, np.float32)])
    return model


def to_unit(x: np.ndarray) -> np.ndarray:
    return x / 255


@every_backend
def test_the_picture_takes_on_the_colour_that_its_class_is_made_of() -> None:
    clf = fm.Classifier(red_or_blue(), to_unit)
    found = ActivationMaximisation(steps=24, rate=0.2, decorrelate=False, **STILL)(clf, images(2), [0, 1])
    assert found.pictures is not None
    assert found.pictures.shape == (2, 2, 12, 10, 3)
    assert found.pictures.min() >= 0
    assert found.pictures.max() <= 1
    red, blue = found.pictures[:, 0].mean(axis=(1, 2)), found.pictures[:, 1].mean(axis=(1, 2))
    assert (red[:, 0] > red[:, 2] + 0.05).all()
    assert (blue[:, 2] > blue[:, 0] + 0.05).all()
    assert found.maps.shape == (2, 2, 12, 10)


@every_backend
def test_scores_are_those_of_the_pictures() -> None:
    clf = fm.Classifier(red_or_blue(), to_unit)
    found = ActivationMaximisation(steps=6)(clf, images(), [0, 1])
    assert found.pictures is not None
    said = clf.predict(found.pictures[0] * 255)
    assert np.allclose(found.scores[0], [said.scores[0, 0], said.scores[1, 1]], atol=1e-4)
    assert np.allclose(found.probabilities[0], [said.probabilities[0, 0], said.probabilities[1, 1]], atol=1e-4)


@every_backend
def test_a_channel_and_the_direction_that_means_it_are_the_same() -> None:
    clf = fm.Classifier(red_or_blue(), to_unit)
    fields: dict[str, Any] = {"steps": 8, "rate": 0.2, "layer": "features"}
    one = ActivationMaximisation(channel=1, **fields)(clf, images())
    same = ActivationMaximisation(direction=(0.0, 1.0), **fields)(clf, images())
    assert np.allclose(one.pictures, same.pictures, atol=1e-6)
    assert one.targets == (("channel 1 of features",),)
    assert one.classes[0, 0] == -1
    picture = one.pictures[0, 0] / 1.0  # type: ignore[index]
    assert one.scores[0, 0] == pytest.approx(np.maximum(picture[..., 2] - 0.5, 0).mean(), abs=1e-4)


def test_more_steps_go_further() -> None:
    clf = fm.Classifier(red_or_blue(), to_unit)
    few, many = (ActivationMaximisation(steps=steps, **STILL)(clf, images(), 0).scores[0, 0] for steps in (2, 32))
    assert many > few


def test_on_step_sees_every_step() -> None:
    seen: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    explainer = ActivationMaximisation(steps=3, on_step=lambda i, p, s: seen.append((i, p.shape, s.shape)))
    explainer(fm.Classifier(red_or_blue(), to_unit), images(2), [0, 1])
    assert seen == [(i, (2, 2, 12, 10, 3), (2, 2)) for i in range(3)]


@pytest.mark.parametrize(
    "changed",
    [
        *({"seed": 1}, {"jitter": 0}, {"rotation": 0.0}, {"zoom": 0.0}, {"tv": 0.0}, {"l2": 0.0}, {"rate": 0.2}),
        *({"fourier": False}, {"decorrelate": False}, {"start": "image"}, {"value_range": (0.0, 2.0)}, {"steps": 5}),
    ],
    ids=str,
)
def test_every_field_changes_the_picture(changed: dict[str, Any]) -> None:
    clf = fm.Classifier(red_or_blue(), to_unit)
    first = ActivationMaximisation(steps=4)(clf, images(), 0)
    again = ActivationMaximisation(steps=4)(clf, images(), 0)
    other = ActivationMaximisation(**{"steps": 4, **changed})(clf, images(), 0)
    assert np.array_equal(first.pictures, again.pictures)
    assert not np.allclose(first.pictures, other.pictures, atol=1e-7)


def test_pictures_do_not_depend_on_the_batch_size() -> None:
    model = red_or_blue()
    two = [
        ActivationMaximisation(steps=4)(fm.Classifier(model, to_unit, batch_size=size), images(3), [0, 1]).pictures
        for size in (1, 16)
    ]
    assert np.allclose(*two, atol=1e-5)


def test_starting_from_an_image_starts_there() -> None:
    photo = np.full((1, 12, 10, 3), 100, np.uint8)
    photo[:, 3:6] = (200, 60, 20)
    clf = fm.Classifier(red_or_blue(), to_unit)
    for fourier in (True, False):
        found = ActivationMaximisation(steps=1, rate=1e-9, start="image", fourier=fourier)(clf, photo, 0)
        assert np.allclose(found.pictures[0, 0], photo[0] / 255, atol=1e-3)  # type: ignore[index]
        assert found.maps.max() < 1e-3


def test_colours_come_back_in_the_images_own_order() -> None:
    """Preprocessing that swaps channels and takes a mean off: the picture of the model's first channel is blue."""

    def caffe(x: np.ndarray) -> np.ndarray:
        return (x[..., ::-1] - np.array([104.0, 117.0, 123.0])) / 16

    clf = fm.Classifier(red_or_blue(), caffe)
    found = ActivationMaximisation(steps=24, rate=0.2, decorrelate=False, **STILL)(clf, images(), 0)
    mean = found.pictures[0, 0].mean(axis=(0, 1))  # type: ignore[index]
    assert mean[2] > mean[0] + 0.05


@pytest.mark.parametrize("channels", [1, 13])
def test_any_number_of_channels(channels: int) -> None:
    shape = (9, 8, channels)
    found = ActivationMaximisation(steps=2)(fm.Classifier(red_or_blue(shape), to_unit), images(1, shape), 0)
    assert found.pictures is not None
    assert found.pictures.shape == (1, 1, *shape)


def test_preprocessing_that_mixes_pixels_is_refused_unless_the_range_is_given() -> None:
    def standardised(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(axis=(1, 2), keepdims=True)) / (x.std(axis=(1, 2), keepdims=True) + 1)

    clf = fm.Classifier(red_or_blue(), standardised)
    with pytest.raises(ImageError) as error:
        ActivationMaximisation(steps=1)(clf, images(), 0)
    assert str(error.value) == (
        "ActivationMaximisation: preprocess does more than rescale or reorder each pixel's colours; "
        "give value_range=(black, white) of the model's input"
    )
    ActivationMaximisation(steps=1, value_range=(-2.0, 2.0))(clf, images(), 0)


@pytest.mark.parametrize("size", [(8, 6), (7, 9), (8, 7)])
@pytest.mark.parametrize("fourier", [True, False])
def test_gradients_at_the_parameters_are_those_of_the_picture(size: tuple[int, int], fourier: bool) -> None:
    rng = np.random.default_rng(0)
    canvas = Canvas.of(*size, 3, fourier, True)
    at, towards, slope = canvas.start(rng, 0.3), canvas.start(rng, 1.0), rng.normal(size=(*size, 3))
    picture = canvas.picture(at)
    step = 1e-5
    difference = (canvas.picture(at + step * towards) - canvas.picture(at - step * towards)) / (2 * step)
    assert (difference * slope).sum() == pytest.approx((canvas.pull(picture, slope) * towards).sum(), rel=1e-5)
    assert np.allclose(canvas.picture(canvas.matching(picture)), picture, atol=1e-6)


def test_a_view_and_its_pull_are_adjoint_and_no_move_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    picture, slope = rng.normal(size=(2, 9, 7, 3))
    view = View.of((9, 7), np.array([2.0, -1.0]), 12.0, 1.2)
    assert (view(picture) * slope).sum() == pytest.approx((picture * view.pull(slope)).sum())
    assert np.allclose(View.of((9, 7), np.zeros(2), 0.0, 1.0)(picture), picture)
    shifted = View.of((9, 7), np.array([1.0, 0.0]), 0.0, 1.0)(picture)
    assert np.allclose(shifted[:-1], picture[1:])


def test_roughness_has_the_gradient_it_says() -> None:
    rng = np.random.default_rng(0)
    picture, towards = rng.normal(size=(2, 5, 6, 2))
    step = 1e-6
    difference = (roughness(picture + step * towards)[0] - roughness(picture - step * towards)[0]) / (2 * step)
    assert difference == pytest.approx((roughness(picture)[1] * towards).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "steps=0: expected a whole number of 1 or more"),
        ({"rate": 0.0}, "rate=0.0: expected a number above 0"),
        ({"jitter": -1}, "jitter=-1: expected a number of 0 or more"),
        ({"zoom": 1.0}, "zoom=1.0: expected a share from 0 to below 1"),
        ({"start": "grey"}, "start='grey': expected one of noise, image"),
        ({"channel": 3}, "layer=: expected together with channel= or direction=, and these with it"),
        ({"layer": "a", "channel": 3, "direction": (1.0,)}, "channel= and direction=: expected one of them"),
        ({"value_range": (1.0, 0.0)}, "value_range=(1.0, 0.0): expected (black, white) with black < white"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldmarkError) as error:
        ActivationMaximisation(**fields)
    assert str(error.value) == message


def test_channels_and_directions_that_do_not_exist_are_refused() -> None:
    clf = fm.Classifier(red_or_blue(), to_unit)
    with pytest.raises(FieldmarkError, match=r"^channel=2: expected 0 to 1 .the layer's channels.$"):
        ActivationMaximisation(layer="features", channel=2)(clf, images())
    with pytest.raises(FieldmarkError, match=r"^direction: expected 2 numbers, one a channel, received .3,.$"):
        ActivationMaximisation(layer="features", direction=(1.0, 0.0, 0.0))(clf, images())


def test_the_pull_to_grey_is_the_gradient_of_the_squared_distance() -> None:
    rng = np.random.default_rng(0)
    canvas = Canvas.of(6, 5, 3, True, True)
    at, towards = canvas.start(rng, 0.3), canvas.start(rng, 1.0)

    def distance(parameters: np.ndarray) -> float:
        picture = canvas.picture(parameters)
        return float(np.square(np.log(picture / (1 - picture))).mean())

    step = 1e-5
    difference = (distance(at + step * towards) - distance(at - step * towards)) / (2 * step)
    pulled = canvas.pull(canvas.picture(at), np.zeros((6, 5, 3)), grey=1.0)
    assert difference == pytest.approx(-(pulled * towards).sum(), rel=1e-5)


@pytest.mark.native_torch
def test_a_channel_of_a_torch_module() -> None:
    import torch

    torch.manual_seed(0)
    head = [torch.nn.Flatten(), torch.nn.Linear(2 * 12 * 10, 3)]
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), *head).eval()
    clf = fm.Classifier(module, to_unit)
    found = ActivationMaximisation(steps=8, layer="0", channel=1)(clf, images())
    weight, bias = module[0].weight[1, :, 0, 0].detach().numpy(), module[0].bias[1].item()
    assert found.scores[0, 0] == pytest.approx(float((found.pictures[0, 0] @ weight).mean()) + bias, abs=1e-4)  # type: ignore[index]
    assert found.scores[0, 0] > float(np.full(3, 0.5) @ weight) + bias
