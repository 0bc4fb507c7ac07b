"""A bare prediction function as a subject: anything from images to scores, with nothing to look into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from keras import ops

from fieldmark.classifier.subject import Weight
from fieldmark.errors import FieldmarkError, ModelError


class FunctionSubject:
    """Calls a function of float32 images (n, h, w, c) that returns (n, classes): NumPy, or whatever becomes NumPy.

    Its attributes `input_shape`, (h, w, c) with None for any, and `name` are read where it has them. Several outputs
    may come as a dict or a list.
    """

    method = "call"
    opaque = True
    channels_first = False
    flat = False
    built = True
    places = 2

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function
        self.name = str(getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__))
        shape = getattr(function, "input_shape", None)
        self.input_shape: tuple[int | None, ...] | None = (
            shape if isinstance(shape, tuple) and len(shape) == 3 else None
        )
        self.layers: Mapping[str, Any] = {}

    @property
    def variables(self) -> Sequence[Any]:
        return ()

    def call(self, x: Any) -> Any:
        images = np.array(ops.convert_to_numpy(x), dtype=np.float32)
        try:
            raw = self.function(images)
        except FieldmarkError:
            raise
        except Exception as error:
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
            raise ModelError(
                f"model {self.name!r} failed on images of shape {images.shape}: {type(error).__name__}: {said}"
            ) from error
        return self._read(raw, len(images))

    def kind(self, layer: Any) -> str:
        return type(layer).__name__

    def head(self, layer: Any) -> tuple[str, Mapping[str, Any]] | None:
        return None

    def layout(self, kind: str) -> bool:
        return False

    def fix(self, values: Mapping[str, Any]) -> None:
        """A function takes images and nothing else. Raises ModelError for any other input."""
        if values:
            raise ModelError(
                f"model {self.name!r} is a function of images: bind other arguments with functools.partial"
            )

    def weights(self) -> Mapping[str, Sequence[Weight]]:
        return {}

    def inference(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _read(self, raw: Any, n: int) -> Any:
        if isinstance(raw, Mapping):
            return {name: self._read(value, n) for name, value in raw.items()}
        if isinstance(raw, (list, tuple)) and raw and all(hasattr(value, "shape") for value in raw):
            return [self._read(value, n) for value in raw]
        values = raw.detach().cpu().numpy() if hasattr(raw, "detach") else np.asarray(raw)
        if values.dtype.kind not in "buif" or values.ndim < 1 or len(values) != n:
            raise ModelError(
                f"model {self.name!r}: expected scores of shape ({n}, classes) for {n} image(s), received "
                f"{type(raw).__name__} of shape {values.shape}, {values.dtype}"
            )
        return ops.convert_to_tensor(values.reshape(n, -1) if values.ndim == 1 else values, dtype="float32")
