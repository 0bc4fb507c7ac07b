"""Two small networks, VGG-like and ResNet-like, from the same weights in plain torch and in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

CLASSES = 5
SHAPE = (16, 12, 3)
Weights = dict[str, np.ndarray]


def images(n: int = 2) -> np.ndarray:
    """(n, 16, 12, 3), of both signs."""
    return np.random.default_rng(7).normal(size=(n, *SHAPE)).astype(np.float32)


def weights(name: str) -> Weights:
    """Kernels (h, w, in, out), dense (in, out), biases, and batch-norm rows gamma, beta, mean, variance."""
    rng = np.random.default_rng(3)

    def kernel(size: int, before: int, after: int) -> np.ndarray:
        return (rng.normal(size=(size, size, before, after)) / (size * np.sqrt(before))).astype(np.float32)

    def dense(before: int, after: int) -> np.ndarray:
        return (rng.normal(size=(before, after)) / np.sqrt(before)).astype(np.float32)

    def bias(size: int) -> np.ndarray:
        return (rng.normal(size=size) * 0.1).astype(np.float32)

    def norm(size: int) -> np.ndarray:
        rows = [rng.uniform(0.5, 1.5, size), rng.normal(size=size) * 0.1, rng.normal(size=size) * 0.1]
        return np.stack([*rows, rng.uniform(0.5, 1.5, size)]).astype(np.float32)

    found: Weights = {"conv1": kernel(3, 3, 6), "bias1": bias(6), "conv2": kernel(3, 6, 8), "bias2": bias(8)}
    if name == "vgg":
        found |= {"dense1": dense(6 * 8 * 8, 16), "bias3": bias(16), "dense2": dense(16, CLASSES)}
    else:
        found |= {"conv3": kernel(3, 8, 8), "norm1": norm(6), "norm2": norm(8), "norm3": norm(8)}
        found |= {"dense2": dense(8, CLASSES)}
    return found | {"bias4": bias(CLASSES)}


def torch_net(name: str, addition: Any) -> Any:
    """In torch; `addition` makes a module called with two tensors, or is None for a plain `+`."""
    import torch
    from torch import nn

    given = weights(name)

    def conv(number: int, biased: bool) -> nn.Module:
        kernel = torch.from_numpy(given[f"conv{number}"].transpose(3, 2, 0, 1).copy())
        layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, bias=biased)
        layer.weight.data = kernel
        if biased:
            layer.bias.data = torch.from_numpy(given[f"bias{number}"])
        return layer

    def linear(kernel: str, bias: str) -> nn.Module:
        layer = nn.Linear(*given[kernel].shape)
        layer.weight.data = torch.from_numpy(given[kernel].T.copy())
        layer.bias.data = torch.from_numpy(given[bias])
        return layer

    def norm(number: int) -> nn.Module:
        rows = torch.from_numpy(given[f"norm{number}"])
        layer = nn.BatchNorm2d(rows.shape[1], eps=1e-5)
        layer.weight.data, layer.bias.data = rows[0], rows[1]
        layer.running_mean.copy_(rows[2])
        layer.running_var.copy_(rows[3])
        return layer

    if name == "vgg":
        head = [nn.Flatten(), linear("dense1", "bias3"), nn.ReLU(), nn.Dropout(0.5), linear("dense2", "bias4")]
        return nn.Sequential(
            conv(1, True), nn.ReLU(), conv(2, True), nn.ReLU(inplace=True), nn.MaxPool2d(2), *head
        ).eval()

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(conv(1, True), norm(1), nn.ReLU())
            self.wide = nn.Sequential(conv(2, False), norm(2), nn.ReLU(), nn.AvgPool2d(2))
            self.branch = nn.Sequential(conv(3, False), norm(3))
            self.add = addition() if addition else None
            self.after = nn.ReLU(inplace=True)
            self.pool, self.flat, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear("dense2", "bias4")

        def forward(self, x: Any) -> Any:
            x = self.wide(self.stem(x))
            branch = self.branch(x)
            x = self.after(branch + x if self.add is None else self.add(branch, x))
            return self.head(self.flat(self.pool(x)))

    return Residual().eval()


def keras_net(name: str) -> Any:
    """The twin in Keras, channels last: its dense layer reads the flattened map in torch's order."""
    import keras
    from keras import layers

    given = weights(name)
    image = keras.Input(SHAPE)

    def conv(x: Any, number: int, biased: bool, activation: str | None = None) -> Any:
        kernel = given[f"conv{number}"]
        layer = layers.Conv2D(kernel.shape[-1], 3, padding="same", use_bias=biased, activation=activation)
        out = layer(x)
        layer.set_weights([kernel, *([given[f"bias{number}"]] if biased else [])])
        return out

    def norm(x: Any, number: int) -> Any:
        layer = layers.BatchNormalization(epsilon=1e-5)
        out = layer(x)
        layer.set_weights(list(given[f"norm{number}"]))
        return out

    def dense(x: Any, kernel: str, bias: str, activation: str | None = None) -> Any:
        layer = layers.Dense(given[kernel].shape[1], activation=activation)
        out = layer(x)
        layer.set_weights([given[kernel], given[bias]])
        return out

    if name == "vgg":
        x = conv(conv(image, 1, True, "relu"), 2, True, "relu")
        x = layers.Permute((3, 1, 2))(layers.MaxPooling2D(2)(x))
        x = layers.Dropout(0.5)(dense(layers.Flatten()(x), "dense1", "bias3", "relu"))
        return keras.Model(image, dense(x, "dense2", "bias4", "softmax"))
    x = layers.ReLU()(norm(conv(image, 1, True), 1))
    x = layers.AveragePooling2D(2)(layers.ReLU()(norm(conv(x, 2, False), 2)))
    x = layers.Activation("relu")(layers.Add()([norm(conv(x, 3, False), 3), x]))
    return keras.Model(image, dense(layers.GlobalAveragePooling2D()(x), "dense2", "bias4", "softmax"))
