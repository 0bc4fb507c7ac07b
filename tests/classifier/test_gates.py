"""Gates in relevance propagation: what squeezes and excites is a weight, and the map takes all the relevance."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import fieldmark as fm
from fieldmark.errors import LayerError
from tests.support import kinds, models

IMAGE = kinds.images(1)
BIASLESS = {"use_bias": False}


def gated() -> tuple[Any, Any, Any]:
    """A convolution, squeeze and excite, a head; the same without its gate; and the model of the gate's values."""
    models.seeded()
    image = keras.Input(kinds.SHAPE)
    maps = layers.Conv2D(6, 3, activation="relu", name="first", **BIASLESS)(image)
    gate = layers.Reshape((1, 1, 6))(layers.GlobalAveragePooling2D()(maps))
    gate = layers.Conv2D(6, 1, activation="sigmoid", name="excite")(layers.Conv2D(2, 1, activation="relu")(gate))
    scaled = layers.Multiply(name="gate")([maps, gate])
    scores = layers.Dense(3, name="head", **BIASLESS)(layers.GlobalAveragePooling2D()(scaled))
    still = layers.DepthwiseConv2D(1, name="still", **BIASLESS)
    plain = layers.Dense(3, name="plain", **BIASLESS)
    other = keras.Model(image, plain(layers.GlobalAveragePooling2D()(still(maps))))
    model = keras.Model(image, scores)
    plain.set_weights(model.get_layer("head").get_weights())
    return model, other, keras.Model(image, gate)


@pytest.mark.every_backend
def test_a_gates_relevance_is_that_of_a_constant_weight() -> None:
    model, other, gate = gated()
    other.get_layer("still").set_weights([models.numpy(gate(IMAGE)).reshape(1, 1, 6, 1)])
    found = fm.LRP(rule="epsilon")(fm.Classifier(model), IMAGE, target=fm.Class(1))
    expected = fm.LRP(rule="epsilon")(fm.Classifier(other), IMAGE, target=fm.Class(1))
    assert np.ptp(expected.maps) > 1e-5
    np.testing.assert_allclose(found.maps, expected.maps, atol=2e-3 * np.abs(expected.maps).max())
    np.testing.assert_allclose(found.maps.sum(), found.scores[0, 0], rtol=1e-3)  # without biases nothing is lost


def test_a_network_with_gates_is_explained() -> None:
    models.seeded()
    model = keras.applications.MobileNetV3Small(weights=None, input_shape=(64, 64, 3), classes=5)
    att = fm.LRP()(fm.Classifier(model), kinds.images(1, (64, 64, 3)), target=fm.Class(1))
    assert np.isfinite(att.maps).all()
    assert np.ptp(att.maps) > 0


def test_two_maps_of_one_size_have_no_rule() -> None:
    image = keras.Input(kinds.SHAPE)
    both = [layers.Conv2D(4, 3)(image), layers.Conv2D(4, 3)(image)]
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Multiply(name="product")(both))))
    with pytest.raises(LayerError, match=r"'product' .Multiply.: LRP has no rule for it where it multiplies two maps"):
        fm.LRP()(fm.Classifier(model), IMAGE)


@pytest.mark.native_torch
@pytest.mark.parametrize("style", ["*", "mul"])
def test_a_gate_in_a_torch_forward_is_a_weight_too(style: str) -> None:
    import torch

    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.relu = torch.nn.Conv2d(3, 6, 3, bias=False), torch.nn.ReLU()
            self.pool = torch.nn.AdaptiveAvgPool2d(1)
            self.excite, self.sigmoid = torch.nn.Conv2d(6, 6, 1), torch.nn.Sigmoid()
            self.flat, self.head = torch.nn.Flatten(), torch.nn.Linear(6, 3, bias=False)

        def forward(self, x: Any) -> Any:
            maps = self.relu(self.first(x))
            gate = self.sigmoid(self.excite(self.pool(maps)))
            scaled = maps * gate if style == "*" else torch.mul(gate, maps)
            return self.head(self.flat(self.pool(scaled)))

    net = Net()
    att = fm.LRP(rule="epsilon")(fm.Classifier(net), IMAGE, target=fm.Class(1))
    np.testing.assert_allclose(att.maps.sum(), att.scores[0, 0], rtol=1e-3)
    with torch.no_grad():
        maps = net.relu(net.first(torch.tensor(IMAGE.transpose(0, 3, 1, 2))))
        gate = net.sigmoid(net.excite(net.pool(maps)))
        scaled = net.first.weight * gate[0, :, 0, 0][:, None, None, None]
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, bias=False), *[net.relu, net.pool, net.flat, net.head])
    plain[0].weight = torch.nn.Parameter(scaled)
    expected = fm.LRP(rule="epsilon")(fm.Classifier(plain), IMAGE, target=fm.Class(1))
    np.testing.assert_allclose(att.maps, expected.maps, atol=1e-5)
