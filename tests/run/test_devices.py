"""Where arrays go: no graphics processor is at hand here, so its way is walked with the copy to it left out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from fieldmark.classifier import autodiff

ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)[:, ::2],
    np.broadcast_to(np.float32(2.5), (2, 3)),  # cannot be written to
    np.array([True, False]),
    np.arange(3),
]


@pytest.mark.native_torch
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_through_pinned_memory_it_is_the_same_tensor(array: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    pinned: list[Any] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: (pinned.append(self), self)[1])
    through = autodiff.through_pinned(array, torch.device("cpu"))
    plain = keras.ops.convert_to_tensor(array)
    assert len(pinned) == 1
    assert (through.dtype, through.shape) == (plain.dtype, plain.shape)
    assert torch.equal(through, plain)


@pytest.mark.every_backend
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_without_one_nothing_is_pinned(array: np.ndarray) -> None:
    tensor = autodiff.on_device(array)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(tensor), array)
