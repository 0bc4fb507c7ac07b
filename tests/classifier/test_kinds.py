"""Every kind of model that users bring, as it is: each has the map that its closed form says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import FieldmarkError, ImageError, ModelError, TargetError
from tests.support import kinds, models

# What compiles much on JAX runs on TensorFlow alone; all of it was seen to pass on torch too.
everywhere = pytest.mark.every_backend

SIGNED = fm.GradCAM(relu=False)


def check(kind: kinds.Kind, given: np.ndarray, cls: int = 1, **options: Any) -> fm.Classifier:
    """Grad-CAM at the layer of choice is the closed form, and the gradients at the pixels say something."""
    clf = fm.Classifier(kind.model, **options)
    att = SIGNED(clf, given, target=fm.Class(cls))
    assert att.provenance["layer"] == kind.layer
    expected = kind.grad_cam(given, cls)
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(att.maps[:, 0], expected, atol=1e-5)
    pixels = fm.Gradients()(clf, given, target=fm.Class(cls)).maps
    assert pixels.shape == (len(given), 1, *given.shape[1:-1])
    assert np.isfinite(pixels).all()
    assert (pixels.max(axis=tuple(range(1, pixels.ndim))) > 0).all()
    return clf


@everywhere
@pytest.mark.parametrize("functional", [False, True], ids=["Sequential", "functional"])
def test_transfer_learning_with_augmentation_and_a_frozen_base(functional: bool) -> None:
    check(kinds.transfer(functional), 255 * np.random.default_rng(0).random((3, *kinds.SHAPE)).astype(np.float32))


@pytest.mark.parametrize("functional", [False, True], ids=["Sequential", "functional"])
def test_transfer_learning_saved_and_loaded_again(functional: bool, tmp_path: Path) -> None:
    kind = kinds.transfer(functional)
    kind.model.save(tmp_path / "model.keras")
    given = 255 * kinds.images()
    loaded = fm.load(tmp_path / "model.keras")
    theirs = SIGNED(loaded, given, target=fm.Class(1))
    assert theirs.provenance["layer"] == kind.layer
    np.testing.assert_allclose(theirs.maps[:, 0], kind.grad_cam(given, 1), atol=1e-3)


def test_a_network_of_keras_applications_inside_a_model() -> None:
    models.seeded()
    inner = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(64, 64, 3), alpha=0.25)
    inner.trainable = False
    head = keras.layers.Dense(4, activation="softmax")
    model = keras.Sequential([keras.Input((64, 64, 3)), inner, keras.layers.GlobalAveragePooling2D(), head])
    clf = fm.Classifier(model)
    att = SIGNED(clf, kinds.images(2, (64, 64, 3)))
    assert att.provenance["layer"] == f"{inner.name}/conv_pw_13_relu"
    assert att.maps.shape == (2, 1, 2, 2)
    assert clf.head.kind == "softmax"


@everywhere
def test_models_inside_models_inside_models() -> None:
    check(kinds.nested(), kinds.images())


@everywhere
def test_a_layer_used_twice_is_explained_at_the_call_that_is_named() -> None:
    kind = kinds.reused()
    clf = check(kind, kinds.images())
    first = fm.GradCAM(relu=False, layer="twice")(clf, kinds.images(), target=fm.Class(1))
    assert [info.name for info in clf.layers() if info.name.startswith("twice")] == ["twice", "twice#2"]
    assert not np.allclose(first.maps, SIGNED(clf, kinds.images(), target=fm.Class(1)).maps, atol=1e-4)


# Several inputs


@everywhere
@pytest.mark.parametrize("as_dict", [False, True], ids=["list", "dict"])
def test_of_several_inputs_the_image_is_explained_and_the_others_stand_still(as_dict: bool) -> None:
    kind = kinds.several_inputs(as_dict)
    fixed = {"age": 30, "rest": [1.0, 0.5, 0.0, -1.0]}
    clf = check(kind, kinds.images(), fixed=fixed)
    rows = {name: np.repeat(np.reshape(value, (1, -1)), 3, axis=0).astype("float32") for name, value in fixed.items()}
    assert SIGNED(clf, kinds.images()).provenance["fixed"] == fixed
    shown = models.numpy(kind.model({"image": kinds.images(), **rows}, training=False))
    np.testing.assert_allclose(clf.predict(kinds.images()).probabilities, shown, atol=1e-5)


@everywhere
def test_another_value_for_a_fixed_input_costs_no_compilation() -> None:
    clf = fm.Classifier(kinds.several_inputs().model, fixed={"age": 0.5, "rest": np.zeros(4)})
    before, traces = clf.predict(kinds.images()).scores, clf.engine.passes.traces
    clf.fix({"age": 1.5})
    after = clf.predict(kinds.images()).scores
    kernel = models.numpy(clf.model.get_layer("head").kernel)[8]
    np.testing.assert_allclose(after - before, np.tile(kernel, (3, 1)), atol=1e-5)
    assert clf.backend == "torch" or clf.engine.passes.traces == traces


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        (None, r"has 3 inputs \(image \(16, 12, 3\), age \(1,\), rest \(4,\)\): say what all but the image are"),
        ({"ages": 1, "rest": np.zeros(4)}, "unknown input of model .* 'ages': did you mean 'age'"),
        ({"age": 1, "rest": np.zeros(5)}, r"fixed\['rest'\]: expected the value for one image, of shape \(4\)"),
        ({"age": "old", "rest": np.zeros(4)}, r"fixed\['age'\]: expected numbers, received str"),
        ({"age": 1, "rest": np.zeros(4), "image": np.zeros(kinds.SHAPE)}, "names every input"),
    ],
)
def test_inputs_that_are_not_said_or_do_not_fit(fixed: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        fm.Classifier(kinds.several_inputs().model, fixed=fixed)


@everywhere
def test_a_subclassed_model_of_several_arguments() -> None:
    inner, head = kinds.base(), keras.layers.Dense(kinds.CLASSES)

    class Both(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = inner, head

        def call(self, picture: Any, scale: Any) -> Any:
            return self.head(keras.ops.mean(self.inner(picture), axis=(1, 2)) * scale)

    double = fm.Classifier(Both(), fixed={"scale": [2.0]})
    single = fm.Classifier(Both(), fixed={"scale": [1.0]})
    maps = [SIGNED(clf, kinds.images(), target=fm.Class(0)).maps for clf in (double, single)]
    assert np.ptp(maps[1]) > 1e-4
    np.testing.assert_allclose(maps[0], 2 * maps[1], atol=1e-5)


# Several outputs and other heads


@pytest.mark.parametrize(("as_dict", "output"), [(True, "kind"), (False, 1)])
def test_of_several_outputs_one_is_chosen(as_dict: bool, output: Any) -> None:
    kind = kinds.several_outputs(as_dict)
    check(kind, kinds.images(), output=output)
    with pytest.raises(TargetError, match=r"this model has 2 outputs: choose one with output=; valid"):
        fm.Classifier(kind.model)


@everywhere
def test_logits_as_an_attribute_are_found() -> None:
    check(kinds.with_logits(), kinds.images())


def test_a_multi_label_head_has_one_probability_a_class() -> None:
    kind = kinds.plain("sigmoid")
    clf = check(kind, kinds.images())
    found = clf.predict(kinds.images())
    assert found.reading == "sigmoid"
    np.testing.assert_allclose(found.probabilities, models.numpy(kind.model(kinds.images())), atol=1e-5)


def test_a_regression_head_is_a_value() -> None:
    kind = kinds.plain(None, outputs=1)
    clf = check(kind, kinds.images(), cls=0)
    found = clf.predict(kinds.images())
    assert found.reading == "value"
    np.testing.assert_allclose(found.scores, models.numpy(kind.model(kinds.images())), atol=1e-5)


# Numbers and layouts


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_float32_maps_close_to_full_precision(policy: str) -> None:
    model, full = kinds.half(policy), kinds.half("float32")
    full.set_weights(model.get_weights())
    for explainer in (SIGNED, fm.Gradients(channels="sum"), fm.GradCAMPlusPlus(), fm.SmoothGrad(samples=4)):
        got, wanted = (explainer(fm.Classifier(m), kinds.images(), target=fm.Class(1)).maps for m in (model, full))
        assert got.dtype == np.float32
        assert np.corrcoef(got.ravel(), wanted.ravel())[0, 1] > 0.97  # some ReLUs end on the other side of 0
        assert 0.8 < np.abs(got).max() / np.abs(wanted).max() < 1.25


def _runs(model: keras.Model, images: np.ndarray) -> bool:
    """Whether the backend runs it, whoever asks: TensorFlow on some processors has no channels-first layers."""
    try:
        model(images)
    except Exception as error:
        if "NHWC" not in str(error):
            raise
        return False
    return True


@everywhere
def test_channels_first_is_explained_as_channels_last() -> None:
    model, other = kinds.channels_first()
    turned, straight = fm.Classifier(model), fm.Classifier(other)
    if not _runs(model, kinds.images().transpose(0, 3, 1, 2)):
        with pytest.raises(ModelError, match="TF_ENABLE_ONEDNN_OPTS=1"):
            turned.predict(kinds.images())
        return
    assert turned.input_shape == straight.input_shape == kinds.SHAPE
    for explainer in (SIGNED, fm.Gradients(), fm.ScoreCAM(channels=4), fm.Occlusion(patch=4)):
        maps = [explainer(clf, kinds.images(), target=fm.Class(1)).maps for clf in (turned, straight)]
        assert np.ptp(maps[1]) > 0
        np.testing.assert_allclose(maps[0], maps[1], atol=1e-4 * np.abs(maps[1]).max())


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_any_number_of_channels(channels: int) -> None:
    shape = (10, 14, channels)
    check(kinds.plain("softmax", shape=shape), kinds.images(2, shape))


def test_grey_images_without_an_axis_for_channels() -> None:
    models.seeded()
    last = keras.layers.Conv2D(5, 3, activation="relu", name="last")
    model = keras.Sequential(
        [
            *(keras.Input((12, 10)), keras.layers.Reshape((12, 10, 1)), last),
            *(keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")),
        ]
    )
    clf, given = fm.Classifier(model), kinds.images(4, (12, 10))
    maps = [SIGNED(clf, each).maps for each in (given, given[..., None])]
    assert maps[0].shape == (4, 1, 10, 8)
    np.testing.assert_array_equal(maps[0], maps[1])
    assert fm.Gradients()(clf, given[0]).maps.shape == (1, 1, 12, 10)


# Signals and volumes

RANKED = {"signal": (kinds.signal, (48, 2)), "volume": (kinds.volume, (8, 10, 7, 2))}


@everywhere
@pytest.mark.parametrize("name", RANKED)
def test_signals_and_volumes_have_maps_of_their_own_axes(name: str) -> None:
    build, shape = RANKED[name]
    kind, given = build(), kinds.images(3, shape)
    clf = check(kind, given)
    one = SIGNED(clf, given[0], target=fm.Class(1))
    np.testing.assert_allclose(one.maps, kind.grad_cam(given[:1], 1)[:, None], atol=1e-5)
    assert one.resized().shape == (1, 1, *shape[:-1])
    assert clf.predict(given).scores.shape == (3, kinds.CLASSES)


@pytest.mark.parametrize("name", RANKED)
def test_the_gradient_methods_take_signals_and_volumes(name: str) -> None:
    build, shape = RANKED[name]
    clf, given = fm.Classifier(build().model), kinds.images(2, shape)
    for explainer in (
        *(fm.CAM(), fm.GradCAMPlusPlus(), fm.HiResCAM(), fm.XGradCAM(), fm.LayerCAM(), fm.EigenCAM()),
        *(fm.AblationCAM(), fm.ActivationMaps(channels=2)),
    ):
        assert explainer(clf, given).maps.shape[2:] == clf.layers()[1].shape[:-1], explainer
    for explainer in (
        *(fm.GradientTimesInput(), fm.SmoothGrad(samples=2), fm.IntegratedGradients(steps=4), fm.GuidedBackprop()),
        *(
            fm.ExpectedGradients(samples=4, background=given),
            fm.LRP(),
            fm.IntegratedGradients(steps=4, baseline="blur"),
        ),
    ):
        maps = explainer(clf, given).maps
        assert maps.shape[2:] == shape[:-1], explainer
        assert np.isfinite(maps).all()


@pytest.mark.parametrize("name", RANKED)
def test_methods_made_for_images_say_so(name: str) -> None:
    build, shape = RANKED[name]
    clf, given = fm.Classifier(build().model), kinds.images(1, shape)
    for explainer in (
        *(fm.Occlusion(), fm.RISE(), fm.LIME(), fm.KernelSHAP(), fm.Sobol(), fm.HSIC(), fm.ScoreCAM()),
        fm.ActivationMaximisation(),
    ):
        with pytest.raises(FieldmarkError, match="this method is made for images; the Grad-CAM family"):
            explainer(clf, given)


def test_a_signal_of_the_wrong_shape_is_said_in_its_own_words() -> None:
    clf = fm.Classifier(kinds.signal().model)
    with pytest.raises(ImageError, match=r"expected \(n, 48, 2\), received shape \(2, 48, 2, 1\); one signal is"):
        clf.predict(np.zeros((2, 48, 2, 1)))
