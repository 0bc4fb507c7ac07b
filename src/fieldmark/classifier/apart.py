"""A first look at a model file in a process of its own: a damaged one may crash or hang the library that reads it.

TFLite and ONNX runtimes can be taken down by a file, and the HDF5 library, which reads Keras's weights, can loop.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fieldmark.errors import ModelError

PATIENCE = 20  # seconds, and one more for every SLOWEST bytes
SLOWEST = 2_000_000
TOO_MUCH = 3  # the exit code of a run that asked for more memory than there is
WEIGHTS = "model.weights.h5"  # within a .keras file
_GUESSED = 64  # pixels, where the file takes any size

_CODE = "import sys; from fieldmark.classifier.apart import run_once; sys.exit(run_once(sys.argv[1]))"


def try_apart(path: Path) -> None:
    """Open the file elsewhere: run a runtime's on one image of zeros, walk through the weights of Keras's.

    Raises ModelError where that process was killed, ran out of memory or did not end. Errors that the library reports
    are left to the caller, who meets them again.
    """
    command = [sys.executable, "-c", _CODE, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    patience = PATIENCE + path.stat().st_size / SLOWEST if path.exists() else PATIENCE
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path}: opening it does not end ({patience:.0f} s tried); get a whole copy of it") from None
    if done.returncode < 0:
        raise ModelError(f"{path}: crashes what reads it (signal {-done.returncode}); get a whole copy of it")
    if done.returncode == TOO_MUCH:
        raise ModelError(
            f"{path}: asks for more memory than this machine has; get a whole copy of it, or a smaller one"
        )


def run_once(name: str) -> int:
    """In the process of its own: an exit code."""
    _limit_memory()
    path = Path(name)
    kinds = {".onnx": _run_onnx, ".tflite": _run_tflite, ".keras": _walk_keras}
    try:
        kinds.get(path.suffix.lower(), _walk)(path)
    except MemoryError:
        return TOO_MUCH
    except Exception as error:
        return TOO_MUCH if "alloc" in str(error).casefold() else 0
    return 0


def _run_onnx(path: Path) -> None:
    from fieldmark.classifier.runtimes import OnnxFunction

    _run(OnnxFunction(path))


def _run_tflite(path: Path) -> None:
    from fieldmark.classifier.runtimes import TFLiteFunction

    _run(TFLiteFunction(path))


def _run(function: Any) -> None:
    import numpy as np

    height, width, channels = function.input_shape
    function(np.zeros((1, height or _GUESSED, width or _GUESSED, channels or 3), np.float32))


def _walk_keras(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path) as archive, archive.open(WEIGHTS) as weights:
        _walk(weights)


def _walk(source: Any) -> None:
    """Every attribute and every dataset in pieces; one that lies in one piece cannot loop, and is left."""
    import h5py

    def look(_name: str, node: Any) -> None:
        dict(node.attrs)
        if isinstance(node, h5py.Dataset) and node.chunks is not None:
            node[()]

    with h5py.File(source, "r") as file:
        dict(file.attrs)
        file.visititems(look)


def _limit_memory() -> None:
    """Not more than the machine has, where the system knows such limits."""
    try:
        import resource

        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, OSError, ValueError, AttributeError):
        return
