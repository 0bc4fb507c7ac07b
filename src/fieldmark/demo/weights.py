"""Weights out of the legacy torch file format, without torch and without running the pickle.

The format (torch.save before 1.6) is five pickles, then raw storages: a magic number, a protocol number, facts about
the machine, the state dict (its tensors name their storages by persistent id), the list of storage keys, and for each
key an int64 element count followed by the little-endian elements.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from fieldmark.demo.unpickler import MAX_BYTES, Machine, Refused, Storage, Tensor, kind
from fieldmark.errors import ModelError

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = 1001


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a state dict saved in torch's legacy (not zip) format, as NumPy arrays, in the file's order.

    Arrays are copies in C order with the file's type (float16/32/64, int8/16/32/64, uint8) and native byte order.
    Raises ModelError, one line, where the file is missing, damaged, larger than 1 GiB (also once unpacked), written on
    a big-endian machine, or holds anything but tensors; nothing in the file is executed.
    """
    path = Path(path)
    try:
        return _read(_bytes(path))
    except Refused as refused:
        raise ModelError(f"{path}: {refused}") from None


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise Refused(
                "no such file" if not path.exists() else "expected a file of weights, received something else"
            )
        if path.stat().st_size > MAX_BYTES:
            raise Refused(f"expected at most {MAX_BYTES} bytes, received {path.stat().st_size}")
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror or error}") from None


def _read(data: bytes) -> dict[str, np.ndarray]:
    if data.startswith(b"PK"):
        raise Refused(
            "expected torch's legacy format, received its zip format; "
            "save it with torch.save(..., _use_new_zipfile_serialization=False)"
        )
    if not data.startswith(MAGIC):
        raise Refused("expected a state dict in torch's legacy format, received a file of another kind")
    stream = BytesIO(data)
    stream.seek(len(MAGIC))
    _check_system(Machine().run(stream), Machine().run(stream))
    machine = Machine()
    tensors = _tensors(machine.run(stream))
    keys = Machine().run(stream)
    buffers = _buffers(data, stream.tell(), keys, machine.storages)
    return {name: _array(tensor, buffers[tensor.storage.key]) for name, tensor in tensors.items()}


def _check_system(protocol: Any, system: Any) -> None:
    if protocol != PROTOCOL or not isinstance(system, dict):
        raise Refused(f"expected protocol {PROTOCOL} of torch's legacy format, received another")
    if system.get("little_endian") is not True:
        raise Refused(
            "expected little-endian numbers, received a file from a big-endian machine; save it again on another"
        )


def _tensors(state: Any) -> dict[str, Tensor]:
    """The state dict with every value checked, and their sizes added up before anything is allocated."""
    if not isinstance(state, dict) or not state:
        raise Refused(f"expected a state dict of tensors, received {'an empty one' if state == {} else kind(state)}")
    total = 0
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise Refused(f"expected only tensors, received {kind(value)} under {name[:80]!r}; save model.state_dict()")
        total += value.nbytes
    if total > MAX_BYTES:
        raise Refused(f"expected at most {MAX_BYTES} bytes of tensors, received {total}")
    return state


def _buffers(data: bytes, start: int, keys: Any, storages: dict[str, Storage]) -> dict[str, memoryview]:
    """The raw bytes of every storage, in the order of the key list; together they must be the rest of the file."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(storages):
        raise Refused("damaged: the list of storages is not that of the tensors")
    view, buffers = memoryview(data), {}
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(view[start : start + 8], "little", signed=True)
        if count != storage.size:
            raise Refused(f"damaged: expected {storage.size} elements in a storage, received {count}")
        end = start + 8 + count * storage.dtype.itemsize
        if end > len(data):
            raise Refused(f"truncated: expected {end} bytes or more, received {len(data)}")
        buffers[key] = view[start + 8 : end]
        start = end
    if start != len(data):
        raise Refused(f"damaged: {len(data) - start} bytes after the last storage")
    return buffers


def _array(tensor: Tensor, buffer: memoryview) -> np.ndarray:
    dtype = tensor.storage.dtype
    # the stride of an axis of one element is never used, and may be any number
    strides = [stride * dtype.itemsize * (size > 1) for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
    if 0 in tensor.shape:
        return np.empty(tensor.shape, dtype.newbyteorder("="))
    view: np.ndarray = np.ndarray(tensor.shape, dtype, buffer, tensor.offset * dtype.itemsize, strides)
    return np.array(view, dtype.newbyteorder("="), order="C")
