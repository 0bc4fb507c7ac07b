"""Files in torch's legacy format written opcode by opcode, so that tests can write what torch never would."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are."""

    opcodes: bytes


def glob(module: str, name: str) -> Raw:
    return Raw(f"c{module}\n{name}\n".encode())


def call(function: Raw, *arguments: Any) -> Raw:
    return Raw(function.opcodes + encode(arguments) + b"R")


ORDERED_DICT = Raw(b"ccollections\nOrderedDict\n)R")


def encode(value: Any) -> bytes:
    """The opcodes that push a value."""
    match value:
        case Raw(opcodes):
            return opcodes
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(raw)]) + raw
        case str():
            raw = value.encode()
            return b"X" + struct.pack("<I", len(raw)) + raw
        case tuple() if not value:
            return b")"
        case tuple():
            return b"(" + b"".join(map(encode, value)) + b"t"
        case list():
            return b"](" + b"".join(map(encode, value)) + b"e"
        case dict():
            return b"}(" + b"".join(encode(item) for pair in value.items() for item in pair) + b"u"
    raise TypeError(type(value))


def pickle(value: Any) -> bytes:
    return b"\x80\x02" + encode(value) + b"."


def tensor(
    key: str = "0",
    size: Any = 6,
    shape: tuple[Any, ...] = (2, 3),
    strides: tuple[Any, ...] = (3, 1),
    offset: Any = 0,
    kind: str = "FloatStorage",
    tail: Any = None,
) -> Raw:
    """A tensor the way torch writes it; every number may be wrong."""
    storage = Raw(encode(("storage", glob("torch", kind), key, "cpu", size, tail)) + b"Q")
    rebuild = glob("torch._utils", "_rebuild_tensor_v2")
    return call(rebuild, storage, offset, shape, strides, False, ORDERED_DICT)


def storage(*values: float, dtype: str = "<f4", count: int | None = None) -> bytes:
    """A raw storage: its count, which may lie, and its elements."""
    return struct.pack("<q", len(values) if count is None else count) + np.array(values, dtype).tobytes()


SIX = storage(0, 1, 2, 3, 4, 5)


def legacy_file(
    state: Any,
    storages: bytes = SIX,
    keys: Any = ("0",),
    magic: bytes = MAGIC,
    protocol: Any = 1001,
    system: Any = SYSTEM,
) -> bytes:
    """A whole file around a state: a dict, or Raw opcodes."""
    keys = list(keys) if isinstance(keys, tuple) else keys
    return magic + pickle(protocol) + pickle(system) + pickle(state) + pickle(keys) + storages
