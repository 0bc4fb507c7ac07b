"""Layers as `Classifier.layers()` lists them, without the framework that comes with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerInfo:
    name: str
    kind: str
    shape: tuple[int, ...]
    spatial: bool
    chosen: bool = False
