"""Maps of a fixed set of images while a network is trained: `Explain` for model.fit, `Recorder` for any other loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Explain", "Recorder"]

if TYPE_CHECKING:
    from fieldmark.callbacks.keras_callback import Explain as Explain
    from fieldmark.callbacks.recorder import Recorder as Recorder

# Loaded on first use: a Keras callback needs Keras, and importing Keras would choose the backend for a torch module.
_MODULES = {"Explain": "fieldmark.callbacks.keras_callback", "Recorder": "fieldmark.callbacks.recorder"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'fieldmark.callbacks' has no attribute {name!r}")
