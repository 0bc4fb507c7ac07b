"""Plain torch modules: in whatever state they come, explained as their Keras twin is, and left as they were."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import fieldmark as fm
from tests.support import models

pytestmark = pytest.mark.native_torch

IMAGES = np.random.default_rng(0).normal(size=(3, 10, 8, 3)).astype(np.float32)


def small(inplace: bool = False) -> Any:
    """Grouped and plain convolutions, batch-norm with statistics that are not 0 and 1, one ReLU used twice."""
    import torch

    torch.manual_seed(0)
    relu = torch.nn.ReLU(inplace=inplace)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(6),
        relu,
        torch.nn.Conv2d(6, 6, 3, groups=6),
        torch.nn.BatchNorm2d(6),
        relu,
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 4),
    )
    model(torch.randn(64, 3, 10, 8) * 2 + 1)
    return model


def maps(model: Any, explainer: Any = None, **options: Any) -> np.ndarray:
    return (explainer or fm.GradCAM(relu=False))(fm.Classifier(model, **options), IMAGES, target=fm.Class(1)).maps


def test_batch_norm_folds() -> None:
    folded, plain = fm.Classifier(small()), fm.Classifier(small(), fold=False)
    np.testing.assert_allclose(folded.predict(IMAGES).scores, plain.predict(IMAGES).scores, atol=1e-5)
    assert len(folded.engine.pairs) == 2
    np.testing.assert_allclose(maps(small()), maps(small(), fold=False), atol=1e-5)


@pytest.mark.parametrize("explainer", [fm.GradCAM(relu=False), fm.GradCAM(relu=False, layer="1"), fm.Gradients()])
def test_in_place_and_reused_relu_change_nothing(explainer: Any) -> None:
    np.testing.assert_allclose(maps(small(True), explainer), maps(small(), explainer), atol=1e-6)


def test_frozen_weights_no_grad_and_inference_mode_change_nothing() -> None:
    import torch

    expected = maps(small())
    frozen = small().requires_grad_(False)
    np.testing.assert_allclose(maps(frozen), expected, atol=1e-6)
    assert not any(p.requires_grad for p in frozen.parameters())
    model = small()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            np.testing.assert_allclose(maps(model), expected, atol=1e-6)
            assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_the_module_is_left_as_it_was() -> None:
    model = small()
    model[3].eval()
    handle = model[0].register_forward_hook(lambda _module, _inputs, _output: None)
    before = [(m.training, sorted(m.__dict__), list(m._forward_hooks)) for m in model.modules()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    maps(model)
    maps(model, fm.Gradients())
    assert before == [(m.training, sorted(m.__dict__), list(m._forward_hooks)) for m in model.modules()]
    assert all((value == weights[name]).all() for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    handle.remove()


def test_a_module_in_training_mode_is_explained_in_inference_mode() -> None:
    model = small()
    assert model.training
    np.testing.assert_allclose(maps(model), maps(model.eval()), atol=1e-6)


@pytest.mark.parametrize("name", ["functional, non-square, 8 classes", "logits"])
def test_a_module_with_the_same_weights_gets_the_same_maps(name: str) -> None:
    import torch

    known = models.SOFTMAX_MODELS[name]()
    twin = as_torch(known)
    images = known.images(4)
    for explainer in (fm.GradCAM(), fm.GradCAMPlusPlus(), fm.Gradients()):
        ours = explainer(fm.Classifier(known.model), images, target=fm.Top(2))
        theirs = explainer(fm.Classifier(twin), images, target=fm.Top(2))
        np.testing.assert_allclose(theirs.maps, ours.maps, atol=1e-5 * max(1, ours.maps.max()))
        np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-5)
    assert isinstance(twin, torch.nn.Module)
    assert not isinstance(twin, keras.layers.Layer)


def as_torch(known: models.Known) -> Any:
    """The same layers in torch, with the same weights."""
    import torch

    get = known.model.get_layer
    first, norm, second = get("conv1"), get("norm"), get("conv2")
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.BatchNorm2d(6, eps=norm.epsilon),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 12, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(12, models.CLASSES),
    )
    values = {
        "0.weight": models.numpy(first.kernel).transpose(3, 2, 0, 1),
        "0.bias": models.numpy(first.bias),
        "2.weight": models.numpy(norm.gamma),
        "2.bias": models.numpy(norm.beta),
        "2.running_mean": models.numpy(norm.moving_mean),
        "2.running_var": models.numpy(norm.moving_variance),
        "4.weight": models.numpy(second.kernel).transpose(3, 2, 0, 1),
        "4.bias": models.numpy(second.bias),
        "8.weight": known.kernel.T,
        "8.bias": np.zeros(models.CLASSES),
    }
    model.load_state_dict({n: torch.tensor(np.array(v, np.float32)) for n, v in values.items()}, strict=False)
    return model
