"""Small vision transformers: in Keras, in plain torch, and one weighted by hand whose map is known."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tests.support import models

CLASSES = 5


class Prefix(layers.Layer):
    """`count` learned tokens before the patches."""

    def __init__(self, count: int, **options: Any) -> None:
        super().__init__(**options)
        self.count = count

    def build(self, shape: Any) -> None:
        self.tokens = self.add_weight(shape=(1, self.count, shape[-1]), initializer="random_normal")

    def call(self, x: Any) -> Any:
        row = ops.broadcast_to(self.tokens, (ops.shape(x)[0], self.count, x.shape[-1]))
        return ops.concatenate([row, x], axis=1)


class Patches(layers.Layer):
    """Square patches of an image as rows of pixels: (n, h * w, side * side * c), without any convolution."""

    def __init__(self, side: int, **options: Any) -> None:
        super().__init__(**options)
        self.side = side

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        side, down, across = self.side, height // self.side, width // self.side
        x = ops.reshape(x, (-1, down, side, across, side, channels))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, down * across, side * side * channels))


def keras_vit(
    shape: tuple[int, int, int] = (32, 48, 3),
    prefix: int = 1,
    pooled: bool = False,
    convolution: bool = True,
    side: int = 8,
    width: int = 16,
) -> Any:
    """Two blocks, normalised before attention; the first token is read, or the mean of the patches."""
    models.seeded()
    image = keras.Input(shape)
    places = (shape[0] // side) * (shape[1] // side)
    if convolution:
        x = layers.Reshape((places, width))(layers.Conv2D(width, side, strides=side, name="patches")(image))
    else:
        x = layers.Dense(width, name="patches")(Patches(side, name="cut")(image))
    if prefix:
        x = Prefix(prefix, name="prefix")(x)
    for block in range(2):
        y = layers.LayerNormalization(name=f"block{block}_norm1")(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, width // 2, name=f"block{block}_attention")(y, y)])
        y = layers.LayerNormalization(name=f"block{block}_norm2")(x)
        y = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(y))
        x = layers.Add()([x, y])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D()(x[:, prefix:]) if pooled else x[:, 0]
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def seeker(side: int = 8, grid: tuple[int, int] = (4, 6)) -> Any:
    """A transformer weighted by hand: the class token attends to bright patches, and its score is how bright they are.

    One head; a patch's token is (its mean, 0), the class token is (0, 1): its query meets the brightness of the keys.
    """
    shape = (grid[0] * side, grid[1] * side, 1)
    image = keras.Input(shape)
    x = layers.Reshape((grid[0] * grid[1], 2))(layers.Conv2D(2, side, strides=side, name="patches")(image))
    x = Prefix(1, name="prefix")(x)
    x = layers.BatchNormalization(name="norm1")(x)  # of new statistics: hardly any change
    attention = layers.MultiHeadAttention(1, 2, name="attention")
    x = layers.BatchNormalization(name="norm2")(layers.Add()([x, attention(x, x)]))
    model = keras.Model(image, layers.Dense(2, name="head")(x[:, 0]))
    brightness = np.zeros((side, side, 1, 2), np.float32)
    brightness[..., 0] = 1 / side**2
    model.get_layer("patches").set_weights([brightness, np.zeros(2, np.float32)])
    model.get_layer("prefix").set_weights([np.array([[[0, 1]]], np.float32)])
    swap, keep = 4 * np.array([[0, 1], [1, 0]], np.float32), np.eye(2, dtype=np.float32)
    nothing = np.zeros((1, 2), np.float32)
    attention.set_weights(
        [swap[:, None], nothing, keep[:, None], nothing, keep[:, None], nothing, keep[None], np.zeros(2, np.float32)]
    )
    model.get_layer("head").set_weights([np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    return model


def torch_vit(registers: int = 0, pooled: bool = False) -> Any:
    """torch's own encoder behind a patch embedding, with a class token and registers; eats 32 x 48."""
    import torch

    class Vit(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Conv2d(3, 16, 8, stride=8)
            self.prefix = torch.nn.Parameter(torch.randn(1, 1 + registers, 16))
            self.place = torch.nn.Parameter(torch.randn(1, 25 + registers, 16) / 4)
            self.blocks = torch.nn.ModuleList(
                torch.nn.TransformerEncoderLayer(16, 2, 32, 0.1, "gelu", batch_first=True, norm_first=True)
                for _ in range(2)
            )
            self.norm = torch.nn.LayerNorm(16)
            self.head = torch.nn.Linear(16, CLASSES)

        def forward(self, x: Any) -> Any:
            x = self.embed(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.prefix.expand(len(x), -1, -1), x], dim=1) + self.place
            for block in self.blocks:
                x = block(x)
            x = self.norm(x)
            return self.head(x[:, 1 + registers :].mean(dim=1) if pooled else x[:, 0])

    torch.manual_seed(0)
    return Vit()
