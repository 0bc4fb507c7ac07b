"""Which framework this process runs: decided once, before Keras is imported."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from fieldmark.errors import BackendError

MODULES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def is_torch_module(model: Any) -> bool:
    """Whether `model` is a plain torch module; Keras models on the torch backend are modules too, but no plain ones."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return False
    keras = sys.modules.get("keras")
    return keras is None or not isinstance(model, keras.layers.Layer)


def ensure_backend(torch_module: bool = False) -> str:
    """Import Keras on a backend that is installed, torch for a torch module; returns the backend's name.

    A backend that was chosen before (KERAS_BACKEND, or Keras imported already) is kept.
    Raises BackendError when no framework is installed, or when a torch module meets another backend.
    """
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = "torch" if torch_module else first_installed()
    try:
        import keras
    except ImportError as error:
        wanted = os.environ.get("KERAS_BACKEND", "")
        raise BackendError(
            f"Keras cannot start on {wanted or 'its backend'} ({error}); "
            f"install it: pip install 'fieldmark[{wanted or 'tensorflow'}]'"
        ) from None
    name = str(keras.backend.backend())
    if torch_module and name != "torch":
        raise BackendError(
            f"a torch module needs Keras's torch backend, but this process runs {name}: "
            "start Python with KERAS_BACKEND=torch"
        )
    return name


def first_installed() -> str:
    """The first of tensorflow, jax, torch that is installed. Raises BackendError when none is."""
    for name, module in MODULES.items():
        if importlib.util.find_spec(module) is not None:
            return name
    raise BackendError(
        "no framework is installed: expected tensorflow, jax or torch; run: pip install 'fieldmark[tensorflow]'"
    )


def versions() -> dict[str, str]:
    """The versions of Keras and of the framework under it."""
    import keras

    found = {"keras": keras.__version__}
    module = sys.modules.get(MODULES.get(keras.backend.backend(), ""))
    if module is not None:
        found[keras.backend.backend()] = str(getattr(module, "__version__", "unknown"))
    return found
