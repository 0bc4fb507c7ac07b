"""Small convolutional networks made up by Hypothesis: whatever an architecture may be made of, on few pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers

from tests.support import models

BLOCKS = ("conv", "norm", "separable", "depthwise", "skip", "twice", "nested", "pool", "dropout", "concat")
HEADS = ("softmax", "softmax layer", "sigmoid", "one sigmoid", "linear", "one linear")


@dataclass(frozen=True)
class Plan:
    """What a network is made of; printed by Hypothesis where a law is broken."""

    height: int
    width: int
    channels: int
    blocks: tuple[tuple[str, int, int, str], ...]  # kind, kernel, stride, padding
    nonlinearity: str
    pooling: str
    end: str  # "average", "max" or "flatten"
    head: str
    outputs: int
    seed: int

    @property
    def smooth(self) -> bool:
        return self.nonlinearity == "tanh" and self.pooling == "average" and self.end != "max"


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    block = st.tuples(
        st.sampled_from(BLOCKS), st.sampled_from((1, 2, 3)), st.sampled_from((1, 2)), st.sampled_from(("same", "valid"))
    )
    return Plan(
        height=draw(st.integers(8, 15)),
        width=draw(st.integers(8, 15)),
        channels=draw(st.sampled_from((1, 2, 3, 4, 13))),
        blocks=tuple(draw(st.lists(block, min_size=1, max_size=4))),
        nonlinearity=draw(st.sampled_from(("relu", "tanh", "gelu"))),
        pooling=draw(st.sampled_from(("max", "average"))),
        end=draw(st.sampled_from(("average", "max", "flatten"))),
        head=draw(st.sampled_from(HEADS)),
        outputs=draw(st.integers(2, 5)),
        seed=draw(st.integers(0, 99)),
    )


def build(plan: Plan) -> tuple[Any, Any]:
    """(the model; the same without what comes after its scores: the logits by Keras alone, sharing all layers)."""
    models.seeded(plan.seed)
    image = keras.Input((plan.height, plan.width, plan.channels))
    value = layers.Conv2D(4, 3, padding="same", activation=plan.nonlinearity, name="first")(image)
    for number, block in enumerate(plan.blocks):
        value = _block(plan, f"b{number}", value, *block)
    if plan.end == "flatten":
        value = layers.Flatten(name="flat")(value)
    else:
        kind = layers.GlobalAveragePooling2D if plan.end == "average" else layers.GlobalMaxPooling2D
        value = kind(name="pooled")(value)
    outputs = 1 if plan.head.startswith("one") else plan.outputs
    inner = {"softmax": "softmax", "sigmoid": "sigmoid", "one sigmoid": "sigmoid"}.get(plan.head)
    final = layers.Dense(outputs, activation=inner, name="final")
    scores = final(value)
    if plan.head == "softmax layer":
        scores = layers.Softmax(name="last")(scores)
    model = keras.Model(image, scores, name="made_up")
    models.unsettle(model, plan.seed)
    return model, keras.Model(image, value)


def logits(model: Any, body: Any, x: np.ndarray) -> np.ndarray:
    """(n, outputs) before any softmax or sigmoid: what goes into the last dense layer, times its weights, in NumPy."""
    kernel, bias = (models.numpy(each) for each in model.get_layer("final").weights)
    return models.numpy(body(x, training=False)) @ kernel + bias


def _block(plan: Plan, name: str, value: Any, kind: str, kernel: int, stride: int, padding: str) -> Any:
    height, width, channels = value.shape[1:]
    small = min(height, width)
    if padding == "valid" and small - kernel < 2 * stride:
        padding = "same"
    if -(-small // stride) < 2:
        stride = 1
    act = plan.nonlinearity
    shape: dict[str, Any] = {"padding": padding, "strides": stride}
    if kind == "conv":
        return layers.Conv2D(5, kernel, activation=act, name=name, **shape)(value)
    if kind == "norm":
        value = layers.Conv2D(4, kernel, use_bias=stride == 1, name=name, **shape)(value)
        return layers.Activation(act, name=f"{name}_act")(layers.BatchNormalization(name=f"{name}_norm")(value))
    if kind == "separable":
        return layers.SeparableConv2D(5, kernel, activation=act, name=name, **shape)(value)
    if kind == "depthwise":
        return layers.DepthwiseConv2D(kernel, activation=act, name=name, **shape)(value)
    if kind == "skip":
        side = layers.Conv2D(channels, kernel, padding="same", name=name)(value)
        return layers.Activation(act, name=f"{name}_act")(layers.Add(name=f"{name}_add")([value, side]))
    if kind == "concat":
        side = layers.Conv2D(2, kernel, padding="same", activation=act, name=name)(value)
        return layers.Concatenate(name=f"{name}_both")([value, side])
    if kind == "twice":
        again = layers.Conv2D(channels, kernel, padding="same", activation=act, name=name)
        return again(again(value))
    if kind == "nested":
        return _nested(plan, name, value, kernel)
    if kind == "dropout":
        return layers.Dropout(0.5, name=name)(value)
    if small < 4:
        return value
    pool = layers.MaxPooling2D if plan.pooling == "max" else layers.AveragePooling2D
    return pool(2, padding="same", name=name)(value)


def _nested(plan: Plan, name: str, value: Any, kernel: int) -> Any:
    inner = keras.Sequential(
        [
            keras.Input(tuple(value.shape[1:])),
            layers.Conv2D(4, kernel, padding="same", activation=plan.nonlinearity, name="conv"),
            layers.BatchNormalization(name="norm"),
        ],
        name=name,
    )
    return inner(value)


def images(plan: Plan, n: int = 3) -> np.ndarray:
    """(n, h, w, c), normal, from the plan's seed."""
    shape = (n, plan.height, plan.width, plan.channels)
    return np.random.default_rng(plan.seed).normal(size=shape).astype(np.float32)


def state(model: Any) -> list[Any]:
    """What nobody may change: every layer's attributes, and the weights."""
    kept: Sequence[Any] = [model, *models._every_layer(model)]
    return [
        [(layer.name, sorted(layer.__dict__), layer.trainable) for layer in kept],
        [np.array(weight) for weight in model.get_weights()],
    ]
