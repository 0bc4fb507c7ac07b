"""Model files that are only a prediction function: ONNX through onnxruntime, TFLite through ai-edge-litert.

Both are callables of float32 images (n, h, w, c). Neither loads custom operators. Where the file fixes the batch, the
images go through in groups of that size; where it wants (n, c, h, w), they are turned.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.classifier.apart import try_apart
from fieldmark.errors import ModelError

SUFFIXES = (".onnx", ".tflite")
ONNX_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}


def load_function(path: Path) -> OnnxFunction | TFLiteFunction:
    """The prediction function in a `.onnx` or `.tflite` file. Raises ModelError, one line that names the file."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    if not path.is_file() or size == 0:
        raise ModelError(f"{path}: expected a model file, received {'an empty file' if path.is_file() else 'a folder'}")
    try_apart(path)
    return OnnxFunction(path) if path.suffix.lower() == ".onnx" else TFLiteFunction(path)


class OnnxFunction:
    """An ONNX file as a function of images; `input_shape` is (h, w, c), and several outputs come as a dict by name."""

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise ModelError(f"{path}: ONNX files need onnxruntime: pip install 'fieldmark[onnx]'") from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what fails is said by the exception
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
        except Exception as error:
            raise ModelError(f"{path}: onnxruntime cannot load it ({_said(error)}); get a whole copy of it") from None
        self.name = path.name
        inputs = self.session.get_inputs()
        (only,) = _single(path, inputs, [each.name for each in inputs])
        self.input_name, self.dtype = only.name, ONNX_TYPES.get(only.type)
        if self.dtype is None:
            raise ModelError(f"{path}: expected an input of numbers ({', '.join(ONNX_TYPES)}), received {only.type}")
        self.outputs = [each.name for each in self.session.get_outputs()]
        dims = [each if isinstance(each, int) and each > 0 else None for each in only.shape]
        self.batch, self.channels_first, self.input_shape = _layout(path, dims, channels_first=True)

    def __call__(self, images: np.ndarray) -> Any:
        found = in_groups(images, self.batch, self._run)
        return found[0] if len(found) == 1 else dict(zip(self.outputs, found, strict=True))

    def _run(self, images: np.ndarray) -> list[np.ndarray]:
        fed = np.ascontiguousarray(images.transpose(0, 3, 1, 2) if self.channels_first else images)
        found = self.session.run(None, {self.input_name: as_type(fed, self.dtype)})
        return [np.asarray(value, np.float32) for value in found]


class TFLiteFunction:
    """A TFLite file as a function of images; quantised inputs and outputs are read in the units they stand for."""

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise ModelError(f"{path}: TFLite files need ai-edge-litert: pip install 'fieldmark[tflite]'") from None
        try:
            self.interpreter = Interpreter(model_path=str(path), num_threads=os.cpu_count())
            inputs, self.outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        except Exception as error:
            raise ModelError(
                f"{path}: the TFLite interpreter cannot load it ({_said(error)}); get a whole copy of it"
            ) from None
        self.name = path.name
        (self.input,) = _single(path, inputs, [str(each["name"]) for each in inputs])
        signature = self.input.get("shape_signature")
        dims = signature if signature is not None and len(signature) else self.input["shape"]
        known = [int(each) if each > 0 else None for each in dims]
        self.batch, self.channels_first, self.input_shape = _layout(path, known, channels_first=False)
        self.shape: tuple[int, ...] = ()

    def __call__(self, images: np.ndarray) -> Any:
        found = in_groups(images, self.batch, self._run)
        return found[0] if len(found) == 1 else found

    def _run(self, images: np.ndarray) -> list[np.ndarray]:
        fed = np.ascontiguousarray(images.transpose(0, 3, 1, 2) if self.channels_first else images)
        if fed.shape != self.shape:
            self.interpreter.resize_tensor_input(self.input["index"], fed.shape, strict=True)
            self.interpreter.allocate_tensors()
            self.shape = fed.shape
        self.interpreter.set_tensor(self.input["index"], quantised(fed, self.input))
        self.interpreter.invoke()
        return [dequantised(self.interpreter.get_tensor(each["index"]), each) for each in self.outputs]


def in_groups(images: np.ndarray, batch: int | None, run: Callable[[np.ndarray], list[np.ndarray]]) -> list[np.ndarray]:
    """The outputs of `run` for all images, in groups of `batch` where that is fixed; repeats fill up the last."""
    if batch is None:
        return run(images)
    parts = []
    for start in range(0, len(images), batch):
        group = images[start : start + batch]
        missing = batch - len(group)
        fed = np.concatenate([group, np.repeat(group[-1:], missing, axis=0)]) if missing else group
        parts.append([value[: len(group)] for value in run(fed)])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def as_type(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Whole numbers are rounded and kept within what the type holds."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype)


def quantised(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Real values as a tensor stores them: value / scale + zero point, where it has a scale."""
    scale, zero = details["quantization"]
    return as_type(values / scale + zero if scale else values, details["dtype"])


def dequantised(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """The real values that a tensor stands for."""
    scale, zero = details["quantization"]
    real = values.astype(np.float32)
    return (real - zero) * np.float32(scale) if scale else real


def _layout(
    path: Path, dims: Sequence[int | None], channels_first: bool
) -> tuple[int | None, bool, tuple[int | None, int | None, int | None]]:
    """(fixed batch or None, whether channels come first, (h, w, c)) of an input; `channels_first` where both could be.

    Channels are the axis that is known where the other is not, or the shorter one.
    """
    if len(dims) != 4:
        raise ModelError(
            f"{path}: expected an input of 4 axes (images, and height, width, channels), received {len(dims)}"
        )
    batch, first, middle, last = dims
    if (first is None) != (last is None):
        channels_first = last is None
    elif first is not None and last is not None and first != last:
        channels_first = first < last
    return batch, channels_first, (middle, last, first) if channels_first else (first, middle, last)


def _single(path: Path, inputs: Sequence[Any], names: Sequence[str]) -> Sequence[Any]:
    if len(inputs) != 1:
        raise ModelError(f"{path}: expected one input, the images; received {len(inputs)}: {', '.join(names)}")
    return inputs


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    return said if len(said) <= 200 else said[:199] + "…"
