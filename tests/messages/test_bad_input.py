"""Every bad input through the command line: exactly this one line, exit code 2, no traceback, and nothing written."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from tests.support.command import HEIGHT, WIDTH, Command, colour_model, real_command

READABLE = "expected JPEG, PNG, WebP, GIF, BMP, TIFF or PPM"
SUFFIXES = ".jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff, .ppm, .pgm, .avif"


@pytest.fixture
def refusal(here: Path, command: Command) -> Callable[..., str]:
    """The line for `fieldmark explain ...`, after which the folder is as it was."""

    def files() -> dict[Path, int]:
        """All but what Python itself keeps of a module that it imports."""
        every = (path for path in here.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
        return {path: path.stat().st_mtime_ns for path in every}

    def said(*arguments: object) -> str:
        before = files()
        line = command("explain", *arguments).line
        assert files() == before
        assert not (here / "fieldmark-out").exists()
        return line

    return said


Refusal = Callable[..., str]


# Images


def test_an_image_that_does_not_exist(refusal: Refusal) -> None:
    assert refusal("model.keras", "no.png") == "no.png: no such file or folder"


def test_a_glob_that_matches_nothing(refusal: Refusal) -> None:
    assert refusal("model.keras", "*.jpg") == f"*.jpg: no image matches; expected files ending in {SUFFIXES}"


def test_a_folder_without_images(here: Path, refusal: Refusal) -> None:
    (here / "empty").mkdir()
    line = f"empty: no images in this folder; expected files ending in {SUFFIXES}"
    assert refusal("model.keras", "empty") == line


def test_an_unreadable_image(here: Path, refusal: Refusal) -> None:
    (here / "x.jpg").write_text("hello")
    (here / "empty.jpg").write_bytes(b"")
    assert refusal("model.keras", "a.png", "x.jpg") == f"x.jpg: not an image that can be read; {READABLE}"
    assert refusal("model.keras", "empty.jpg") == "empty.jpg: the file is empty"


def test_a_truncated_image(here: Path, refusal: Refusal) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(here / "half.jpg")
    whole = (here / "half.jpg").read_bytes()
    (here / "half.jpg").write_bytes(whole[: len(whole) // 2])
    line = refusal("model.keras", "half.jpg")
    assert line.startswith("half.jpg: truncated or damaged image (image file is truncated (")
    assert line.endswith(" bytes not processed)); get a whole copy of it")


def test_a_huge_image(here: Path, refusal: Refusal) -> None:
    header = struct.pack(">IIBBBBB", 30_000, 10_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (here / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT")
    line = "bomb.png: expected at most 89 megapixels, received 300 megapixels; make a smaller copy of it"
    assert refusal("model.keras", "bomb.png") == line


def test_an_animated_image(here: Path, refusal: Refusal) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    frames[0].save(here / "a.gif", save_all=True, append_images=frames[1:])
    line = "a.gif: expected one picture, received 3 frames; save the frame you mean as a PNG"
    assert refusal("model.keras", "a.gif") == line


def test_a_model_of_other_channels_than_files_have(here: Path, refusal: Refusal) -> None:
    keras.Sequential([keras.Input((8, 8, 5)), layers.Conv2D(2, 1), layers.GlobalMaxPooling2D()], name="five").save(
        here / "five.keras"
    )
    assert refusal("five.keras", "a.png") == (
        "model 'five' takes images of 5 channels; image files have 1, 3 or 4: use fieldmark from Python with arrays"
    )


def test_a_size_the_model_does_not_take(refusal: Refusal) -> None:
    assert refusal("model.keras", "a.png", "--size", "64") == (
        f"--size: model 'colours' takes {HEIGHT} x {WIDTH} pixels; leave --size out"
    )
    assert (
        refusal("model.keras", "a.png", "--size", "big") == "--size 'big': expected 224, or height x width as 224x160"
    )


def test_a_model_that_takes_no_images(here: Path, refusal: Refusal) -> None:
    keras.Sequential([keras.Input((7,)), layers.Dense(2)], name="table").save(here / "table.keras")
    assert refusal("table.keras", "a.png") == (
        "model 'table': expected an input (height, width, channels), received (7,); "
        "fieldmark explains image classifiers"
    )


def test_preprocessing_that_makes_nan_or_another_shape(here: Path, refusal: Refusal) -> None:
    (here / "prep.py").write_text(
        "import numpy as np\ndef nan(x):\n    return x * np.nan\ndef cut(x):\n    return x[:, :9]\n"
        "def fail(x):\n    raise RuntimeError('no')\n"
    )
    assert refusal("model.keras", "a.png", "--preprocess", "prep:nan") == (
        "preprocess result: expected finite numbers, received NaN or infinity in 1 of 1 images (first: number 0); "
        "mend or drop them"
    )
    assert refusal("model.keras", "a.png", "--preprocess", "prep:cut").startswith(
        f"preprocess result: expected (n, {HEIGHT}, {WIDTH}, 3), received (1, 9, {WIDTH}, 3); "
    )
    assert refusal("model.keras", "a.png", "--preprocess", "prep:fail") == "preprocess failed: RuntimeError: no"
    assert refusal("model.keras", "a.png", "--preprocess", "caffee") == (
        "unknown preprocess 'caffee': did you mean 'caffe'? Valid: none, 0-1, -1-1, imagenet, caffe, module:function"
    )


# Classes, layers, methods


def test_an_unknown_class(refusal: Refusal) -> None:
    base = ("model.keras", "a.png", "--labels", "labels.txt", "--target")
    assert refusal(*base, "gren") == "unknown class 'gren': did you mean 'green'? Valid: red, green, blue"
    assert refusal(*base, "7") == "unknown class '7': Valid: red, green, blue"
    assert refusal(*base, "red-vs-blew") == "unknown class 'blew': did you mean 'blue'? Valid: red, green, blue"
    assert refusal(*base, "top9") == "target top9: expected top1 to top3 (the model's classes)"


def test_an_unknown_layer(refusal: Refusal) -> None:
    assert refusal("model.keras", "a.png", "--layer", "conv1") == (
        "unknown layer in model 'colours' 'conv1': did you mean 'conv'? Valid: final, pooled, conv, scaled"
    )


def test_a_layer_that_is_not_spatial(refusal: Refusal) -> None:
    assert refusal("model.keras", "a.png", "--layer", "final") == (
        "layer 'final': expected a feature map (height, width, channels), received an output of shape (3,); "
        "the last ones that are: conv, scaled"
    )


def test_a_model_without_a_spatial_layer_says_what_works(here: Path, refusal: Refusal, command: Command) -> None:
    colour_model("flat", convolution=False).save(here / "flat.keras")
    assert refusal("flat.keras", "a.png") == (
        "model 'flat' has no spatial layer: expected a convolution whose output is (height, width, channels) with more "
        "than one pixel; class activation maps cannot be made, methods at the input (Gradients) work"
    )
    assert command("explain", "flat.keras", "a.png", "--method", "gradients").code == 0


def test_an_unknown_method_or_setting(refusal: Refusal) -> None:
    line = refusal("model.keras", "a.png", "--method", "gradcan")
    assert line.startswith("unknown method 'gradcan': did you mean 'GradCAM' or ")
    assert line.endswith(", all")
    line = refusal("model.keras", "a.png", "--set", "relo=1")
    assert line.startswith("unknown setting of GradCAM 'relo': did you mean 'relu'? Valid: layer, layers, relu")
    assert refusal("model.keras", "a.png", "--method", "gradients", "--set", "channels=all") == (
        "channels='all': expected one of max, l2, sum"
    )


def test_labels_that_do_not_fit(here: Path, refusal: Refusal) -> None:
    assert refusal("model.keras", "a.png", "--labels", "cat,dog") == (
        "labels: expected 3 (the model's classes), received 2"
    )
    assert refusal("model.keras", "a.png", "--labels", "no.txt") == (
        "labels 'no.txt': no such file; expected a text file with one label a line, a JSON file, or a list: cat,dog"
    )


# Models


def test_a_file_that_is_no_model(here: Path, refusal: Refusal) -> None:
    (here / "text.keras").write_text("hello")
    with zipfile.ZipFile(here / "zip.keras", "w") as archive:
        archive.writestr("a", "b")
    whole = "or a truncated or damaged one; get a whole copy of it"
    kinds = "a model is a file (.keras, .h5, .onnx, .tflite), keras:NAME, demo:lite0, or module:function"
    assert refusal("text.keras", "a.png") == f"text.keras: no .keras file, {whole}"
    assert refusal("zip.keras", "a.png") == (
        "zip.keras: a zip file without a model (no config.json); save it with model.save()"
    )
    assert refusal("no.keras", "a.png") == f"no.keras: no such file; {kinds}"
    assert refusal("a.png", "b.png") == "a.png: expected a .keras or .h5 file, received .png"
    (here / "weights.pth").write_bytes(b"PK")
    assert refusal("weights.pth", "a.png") == (
        "weights.pth: a torch file, which holds weights without their network; "
        "write a function that builds it, and give module:function as the model"
    )


def test_a_truncated_model(here: Path, refusal: Refusal) -> None:
    whole = (here / "model.keras").read_bytes()
    (here / "half.keras").write_bytes(whole[: len(whole) // 2])
    assert refusal("half.keras", "a.png") == (
        "half.keras: no .keras file, or a truncated or damaged one; get a whole copy of it"
    )


def test_a_file_that_carries_code_is_refused_unless_trusted(here: Path, refusal: Refusal, command: Command) -> None:
    image = keras.Input((HEIGHT, WIDTH, 3))
    value = layers.Conv2D(3, 1)(layers.Lambda(lambda x: x / 255, name="scale")(image))
    keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(value))).save(here / "code.keras")
    assert refusal("code.keras", "a.png") == (
        "code.keras: carries code (a Lambda layer 'scale'), which would run on this machine; if you trust who made it: "
        "--trust-model-code (in Python: trust_model_code=True)"
    )
    assert command("predict", "code.keras", "a.png", "--trust-model-code").code == 0


def test_names_that_are_no_model(here: Path, refusal: Refusal) -> None:
    assert refusal("keras:Xcepton", "a.png").startswith(
        "unknown keras model 'Xcepton': did you mean 'Xception' or 'InceptionV3'? Valid: Conv"
    )
    (here / "mine.py").write_text("def build():\n    return 3\n")
    assert refusal("mine:bild", "a.png") == "unknown name in mine 'bild': did you mean 'build'? Valid: build"
    assert refusal("mein:build", "a.png") == "unknown module 'mein': did you mean 'mine'? Valid: mine"
    assert refusal("mine:build", "a.png") == (
        "mine:build: expected a keras.Model, a torch.nn.Module, a function from images to scores, a Classifier or "
        "(model, preprocess, labels), received int"
    )


def test_weights_that_cannot_be_fetched(here: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure on there: None -- [Errno -2] Name or service not known")  # as Keras does

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", offline)
    assert refusal("keras:MobileNet", "a.png") == (
        "could not fetch the ImageNet weights of MobileNet: no network; "
        "run it once where there is a network, or give a model file"
    )


# Where results go


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(
    here: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fieldmark.cli.work.load", lambda *_, **__: pytest.fail("the model was loaded"))
    assert refusal("model.keras", "a.png", "--out", "labels.txt") == (
        "cannot write to labels.txt: a file is in the way; choose another folder"
    )
    assert refusal("model.keras", "a.png", "--out", "labels.txt/deep") == (
        "cannot write to labels.txt/deep: a file is in the way; choose another folder"
    )

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", "locked")

    monkeypatch.setattr("tempfile.mkdtemp", denied)
    assert refusal("model.keras", "a.png", "--out", "locked") == (
        "cannot write to locked: permission denied; choose a folder you can write to"
    )
    assert not (here / "locked").exists()


# Usage


def test_commands_that_are_typed_wrong(command: Command) -> None:
    assert command("explian").line == "no such command 'explian'. Did you mean 'explain'?; see: fieldmark --help"
    missing = command("explain").line  # versions of typer name one of the two
    assert missing in [f"missing argument '{name}'; see: fieldmark explain --help" for name in ("MODEL", "IMAGES...")]
    line = command("explain", "m", "i", "--methd", "x").line
    assert line.startswith("no such option: --methd")
    assert line.endswith("; see: fieldmark explain --help")
    assert command("explain", "m", "i", "--fit", "squash").line == (
        "unknown fit 'squash': Valid: crop, stretch, letterbox"
    )


def test_numbers_out_of_range(refusal: Refusal, command: Command) -> None:
    assert refusal("model.keras", "a.png", "--alpha", "2") == "--alpha: expected a number from 0 to 1, received 2.0"
    assert refusal("model.keras", "a.png", "--batch-size", "0") == "--batch-size 0: expected 1 or more"
    assert command("predict", "model.keras", "a.png", "--top", "0").line == "--top 0: expected 1 or more"


def test_the_real_command_on_a_bad_image(here: Path) -> None:
    (here / "x.jpg").write_text("hello")
    done = real_command("explain", "model.keras", "x.jpg", cwd=here)
    assert done.line == f"x.jpg: not an image that can be read; {READABLE}"
    assert not (here / "fieldmark-out").exists()
