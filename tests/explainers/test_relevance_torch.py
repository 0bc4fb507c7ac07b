"""LRP of plain torch modules: equal to their Keras twins; additions and ReLUs in `forward` are seen too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.errors import LayerError
from fieldmark.explainers.relevance import COMPOSITES, LRP
from tests.support import relevance_nets

pytestmark = pytest.mark.native_torch


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_a_torch_module_equals_its_keras_twin(name: str) -> None:
    plain = fm.Classifier(relevance_nets.torch_net(name, None))
    twin = fm.Classifier(relevance_nets.keras_net(name))
    for composite in COMPOSITES:
        two = [LRP(composite=composite)(clf, relevance_nets.images(), [1, 3]).maps for clf in (plain, twin)]
        assert np.allclose(*two, atol=1e-5 * np.abs(two[1]).max()), composite


def module(forward: Any) -> Any:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1, groups=2)
            self.relu, self.head = nn.ReLU(), nn.Linear(4, 2)

    Net.forward = lambda self, x: forward(self, x)
    return Net().eval()


def with_layers(net: Any, x: Any) -> Any:
    x = net.relu(net.conv(x))
    return net.head(net.relu(net.second(x)).mean((2, 3)))


def with_functions(net: Any, x: Any) -> Any:
    import torch.nn.functional as F

    x = F.relu(net.conv(x), inplace=True)
    x = F.relu_(net.second(x))
    return net.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


def test_functions_in_forward_act_like_their_layers() -> None:
    images = np.random.default_rng(0).normal(size=(2, 8, 7, 3)).astype(np.float32)
    two = [LRP()(fm.Classifier(module(forward)), images, 0).maps for forward in (with_layers, with_functions)]
    assert np.allclose(*two, atol=1e-6)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            lambda net, x: net.head(net.conv(x).sigmoid().mean((2, 3))),
            "layer 'head' comes from sigmoid(): LRP goes from layer to layer; make that step a layer, "
            "or preprocess= outside",
        ),
        (lambda net, x: net.head(net.conv(x / 255).mean((2, 3))), "layer 'conv' comes from div(): LRP goes"),
        (lambda net, x: net.head(net.conv(x + x).mean((2, 3))), "layer 'conv' comes from"),
        (lambda net, x: net.head(net.conv(x).mean((2, 3))).softmax(1), "the model's output comes from softmax(): LRP"),
    ],
)
def test_a_function_without_a_rule_is_named(forward: Any, message: str) -> None:
    with pytest.raises(LayerError) as error:
        LRP()(fm.Classifier(module(forward)), np.zeros((1, 6, 6, 3), np.float32), 0)
    assert str(error.value).startswith(message)
