"""docs/models.md: the table of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TOP = """# Models

A model is explained as it is: a `keras.Model` (Sequential, functional or subclassed, nested to any depth, frozen, in
mixed precision, channels first), a `torch.nn.Module` (with hooks, in-place or functional ReLUs, in half precision,
Lightning, Hugging Face), or a function. What a user says where the model leaves it open:

```python
fm.Classifier(model, output="species")  # which of several outputs, by name or number; `.logits` is found by itself
fm.Classifier(model, fixed={"age": 61})  # the other inputs: one image's value, the same for every image
clf.fix({"age": 62})  # another value, without compiling anything anew
fm.Classifier(module, image="pixel_values", fixed={"mode": 2})  # torch: arguments of its forward, by name
fm.Classifier(vit, tokens=(14, 14, 1))  # a transformer's grid and the tokens before it, where it is unclear
fm.GradCAM(layer="base/block5#2")  # a layer inside a model inside; its second call, where it is called twice
```

- **Transformers**: tokens are a map (height, width, channels). The grid is that of the patch embedding, or follows from
  the number of tokens and the image; up to eight tokens before the patches (class, distillation, registers) are left
  out. The layer is the last normalisation whose patches reach the score: behind the last attention only the class token
  may be read. Where two grids fit, the error names both.
- **Signals and volumes**: models of (n, length, channels) and (n, depth, height, width, channels) get maps
  (n, t, length) and (n, t, depth, height, width) from the Grad-CAM family, the gradient methods, LRP and EigenCAM.
  What covers or paints images says that it does.
- **Half precision**: maps are float32, also where the model computes in float16 or bfloat16.
- **Layout**: maps and images are channels last for every framework and every model.

## keras.applications

Every network of keras.applications, with random weights, at the smallest input that Keras builds it for: the layer that
class activation maps use by default and its map (height, width, channels), whether Grad-CAM (before its ReLU) and the
gradients at the pixels are finite and not blank for the class predicted, and whether the logits behind the softmax are
reached, so that their softmax is what the model itself says. At an input this small many networks end in a single
pixel, which is no map: then the layer is the last with more than one. At the usual size it is the one before pooling;
`fieldmark layers keras:NAME` marks it.

`make zoo` runs them and writes this table: all on TensorFlow, a sample on JAX and torch.

| model | backend | input | layer chosen | map | Grad-CAM | gradients | logits reached |
|---|---|---|---|---|---|---|---|
"""


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """The page with one line a row, by name and backend."""
    order = ("tensorflow", "jax", "torch")
    rows = sorted(rows, key=lambda row: (row["model"], order.index(row["backend"])))
    path.write_text(TOP + "\n".join(_line(row) for row in rows) + "\n", encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    cells = [row["model"], row["backend"], row["input"], f"`{row['layer']}`", _size(row["shape"])]
    return "| " + " | ".join([*cells, row["maps"], row["gradients"], row["logits"]]) + " |"


def _size(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
