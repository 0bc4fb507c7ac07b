"""A bare prediction function as a model: what works on it, what is refused, and the files that are such functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.classifier.runtimes import load_function, quantised
from fieldmark.classifier.subject import PREDICTION_ONLY
from fieldmark.errors import ModelError, TargetError
from fieldmark.explainers import EXPLAINERS

SIZE = (14, 10)
CLASSES = 4
WEIGHTS = np.random.default_rng(0).normal(size=(*SIZE, 3, CLASSES)).astype(np.float32)
REFUSED = (
    "model 'linear' is a bare prediction function, without layers or gradients; these methods work: "
    "Occlusion, RISE, LIME, KernelSHAP, Sobol, HSIC"
)

every_backend = pytest.mark.every_backend


def linear(images: np.ndarray) -> np.ndarray:
    return np.einsum("nhwc,hwck->nk", images, WEIGHTS)


def softmax(images: np.ndarray) -> np.ndarray:
    powers = np.exp(linear(images))
    return powers / powers.sum(axis=1, keepdims=True)


def photographs(n: int = 3, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).random((n, *SIZE, channels)).astype(np.float32)


@every_backend
def test_a_function_is_a_classifier() -> None:
    images = photographs()
    classifier = fm.Classifier(linear, labels=["a", "b", "c", "d"], batch_size=2)
    said = classifier.predict(images)
    assert np.allclose(said.scores, linear(images), atol=1e-4)
    assert said.top(1)[0][0][0] == "abcd"[linear(images)[0].argmax()]
    assert classifier.layers() == []
    assert classifier.name == "linear"


@every_backend
def test_the_function_sees_numpy_in_batches_of_the_size_asked_for() -> None:
    seen: list[tuple[Any, ...]] = []

    def noting(images: np.ndarray) -> np.ndarray:
        seen.append((type(images), images.dtype, len(images)))
        images[:] = 0  # its own copy: nobody else's images change
        return np.ones((len(images), 2))

    classifier = fm.Classifier(noting, batch_size=3)
    images = photographs(5)
    kept = images.copy()
    classifier.predict(images)
    classifier.engine.masked_scores(images, np.ones((7, *SIZE), np.float32), np.zeros_like(images))
    assert (images == kept).all()
    assert {each[:2] for each in seen} == {(np.ndarray, np.dtype(np.float32))}
    assert [each[2] for each in seen] == [1, 3, 2, *[3] * 11, 2]  # the look at its output, 5 images, 5 x 7 masks


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=lambda explainer: explainer.__name__)
def test_what_works_on_a_function_and_what_is_refused(explainer: Any) -> None:
    classifier = fm.Classifier(linear, batch_size=64)
    if explainer.__name__ in PREDICTION_ONLY:
        found = explainer()(classifier, photographs(1))
        assert found.maps.any()
        assert found.provenance["backend"] == classifier.backend
        return
    with pytest.raises(ModelError) as refused:
        explainer()(classifier, photographs(1))
    assert str(refused.value) == REFUSED


@every_backend
def test_layers_and_gradients_are_refused_by_every_verb() -> None:
    classifier = fm.Classifier(linear)
    images = photographs(1)
    classifier.predict(images)
    target = fm.Class(0).resolve(lambda: np.zeros((1, CLASSES)), 1, CLASSES, classifier.labels)
    for ask in (
        lambda: classifier.choose_layer(),
        lambda: classifier.choose_layer("conv"),
        lambda: classifier.engine.activations(images, "conv"),
        lambda: classifier.engine.gradients(images, target),
        lambda: classifier.engine.scores_from("conv", images, images),
    ):
        with pytest.raises(ModelError) as refused:
            ask()
        assert str(refused.value) == REFUSED


@every_backend
def test_probabilities_that_a_function_returns_are_not_softmaxed_again() -> None:
    images = photographs()
    for wanted in ("logits", "probabilities"):
        said = fm.Classifier(softmax, scores=wanted).predict(images)
        assert said.reading == "as given"
        assert np.allclose(said.probabilities, softmax(images), atol=1e-5)
    found = fm.Occlusion()(fm.Classifier(softmax), images)
    assert found.provenance["scores"] == "probabilities"


def test_scores_as_probabilities_of_a_function_that_returns_logits() -> None:
    said = fm.Classifier(linear, scores="probabilities").predict(photographs())
    assert np.allclose(said.scores, softmax(photographs()), atol=1e-5)


def test_one_value_an_image_is_one_output() -> None:
    said = fm.Classifier(lambda images: images.mean(axis=(1, 2, 3))).predict(photographs())
    assert said.scores.shape == (3, 1)
    assert said.reading == "value"


def test_several_outputs_of_a_function() -> None:
    def both(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"kind": linear(images), "age": images.mean(axis=(1, 2))}

    said = fm.Classifier(both, output="kind").predict(photographs())
    assert np.allclose(said.scores, linear(photographs()), atol=1e-4)
    with pytest.raises(
        TargetError, match=r"this model has 2 outputs: choose one with output=; valid: \['kind', 'age'\]"
    ):
        fm.Classifier(both).predict(photographs())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda images: 1 / 0,
            "model '<lambda>' failed on images of shape (1, 14, 10, 3): ZeroDivisionError: division by zero",
        ),
        (
            lambda images: np.zeros((7, 2)),
            "model '<lambda>': expected scores of shape (1, classes) for 1 image(s), received ndarray of shape (7, 2), "
            "float64",
        ),
        (
            lambda images: ["cat"],
            "model '<lambda>': expected scores of shape (1, classes) for 1 image(s), received list of shape (1,), <U3",
        ),
    ],
)
def test_a_function_that_fails_says_so_in_one_line(function: Callable[[np.ndarray], Any], message: str) -> None:
    with pytest.raises(ModelError) as failed:
        fm.Classifier(function).predict(photographs())
    assert str(failed.value) == message


def test_a_class_is_no_function() -> None:
    with pytest.raises(ModelError) as refused:
        fm.Classifier(dict)
    assert str(refused.value) == (
        "expected a keras.Model (Keras 3), a torch.nn.Module or a function from images to scores, received "
        "builtins.type"
    )


# ONNX


def onnx_file(
    path: Path,
    shape: tuple[Any, ...] = ("n", 3, "h", "w"),
    axes: tuple[int, int] = (2, 3),
    kind: str = "FLOAT",
    inputs: int = 1,
    operator: str = "MatMul",
    domain: str = "",
) -> Path:
    """Mean over two axes, then a matrix, MEANS, as an ONNX file."""
    onnx = pytest.importorskip("onnx", reason="the package onnx writes the test's files")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["images"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["means"], axes=list(axes), keepdims=0),
        helper.make_node(operator, ["means", "matrix"], ["scores"], domain=domain),
    ]
    given = [helper.make_tensor_value_info("images", getattr(TensorProto, kind), shape)]
    given += [helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, [1]) for i in range(inputs - 1)]
    graph = helper.make_graph(
        nodes,
        "means",
        given,
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, CLASSES])],
        [numpy_helper.from_array(MEANS, "matrix")],
    )
    opsets = [helper.make_opsetid("", 13), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    onnx.load(path)
    return path


MEANS = np.random.default_rng(2).normal(size=(3, CLASSES)).astype(np.float32)


def means(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2)) @ MEANS


@pytest.mark.parametrize(
    ("shape", "axes", "input_shape"),
    [
        (("n", 3, "h", "w"), (2, 3), (None, None, 3)),
        (("n", 3, 14, 10), (2, 3), (14, 10, 3)),
        ((1, 3, 14, 10), (2, 3), (14, 10, 3)),
        ((2, 3, 14, 10), (2, 3), (14, 10, 3)),
        (("n", "h", "w", 3), (1, 2), (None, None, 3)),
        (("n", 14, 10, 3), (1, 2), (14, 10, 3)),
        ((1, 14, 10, 3), (1, 2), (14, 10, 3)),
    ],
)
def test_an_onnx_file_of_either_layout_and_any_batch(
    tmp_path: Path, shape: tuple[Any, ...], axes: tuple[int, int], input_shape: tuple[Any, ...]
) -> None:
    classifier = fm.load(onnx_file(tmp_path / "means.onnx", shape, axes), batch_size=4)
    images = photographs(5)
    assert classifier.input_shape == input_shape
    assert classifier.name == "means.onnx"
    assert np.allclose(classifier.predict(images).scores, means(images), atol=1e-5)


@every_backend
def test_occlusion_of_an_onnx_file_is_that_of_the_same_function(tmp_path: Path) -> None:
    images = photographs(2)
    explain = fm.Occlusion(patch=5, fill=0.0)
    found = explain(fm.load(onnx_file(tmp_path / "means.onnx")), images, 1)
    assert np.allclose(found.maps, explain(fm.Classifier(means), images, 1).maps, atol=1e-5)


def test_an_onnx_file_that_eats_bytes_gets_rounded_ones(tmp_path: Path) -> None:
    function = load_function(onnx_file(tmp_path / "bytes.onnx", kind="UINT8"))
    images = np.full((1, *SIZE, 3), [-3.0, 99.6, 300.0], np.float32)
    assert np.allclose(function(images), means(np.full((1, *SIZE, 3), [0.0, 100.0, 255.0], np.float32)), rtol=1e-4)


def test_onnx_files_that_do_not_fit_are_refused_in_one_line(tmp_path: Path) -> None:
    for made, message in (
        (
            onnx_file(tmp_path / "two.onnx", inputs=2),
            "two.onnx: expected one input, the images; received 2: images, more0",
        ),
        (
            onnx_file(tmp_path / "flat.onnx", shape=("n", 3, 14), axes=(1, 2)),
            "flat.onnx: expected an input of 4 axes (images, and height, width, channels), received 3",
        ),
        (
            onnx_file(tmp_path / "whole.onnx", kind="INT64"),
            "whole.onnx: expected an input of numbers (tensor(float), tensor(float16), tensor(double), tensor(uint8), "
            "tensor(int8)), received tensor(int64)",
        ),
    ):
        with pytest.raises(ModelError) as refused:
            load_function(made)
        assert str(refused.value) == f"{tmp_path}/{message}"


def test_damaged_and_foreign_onnx_files_are_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    whole = onnx_file(tmp_path / "whole.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole.read_bytes()[:90])
    foreign = onnx_file(tmp_path / "foreign.onnx", operator="Mine", domain="example.com")
    empty = tmp_path / "empty.onnx"
    empty.touch()
    for path, start in (
        (cut, "onnxruntime cannot load it ("),
        (foreign, "onnxruntime cannot load it ("),
        (empty, "expected a model file, received an empty file"),
        (tmp_path / "none.onnx", "cannot be read: No such file or directory"),
    ):
        with pytest.raises(ModelError) as refused:
            load_function(path)
        assert str(refused.value).startswith(f"{path}: {start}")
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 400
    assert capfd.readouterr().err == ""


# TFLite


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int | None, bool], Path]:
    """A `.tflite` file of `linear`, with a fixed batch or none, quantised to bytes or not."""
    pytest.importorskip("ai_edge_litert", reason="the extra tflite is not installed")
    tf = pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("tflite")

    def make(batch: int | None, bytes_only: bool) -> Path:
        path = folder / f"{batch}-{bytes_only}.tflite"
        matrix = WEIGHTS.reshape(-1, CLASSES)
        signature = [tf.TensorSpec((batch, *SIZE, 3))]
        traced = tf.function(lambda x: tf.reshape(x, (-1, len(matrix))) @ matrix, input_signature=signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
        if bytes_only:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image[None]] for image in photographs(40))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        path.write_bytes(converter.convert())
        return path

    return make


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.parametrize(("batch", "bytes_only", "error"), [(None, False, 1e-4), (1, False, 1e-4), (1, True, 0.6)])
def test_a_tflite_file_of_any_batch_and_quantised(
    tflite: Callable[[int | None, bool], Path], batch: int | None, bytes_only: bool, error: float
) -> None:
    classifier = fm.load(tflite(batch, bytes_only), batch_size=4)
    images = photographs(5)
    assert classifier.input_shape == (*SIZE, 3)
    scores = classifier.predict(images).scores
    assert np.abs(scores - linear(images)).max() < error
    assert np.ptp(linear(images)) > 10 * error
    explain = fm.Occlusion(patch=(7, 5), fill=0.0)
    found, same = (explain(each, images, 1).maps for each in (classifier, fm.Classifier(linear)))
    assert np.abs(found - same).max() < 2 * error


def test_quantised_values_are_rounded_and_kept_in_range() -> None:
    details = {"quantization": (0.5, 10), "dtype": np.uint8}
    assert quantised(np.array([-9.0, 0.0, 0.3, 1e6]), details).tolist() == [0, 10, 11, 255]


def test_damaged_tflite_files_are_refused_in_one_line(
    tflite: Callable[[int | None, bool], Path], tmp_path: Path
) -> None:
    whole = tflite(None, False).read_bytes()
    for kept in (4, len(whole) // 2, len(whole) - 500):
        cut = tmp_path / "cut.tflite"
        cut.write_bytes(whole[:kept])
        with pytest.raises(ModelError) as refused:
            load_function(cut)
        assert str(refused.value).startswith(f"{cut}: the TFLite interpreter cannot load it (")
        assert "\n" not in str(refused.value)
