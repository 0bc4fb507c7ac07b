"""Torch modules as people write them: functional and reused ReLUs, hooks, half precision, several arguments."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import ModelError

pytestmark = pytest.mark.native_torch

IMAGES = np.random.default_rng(0).normal(size=(3, 10, 8, 3)).astype(np.float32)
SIGNED = fm.GradCAM(relu=False)
EXPLAINERS = (SIGNED, fm.Gradients(), fm.GuidedBackprop(), fm.SmoothGrad(samples=2))


def parts() -> tuple[Any, Any, Any]:
    import torch

    torch.manual_seed(0)
    return torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.Conv2d(6, 6, 3), torch.nn.Linear(6, 4)


def as_layers() -> Any:
    """Each ReLU a layer: what the others are compared with."""
    import torch

    first, second, head = parts()
    pool = torch.nn.AdaptiveAvgPool2d(1)
    return torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), pool, torch.nn.Flatten(), head)


def written(style: str) -> Any:
    """The same network with a forward of its own."""
    import torch
    from torch.nn import functional

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = parts()
            self.relu = torch.nn.ReLU(inplace=style == "in place")

        def forward(self, x: Any) -> Any:
            for convolution in (self.first, self.second):
                x = convolution(x)
                if style == "functional":
                    x = functional.relu(x)
                elif style == "method":
                    x = x.relu()
                elif style == "functional in place":
                    x = functional.relu(x, inplace=True)
                else:
                    x = self.relu(x)
            return self.head(x.mean(dim=(2, 3)))

    return Net()


def maps(model: Any, explainer: Any = SIGNED, **options: Any) -> np.ndarray:
    found: np.ndarray = explainer(fm.Classifier(model, **options), IMAGES, target=fm.Class(1)).maps
    return found


@pytest.mark.parametrize("style", ["functional", "method", "functional in place", "reused", "in place"])
@pytest.mark.parametrize("explainer", EXPLAINERS, ids=lambda explainer: type(explainer).__name__)
def test_a_relu_is_one_however_it_is_written(style: str, explainer: Any) -> None:
    if isinstance(explainer, fm.GradCAM) and style in ("functional", "method", "functional in place"):
        explainer = fm.GradCAM(relu=False, layer="second")  # a function is no layer; its convolution is
        expected = maps(as_layers(), fm.GradCAM(relu=False, layer="2"))
    else:
        expected = maps(as_layers(), explainer)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(maps(written(style), explainer), expected, atol=1e-6)


def test_guided_backpropagation_clips_where_a_relu_is_a_function() -> None:
    guided, plain = (maps(written("functional"), each) for each in (fm.GuidedBackprop(), fm.Gradients()))
    assert not np.allclose(guided, plain, atol=1e-4)


def test_a_module_without_any_relu_has_no_guided_backpropagation() -> None:
    import torch

    class Smooth(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = parts()

        def forward(self, x: Any) -> Any:
            return self.head(self.second(torch.tanh(self.first(x))).mean(dim=(2, 3)))

    with pytest.raises(ModelError, match="has no ReLU"):
        maps(Smooth(), fm.GuidedBackprop())


def test_hooks_of_the_module_fire_as_ever_and_stay() -> None:
    model = written("reused")
    fired: list[str] = []
    model.first.register_forward_hook(lambda *_: fired.append("forward"))
    model.second.register_forward_pre_hook(lambda *_: fired.append("before"))
    model.head.register_full_backward_hook(lambda *_: fired.append("backward"))
    changed = model.second.register_forward_hook(lambda _module, _inputs, output: 2 * output)
    doubled = maps(model, fm.GradCAM(relu=False, layer="relu#2"))
    assert {"forward", "before", "backward"} <= set(fired)
    assert len(model.second._forward_hooks) == 1
    changed.remove()
    single = maps(model, fm.GradCAM(relu=False, layer="relu#2"))
    assert np.ptp(single) > 0
    np.testing.assert_allclose(doubled, 2 * single, atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float64"])
def test_a_module_of_another_precision_is_fed_in_it(precision: str) -> None:
    import torch

    expected = maps(as_layers())
    got = maps(as_layers().to(getattr(torch, precision)))
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() < (1e-6 if precision == "float64" else 0.05) * np.abs(expected).max()


def two_arguments() -> Any:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.kinds = as_layers(), torch.nn.Embedding(3, 4)

        def forward(self, kind: Any, picture: Any, scale: Any = None, squared: bool = False) -> Any:
            scores = self.inner(picture) * (1 if scale is None else scale)
            return SimpleNamespace(logits=(scores**2 if squared else scores) + self.kinds(kind))

    return Net()


def test_other_arguments_of_forward_stand_still() -> None:
    model = two_arguments()
    clf = fm.Classifier(model, image="picture", fixed={"kind": 2, "scale": [3.0, 3.0, 3.0, 3.0], "squared": False})
    expected = 3 * maps(as_layers())
    np.testing.assert_allclose(SIGNED(clf, IMAGES, target=fm.Class(1)).maps, expected, atol=1e-5)
    row = model.kinds.weight[2].detach().numpy()
    plain = fm.Classifier(as_layers()).predict(IMAGES).scores
    np.testing.assert_allclose(clf.predict(IMAGES).scores, 3 * plain + row, atol=1e-5)
    clf.fix({"kind": 0})
    np.testing.assert_allclose(
        clf.predict(IMAGES).scores, 3 * plain + model.kinds.weight[0].detach().numpy(), atol=1e-5
    )


@dataclass
class Output:
    """As Hugging Face's models return it."""

    logits: Any
    hidden_states: Any = None


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda y: Output(y), None),
        (lambda y: {"logits": y, "loss": None}, None),
        (lambda y: (y, y.sum(dim=1)), 0),
        (lambda y: {"features": y.mean(dim=1), "kind": y}, "kind"),
    ],
    ids=["attribute", "logits in a dict", "tuple", "dict"],
)
def test_outputs_in_any_wrapping(wrap: Any, output: Any) -> None:
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = as_layers()

        def forward(self, x: Any) -> Any:
            return wrap(self.inner(x))

    np.testing.assert_allclose(maps(Wrapped(), output=output), maps(as_layers()), atol=1e-6)


@pytest.mark.parametrize("name", ["signal", "volume"])
def test_signals_and_volumes_in_torch(name: str) -> None:
    import torch

    torch.manual_seed(0)
    convolution, shape = (torch.nn.Conv1d, (2, 48, 2)) if name == "signal" else (torch.nn.Conv3d, (2, 6, 9, 7, 2))
    pool = torch.nn.AdaptiveAvgPool1d(1) if name == "signal" else torch.nn.AdaptiveAvgPool3d(1)
    body = torch.nn.Sequential(convolution(2, 5, 3), torch.nn.ReLU(), convolution(5, 6, 3), torch.nn.ReLU())
    head = torch.nn.Linear(6, 4)
    model = torch.nn.Sequential(body, pool, torch.nn.Flatten(), head)
    given = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    att = SIGNED(fm.Classifier(model), given, target=fm.Class(1))
    with torch.no_grad():
        features = np.moveaxis(body(torch.tensor(np.moveaxis(given, -1, 1))).numpy(), 1, -1)
    expected = features @ head.weight[1].detach().numpy() / np.prod(features.shape[1:-1])
    np.testing.assert_allclose(att.maps[:, 0], expected, atol=1e-6)
    assert fm.Gradients()(fm.Classifier(model), given).maps.shape == (2, 1, *shape[1:-1])


def training_module() -> Any:
    """What Lightning makes of a module: where the package is missing, a class with its forward and its hooks."""
    try:
        from lightning import LightningModule as Base
    except ImportError:
        import torch

        class Base(torch.nn.Module):  # type: ignore[no-redef]
            trainer = None

            def __call__(self, *args: Any, **kwargs: Any) -> Any:
                return super().__call__(*args, **kwargs)

            def on_train_start(self) -> None: ...

    class Lit(Base):
        def __init__(self) -> None:
            super().__init__()
            self.net = written("in place")

        def forward(self, x: Any) -> Any:
            return self.net(x)

        def training_step(self, batch: Any, _index: int) -> Any:
            import torch

            return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    return Lit()


def test_a_lightning_module_is_explained_between_two_steps_of_training() -> None:
    import torch

    model = training_module().train()
    batch = torch.tensor(IMAGES.transpose(0, 3, 1, 2)), torch.tensor([0, 1, 2])
    before = model.training_step(batch, 0)
    np.testing.assert_allclose(maps(model), maps(as_layers()), atol=1e-6)
    after = model.training_step(batch, 0)
    assert model.training
    assert torch.equal(before, after)
    after.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "resnet10t"])
def test_a_timm_model_is_explained(name: str) -> None:
    try:
        import timm
    except Exception as error:  # without a torchvision that fits torch, its import fails in several ways
        pytest.skip(f"timm cannot be imported here: {type(error).__name__}: {error}")
    options = {} if name == "resnet10t" else {"img_size": 64}
    model = timm.create_model(name, pretrained=False, num_classes=5, **options)
    for parameter in model.get_classifier().parameters() if name == "resnet10t" else model.parameters():
        parameter.data.normal_(std=0.1)  # some heads start at zero
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    att = SIGNED(fm.Classifier(model), images)
    assert att.maps.shape == ((1, 1, 2, 2) if name == "resnet10t" else (1, 1, 4, 4))
    assert np.ptp(att.maps) > 0
