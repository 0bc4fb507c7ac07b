"""The code of docs/coming-from, the models it speaks of, and `python pairs.py PAGE`, which runs a page's old lines.

Run as a file by the interpreter that has the peers; imports no fieldmark.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

PAGES = Path(__file__).resolve().parents[2] / "docs" / "coming-from"
TORCH = ("pytorch-grad-cam", "captum")
SIZE = 32


def blocks(page: str, whose: str) -> list[str]:
    """The code blocks of a page that begin with the comment `# whose`."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```python\n# {re.escape(whose)}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(page: str, whose: str, names: dict[str, Any]) -> None:
    """Every block one after the other in one namespace, as a reader would type them."""
    for number, code in enumerate(blocks(page, whose), 1):
        exec(compile(code, f"{page}.md, block {number} of {whose}", "exec"), names)


def names(page: str) -> dict[str, Any]:
    """What the page says is there: `model`, `images`, and what its lines need besides."""
    rng = np.random.default_rng(0)
    images, background = rng.random((2, 2, SIZE, SIZE, 3), dtype=np.float32)
    regions = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) // (SIZE * SIZE // 4)
    found = {"np": np, "images": images, "background": background, "regions": regions}
    if page not in TORCH:
        return {**found, "model": keras_model()}
    import torch

    tensors = {"x": images, "background": background}
    found |= {name: torch.from_numpy(value.transpose(0, 3, 1, 2).copy()) for name, value in tensors.items()}
    return {**found, "model": torch_model(), "background_images": background, "mask": torch.from_numpy(regions)[None]}


def keras_model() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    first = layers.Conv2D(6, 3, strides=2, activation="relu", name="conv1")
    second = layers.Conv2D(8, 3, activation="relu", name="conv2")
    ends = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    x = inputs = keras.Input((SIZE, SIZE, 3))
    for layer in (first, second, *ends):
        x = layer(x)
    return keras.Model(inputs, x)


def torch_model() -> Any:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.relu1 = nn.Conv2d(3, 6, 3, 2), nn.ReLU()
            self.conv2, self.relu2 = nn.Conv2d(6, 8, 3), nn.ReLU()
            self.pool, self.last = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 10)

        def forward(self, x: Any) -> Any:
            x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
            return self.last(self.pool(x).flatten(1))

    torch.manual_seed(0)
    return Net().eval()


def stand_in_for_torchvision() -> None:
    """Names that pytorch-grad-cam imports from torchvision and that no line here calls."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = ModuleType(name)
    for name in ("Compose", "Normalize", "ToTensor"):
        setattr(sys.modules["torchvision.transforms"], name, None)
    sys.modules["torchvision.transforms.functional"].resize = None  # type: ignore[attr-defined]


if __name__ == "__main__":
    stand_in_for_torchvision()
    run(sys.argv[1], sys.argv[1], names(sys.argv[1]))
