"""Model files: `.keras` and `.h5`, read without running what they carry.

Keras's safe mode is one guard; the other is a look at the file's own description before Keras sees it, since versions
of Keras differ in what their safe mode lets through (Lambda layers in `.h5`, functions of any module in `.keras`).
"""

from __future__ import annotations

import json
import random
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldmark.classifier.apart import try_apart
from fieldmark.classifier.user_code import one_line
from fieldmark.errors import ModelError

SUFFIXES = (".keras", ".h5", ".hdf5")
TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".bin")

_HDF5, _ZIP, _PICKLE = b"\x89HDF\r\n\x1a\n", b"PK", b"\x80"
_MOST_JSON = 64 * 2**20  # bytes of a model's description; a larger one is no description
_OWN_MODULES = re.compile(
    r"keras(\.src)?(\.(activations|applications|constraints|dtype_policies|initializers|layers|losses|metrics|models|"
    r"mixed_precision|ops|optimizers|quantizers|random|regularizers)(\.\w+)*)?"
)
_MOST_NUMBER = 2**16  # no layer is wider than this, unless the file is as large
_MOST_UNPACKED, _MOST_RATIO = 2**28, 100  # bytes, and times the size of the file: Keras stores weights as they are
_MODULE_ADVICE = "write a function that builds it, and give module:function as the model"


def load_file(path: Path, trust_model_code: bool = False) -> Any:
    """The Keras model in a `.keras` or `.h5` file.

    Raises ModelError, one line that names the file, when it is missing, damaged, no model, or carries code (unless
    `trust_model_code`).
    """
    _check_kind(path)
    if path.suffix.lower() != ".keras":
        try_apart(path)
    described = _from_zip(path) if path.suffix.lower() == ".keras" else _from_hdf5(path)
    _check_sizes(path, described)
    carried, foreign = ([], []) if trust_model_code else _code_in(described)
    if carried:
        raise ModelError(
            f"{path}: carries code ({', '.join(carried)}), which would run on this machine; if you trust who made it: "
            "--trust-model-code (in Python: trust_model_code=True)"
        )
    if foreign:
        raise ModelError(f"{path}: needs {foreign[0]}, which is no building block of Keras's own; {_MODULE_ADVICE}")
    if path.suffix.lower() == ".keras":
        try_apart(path)
    import keras

    drawn = random.getstate()  # Keras draws a seed for every layer it makes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about optimizers and training, which nobody needs here
            return keras.saving.load_model(path, compile=False, safe_mode=not trust_model_code)
    except Exception as error:
        raise ModelError(f"{path}: Keras cannot load it: {_shortened(one_line(error))}") from error
    finally:
        random.setstate(drawn)


def _check_kind(path: Path) -> None:
    """Refuse what is no Keras model file by its name and its first bytes."""
    suffix = path.suffix.lower()
    if path.is_dir():
        what = "a TensorFlow SavedModel folder" if (path / "saved_model.pb").exists() else "a folder"
        raise ModelError(f"{path}: expected a .keras or .h5 file, received {what}; save the model with model.save()")
    if not path.exists():
        raise ModelError(
            f"{path}: no such file; a model is a file (.keras, .h5, .onnx, .tflite), keras:NAME, demo:lite0, "
            "or module:function"
        )
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    if suffix in TORCH_SUFFIXES or _is_torch(path, start):
        raise ModelError(f"{path}: a torch file, which holds weights without their network; {_MODULE_ADVICE}")
    if not start:
        raise ModelError(f"{path}: the file is empty")
    if suffix not in SUFFIXES:
        raise ModelError(f"{path}: expected a .keras or .h5 file, received {suffix or 'a file without a suffix'}")


def _is_torch(path: Path, start: bytes) -> bool:
    if start.startswith(_ZIP) and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    return start.startswith(_PICKLE) and not start.startswith(_HDF5)


def _from_zip(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_unpacked(path, sum(member.file_size for member in archive.infolist()))
            if archive.getinfo("config.json").file_size > _MOST_JSON:
                raise ModelError(f"{path}: its config.json is larger than any model's; it is no model to trust")
            return json.loads(archive.read("config.json"))
    except KeyError:
        raise ModelError(f"{path}: a zip file without a model (no config.json); save it with model.save()") from None
    except ModelError:
        raise
    except Exception:  # BadZipFile, and what broken members and JSON raise
        raise ModelError(f"{path}: no .keras file, or a truncated or damaged one; get a whole copy of it") from None


def _check_unpacked(path: Path, size: int) -> None:
    """Refuse a file that unpacks to far more than it weighs."""
    if size > _MOST_UNPACKED and size > _MOST_RATIO * path.stat().st_size:
        raise ModelError(f"{path}: unpacks to {size / 1e9:.1f} GB, far more than it weighs; it is no model to trust")


def _check_sizes(path: Path, described: Any) -> None:
    """Refuse numbers that the weights in a file of this size cannot bear out, before memory is taken for them."""
    most = max(_MOST_NUMBER, path.stat().st_size)
    for node in _objects(described):
        for key, value in _numbers(node.get("config")):
            if abs(value) > most and "seed" not in key:
                kind = str(node["class_name"])
                raise ModelError(
                    f"{path}: a {kind} says {key}={value}, too much for a file of this size; it is damaged"
                )


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """The whole numbers in a description, with the key each stands under; not those of other objects within."""
    if isinstance(value, int):
        yield key, value
    elif isinstance(value, dict) and "class_name" not in value:
        for name, child in value.items():
            yield from _numbers(child, str(name))
    elif isinstance(value, list) and len(value) < 100:
        for child in value:
            yield from _numbers(child, key)


def _from_hdf5(path: Path) -> Any:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None:
                raise ModelError(f"{path}: holds weights without their network; {_MODULE_ADVICE}")
            return json.loads(text)
    except ModelError:
        raise
    except Exception:
        raise ModelError(f"{path}: no .h5 file, or a truncated or damaged one; get a whole copy of it") from None


def _code_in(described: Any) -> tuple[list[str], list[str]]:
    """(Lambda layers, which carry code; classes and functions that are not Keras's own and not registered here)."""
    import keras

    registered = keras.saving.get_custom_objects()
    carried: dict[str, None] = {}
    foreign: dict[str, None] = {}
    for node in _objects(described):
        kind, module, config = str(node["class_name"]), node.get("module"), node.get("config")
        if kind in ("Lambda", "__lambda__"):
            name = config.get("name") if isinstance(config, dict) and kind == "Lambda" else None
            carried[f"a Lambda layer {name!r}" if name else "a Lambda layer"] = None
        elif not (kind.startswith("__") or node.get("registered_name") in registered or _is_own(node)):
            what = str(config) if kind == "function" else kind
            foreign[f"{module}.{what}" if module else what] = None
    if len(carried) > 1:
        carried.pop("a Lambda layer", None)  # the function inside a layer that has been named
    return list(carried), list(foreign)


def _is_own(node: dict[str, Any]) -> bool:
    """Whether this is one of Keras's building blocks, or a bare name (as in `.h5`) that Keras looks up among them."""
    module = node.get("module")
    if module is None:
        return not node.get("registered_name")
    if module == "builtins":
        return node["class_name"] == "function"
    return isinstance(module, str) and _OWN_MODULES.fullmatch(module) is not None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every description of an object in a nest of dicts and lists; those for training alone are never loaded."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if "class_name" in node:
                yield node
            stack += [child for key, child in reversed(node.items()) if key != "compile_config"]
        elif isinstance(node, list):
            stack += reversed(node)


def _shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
