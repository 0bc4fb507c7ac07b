"""docs/models.md: the table of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TOP = """# Models

Every network of keras.applications with random weights. *Layer* is the one that class activation maps use by default at
the input that the network was made for, *map* its height, width and channels there. The rest is at the smallest input
that Keras builds it for, where many networks end in a single pixel, which is no map, so that an earlier layer is taken:
whether Grad-CAM (before its ReLU) and the gradients at the pixels are finite and not blank for the class predicted, and
whether the logits behind the softmax are reached, so that their softmax is what the model itself says.

`make zoo` runs them and writes this table: all on TensorFlow, one of each family on JAX and torch.

| model | backend | input | layer | map | smallest input | layer there | map there | Grad-CAM | gradients | logits |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """The page with one line a row, by name and backend."""
    order = ("tensorflow", "jax", "torch")
    rows = sorted(rows, key=lambda row: (row["model"], order.index(row["backend"])))
    path.write_text(TOP + "\n".join(_line(row) for row in rows) + "\n", encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    made_for = [_size(row["usual_input"][:2]), f"`{row['usual_layer']}`", _size(row["usual_shape"])]
    smallest = [row["input"], f"`{row['layer']}`", _size(row["shape"])]
    found = [row["maps"], row["gradients"], row["logits"]]
    return "| " + " | ".join([row["model"], row["backend"], *made_for, *smallest, *found]) + " |"


def _size(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
