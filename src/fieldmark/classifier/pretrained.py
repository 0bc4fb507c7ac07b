"""Models by name: `keras:Xception` and its kin with ImageNet weights, `demo:lite0`, `demo:sketchbirds`."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from fieldmark.classifier.user_code import one_line
from fieldmark.errors import ModelError, unknown


class Source(NamedTuple):
    """A model with what belongs to it."""

    model: Any
    preprocess: Callable[..., Any] | None = None
    labels: list[str] | None = None


def from_keras(name: str) -> Source:
    """A network of keras.applications with its ImageNet weights, its own preprocessing, and ImageNet's labels.

    Raises ModelError for an unknown name, and where the weights are neither here nor to be fetched.
    """
    from fieldmark.demo.lite0 import labels

    networks = _networks()
    if name not in networks:
        raise ModelError(unknown("keras model", name, networks))
    import keras

    try:
        model = getattr(keras.applications, name)(weights="imagenet")
    except Exception as error:
        # Keras raises a bare Exception when a download fails, and OSError or ValueError when what came is broken.
        reason = "no network" if "URL fetch failure" in str(error) else one_line(error)
        raise ModelError(
            f"could not fetch the ImageNet weights of {name}: {reason}; "
            "run it once where there is a network, or give a model file"
        ) from error
    return Source(model, networks[name].preprocess_input, labels())


def from_demo(name: str) -> Source:
    """EfficientNet-Lite0 out of the extra `demo`, or the network of the sketch birds, which ships with fieldmark."""
    from fieldmark.demo import lite0
    from fieldmark.demo.sketchbirds import network

    if name == "lite0":
        return Source(lite0.lite0(), lite0.preprocess, lite0.labels())
    if name == "sketchbirds":
        return Source(network.model(), network.preprocess, network.labels())
    raise ModelError(unknown("demo model", name, ["lite0", "sketchbirds"]))


def _networks() -> dict[str, ModuleType]:
    """Every network of keras.applications by name, with the module that has its `preprocess_input`."""
    import keras

    found: dict[str, ModuleType] = {}
    for name, network in sorted(vars(keras.applications).items()):
        # MobileNetV3's functions aren't in their public module, but say where they come from.
        home = getattr(keras.applications, getattr(network, "__module__", "").rsplit(".", 1)[-1], None)
        if callable(network) and home is not None and hasattr(home, "preprocess_input"):
            found[name] = home
    return found
