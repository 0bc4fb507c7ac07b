"""What users of such tools complain of, one test a complaint: it does not exist here.

The numbers are the rows of the research into the issue trackers of other packages. These are the lines that a user
would type; the closed forms behind them are tested beside each part.
"""

from __future__ import annotations

import re
import tomllib
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import LayerError, MapWarning, TargetError
from tests.support import kinds, models, transformers

every_backend = pytest.mark.every_backend
ROOT = Path(__file__).resolve().parents[2]


def fine(att: Any) -> np.ndarray:
    """The maps, which are finite, not blank, and said to be neither."""
    assert np.isfinite(att.maps).all()
    assert att.maps.any()
    assert att.warnings == ()
    return np.asarray(att.maps)


def test_row_01_a_framework_upgrade_breaks_the_tool() -> None:
    """No private module of Keras is used, and the table of versions that were run has the promised bounds in it."""
    private = re.compile(r"\bkeras\.src\b")
    used = [
        f"{path.name}:{number}"
        for path in (ROOT / "src").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if private.search(line.partition("#")[0]) and not line.lstrip().startswith(('r"', "_OWN"))
    ]
    assert used == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    oldest = [line for line in table.splitlines() if line.startswith("| oldest")]
    for requirement in ("keras", "numpy", "pillow", "matplotlib"):
        bound = next(re.split(">=", each)[1] for each in project["dependencies"] if each.startswith(requirement))
        assert all(f"{requirement} {bound}" in line for line in oldest), requirement


@pytest.mark.native_torch
def test_row_02_torch_hooks_and_gradients() -> None:
    """Frozen weights, `no_grad` around the call, in-place and reused ReLU: the map is that of the plain module."""
    import torch

    torch.manual_seed(0)
    relu = torch.nn.ReLU(inplace=True)
    first, second, head = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 5, 3), torch.nn.Linear(5, 3)
    ends = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), head]
    plain = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), *ends)
    awkward = torch.nn.Sequential(first, relu, second, relu, *ends)
    images = kinds.images(2)
    expected = fine(fm.GradCAM(layer="3")(fm.Classifier(plain), images, target=1))
    for parameter in awkward.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        found = fine(fm.GradCAM(layer="1#2")(fm.Classifier(awkward), images, target=1))
        assert not torch.is_grad_enabled()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not any(parameter.requires_grad for parameter in awkward.parameters())


@every_backend
def test_row_03_nested_transfer_learning_models(tmp_path: Path) -> None:
    """An application inside a Sequential, frozen, saved and loaded again: explained at `base/layer`, as it is."""
    kind = kinds.transfer(functional=True)
    kind.model.save(tmp_path / "model.keras")
    att = fm.GradCAM()(fm.load(tmp_path / "model.keras"), 255 * np.abs(kinds.images(2)))
    assert att.provenance["layer"] == kind.layer
    assert "/" in kind.layer
    assert np.isfinite(att.maps).all()


@every_backend
def test_row_04_vision_transformers() -> None:
    """The grid and the class token are inferred; where the number of tokens leaves it open, it is asked for."""
    images = np.random.default_rng(0).normal(size=(1, 32, 48, 3)).astype(np.float32)
    att = fm.GradCAM(relu=False)(fm.Classifier(transformers.keras_vit()), images)
    assert fine(att).shape == (1, 1, 4, 6)
    assert "tokens" in att.provenance["layer_reason"]
    with pytest.raises(LayerError, match=r"has 36 tokens: .*; say which: Classifier\(model, tokens="):
        fm.GradCAM()(fm.Classifier(transformers.keras_vit(prefix=12)), images)


@every_backend
def test_row_05_many_inputs_and_outputs() -> None:
    """Other inputs stand still, one of several outputs is chosen, and `.logits` is found."""
    several = fm.Classifier(kinds.several_inputs().model, fixed={"age": 30, "rest": [1.0, 0.5, 0.0, -1.0]})
    assert np.isfinite(fm.GradCAM()(several, kinds.images(2)).maps).all()
    clf = fm.Classifier(kinds.several_outputs(as_dict=True).model, output="kind")
    assert np.isfinite(fm.GradCAM()(clf, kinds.images(2)).maps).all()
    with pytest.raises(TargetError, match="choose one with output="):
        fm.Classifier(kinds.several_outputs(as_dict=True).model)
    wrapped = fm.Classifier(kinds.with_logits().model)
    assert wrapped.predict(kinds.images(1)).scores.shape == (1, kinds.CLASSES)


def test_row_11_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a batch does not fit, it goes on with half of it, says so once, and gives the same maps."""
    known = models.functional()
    images = known.images(8)
    expected = fm.Gradients()(fm.Classifier(known.model), images, target=0).maps
    clf = fm.Classifier(known.model, batch_size=8)
    clf.predict(images[:1])
    run = clf.engine.passes._run

    def small(key: Any, traced: Any, arrays: Any) -> Any:
        if len(arrays[0]) > 4:
            raise MemoryError
        return run(key, traced, arrays)

    monkeypatch.setattr(clf.engine.passes, "_run", small)
    with pytest.warns(RuntimeWarning, match="out of memory with 8 images a pass: going on with 4") as said:
        maps = fm.Gradients()(clf, images, target=0).maps
    assert len(said) == 1
    np.testing.assert_allclose(maps, expected, atol=1e-6)


@every_backend
def test_row_12_a_zero_nan_or_blank_map() -> None:
    """It says why, in the result and as a warning, and what to do."""
    known = models.functional()
    head = known.model.get_layer("final")
    head.kernel.assign(-np.abs(models.numpy(head.kernel)))
    with pytest.warns(MapWarning, match="speaks against this score, and the ReLU leaves nothing; relu=False"):
        att = fm.GradCAM()(fm.Classifier(known.model), known.images(1), target=0)
    assert not att.maps.any()
    assert len(att.warnings) == 1
    assert fm.GradCAM(relu=False)(fm.Classifier(known.model), known.images(1), target=0).maps.any()


@every_backend
@pytest.mark.parametrize(("build", "shape"), [(kinds.signal, (48, 2)), (kinds.volume, (8, 10, 7, 2))])
def test_row_13_one_and_three_dimensions(build: Any, shape: tuple[int, ...]) -> None:
    """Signals and volumes are explained like images."""
    att = fm.GradCAM(relu=False)(fm.Classifier(build().model), kinds.images(2, shape), target=1)
    assert fine(att).ndim == 1 + len(shape)
    assert att.resized().shape == (2, 1, *shape[:-1])


@every_backend
def test_row_14_one_sigmoid_output_and_regression() -> None:
    """For and against are two classes of opposite sign; a value is explained as it is."""
    known = models.sigmoid()
    clf = fm.Classifier(known.model, labels=["no fire", "fire"])
    signed = fm.GradCAM(relu=False)
    against, towards = (signed(clf, known.images(2), target=name).maps for name in ("no fire", "fire"))
    assert towards.any()
    np.testing.assert_allclose(against, -towards, atol=1e-6)
    value = fm.Classifier(kinds.plain(None, outputs=1).model)
    assert np.isfinite(signed(value, kinds.images(2)).maps).all()
    assert value.classes == 1


@every_backend
def test_row_15_a_different_result_every_run() -> None:
    """The same seed gives the same array; the seed is recorded; the spread over seeds is there on request."""
    known = models.functional()
    clf = fm.Classifier(known.model)
    first, second = (fm.RISE(samples=8)(clf, known.images(1), target=0) for _ in range(2))
    np.testing.assert_array_equal(first.maps, second.maps)
    assert first.provenance["seed"] == 0
    spread = fm.OverSeeds(inner=fm.RISE(samples=8), seeds=3)(clf, known.images(1), target=0).provenance["spread"]
    assert spread[0][0] > 0


@every_backend
def test_row_17_which_layer() -> None:
    """It is chosen, the choice is said with its reason, and another can be named."""
    known = models.functional()
    clf = fm.Classifier(known.model)
    att = fm.GradCAM()(clf, known.images(1))
    assert att.provenance["layer"] == "conv2"
    assert att.provenance["layer_reason"].startswith("last spatial feature map (8 x 6, 12 channels)")
    assert [info.name for info in clf.layers() if info.chosen] == ["conv2"]
    assert fm.GradCAM(layer="conv1")(clf, known.images(1)).maps.shape[2:] == (16, 12)
    with pytest.raises(LayerError, match=r"did you mean 'conv[12]' or 'conv[12]'"):
        fm.GradCAM(layer="conv")(clf, known.images(1))


@every_backend
def test_row_18_logits_or_softmax() -> None:
    """Logits are explained behind a softmax that stays where it is; saturated probabilities are said."""
    known = models.functional()
    final = known.model.get_layer("final")
    final.kernel.assign(3000 * models.numpy(final.kernel))
    before = models.numpy(known.model(known.images(2), training=False))
    behind = fine(fm.GradCAM(relu=False)(fm.Classifier(known.model), known.images(2)))
    without = keras.Model(known.model.inputs[0], known.model.layers[-2].output)
    features = models.numpy(without(known.images(2)))
    logits = features @ models.numpy(final.kernel) + models.numpy(final.bias)
    np.testing.assert_allclose(fm.Classifier(known.model).predict(known.images(2)).scores, logits, rtol=1e-3, atol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MapWarning)
        weak = fm.GradCAM(relu=False)(fm.Classifier(known.model, scores="probabilities"), known.images(2))
    assert any("saturated probability" in text for text in weak.warnings)
    assert np.abs(weak.maps).max() < 1e-3 * np.abs(behind).max()
    np.testing.assert_array_equal(models.numpy(known.model(known.images(2), training=False)), before)


def test_row_20_not_square() -> None:
    """A bright spot at the lower left of a wide image is at the lower left of the map, neither turned nor shifted."""
    kind = kinds.plain(None, shape=(12, 40, 3))
    image = np.zeros((1, 12, 40, 3), np.float32)
    image[0, 9:12, 1:4] = 1
    clf = fm.Classifier(kind.model)
    maps = np.abs(fm.Occlusion(patch=3, fill=0.0)(clf, image, target=1).resized()[0, 0])
    assert maps.shape == (12, 40)
    row, column = np.unravel_index(maps.argmax(), maps.shape)
    assert (row, column) >= (6, 0)
    assert column < 8


@every_backend
@pytest.mark.parametrize("channels", [1, 3, 4, 13])
def test_row_21_grey_or_many_channels(channels: int) -> None:
    """Any number of channels, and a figure of it."""
    known = models.functional(shape=(12, 9, channels), outputs=3)
    att = fm.GradCAM(relu=False)(fm.Classifier(known.model), known.images(1), target=1)
    assert fine(att).shape == (1, 1, 6, 4)
    assert len(att.plot().axes) > 0


@every_backend
def test_row_22_leaks_in_loops() -> None:
    """Nothing is traced again in a loop, and nothing is left on the layers; memory is tests/laws/test_process_state."""
    known = models.functional(shape=(8, 6, 3))
    clf = fm.Classifier(known.model)
    fm.GradCAM()(clf, known.images(1), target=0)
    traces, before = clf.engine.passes.traces, [sorted(vars(layer)) for layer in known.model.layers]
    for turn in range(20):
        fm.GradCAM()(clf, known.images(1), target=turn % models.CLASSES)
    assert clf.backend == "torch" or clf.engine.passes.traces == traces  # torch runs as it is written
    assert [sorted(vars(layer)) for layer in known.model.layers] == before


@every_backend
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_row_23_half_precision(policy: str) -> None:
    """Maps are float32 and close to those in full precision."""
    half, full = (
        fm.GradCAM(relu=False)(fm.Classifier(kinds.half(each)), kinds.images(2), target=1)
        for each in (policy, "float32")
    )
    assert half.maps.dtype == np.float32
    assert fine(half).shape == full.maps.shape
    assert np.abs(half.maps - full.maps).max() < 0.1 * np.abs(full.maps).max()


def test_row_24_preprocessing_that_does_not_fit() -> None:
    """`preprocess` is part of the classifier, what comes out of it is checked, and the prediction is shown first."""
    known = models.functional()
    images = (255 * np.random.default_rng(0).random((2, 16, 12, 3))).astype(np.uint8)
    clf = fm.Classifier(known.model, preprocess="0-1")
    np.testing.assert_allclose(
        clf.predict(images).scores, fm.Classifier(known.model).predict(images / np.float32(255)).scores, atol=1e-5
    )
    assert len(clf.predict(images).top(2)[0]) == 2
    with pytest.raises(fm.FieldmarkError, match="preprocess result: expected"):
        fm.Classifier(known.model, preprocess=lambda x: x[:, ::2]).predict(images)
