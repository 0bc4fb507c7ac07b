"""A pickle interpreter for state dicts: tensors and OrderedDict come out as plain records, and nothing is ever run.

A pickle is a program. This one interprets the thirty opcodes that torch writes for a state dict, over stand-ins: no
name from the file is imported and nothing is called, so that the worst a hostile file can do is to be refused.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

MAX_BYTES = 1 << 30
MAX_OPCODES = 2_000_000
MAX_AXES = 16
ORDERED_DICT = "collections.OrderedDict"
TENSOR = "torch._utils._rebuild_tensor_v2"
STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "|i1",
    "torch.ByteStorage": "|u1",
}
CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(Exception):
    """Why a file is refused; `read_state_dict` turns it into one line with the path."""


@dataclass(frozen=True)
class _Global:
    """A name that the pickle asks for; it stays a name."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Elements of one type in the file, under a key."""

    key: str
    dtype: np.dtype[Any]
    size: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.storage.dtype.itemsize


@dataclass
class Machine:
    """A pickle interpreter for tensors: `run` gives the value of the next pickle in a stream."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)

    def run(self, stream: BytesIO) -> Any:
        try:
            for count, (opcode, argument) in enumerate(_opcodes(stream)):
                if count >= MAX_OPCODES:
                    raise Refused(f"expected a pickle of at most {MAX_OPCODES} opcodes, received a longer one")
                if opcode == "STOP":
                    return self.stack.pop()
                self._step(opcode, argument)
        except (IndexError, KeyError):
            pass
        raise Refused("damaged: its pickle cannot be read")

    def _step(self, opcode: str, argument: Any) -> None:
        if opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in TUPLES:
            self.stack.append(tuple(self._pop(TUPLES[opcode])))
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif opcode == "MARK":
            self.marks.append(len(self.stack))
        elif opcode == "GLOBAL":
            self.stack.append(_admit(argument))
        elif opcode != "PROTO":
            self._build(opcode)

    def _build(self, opcode: str) -> None:
        """Containers and calls, of which there are two: an empty OrderedDict and a tensor."""
        if opcode in ("EMPTY_DICT", "EMPTY_LIST"):
            self.stack.append({} if opcode == "EMPTY_DICT" else [])
        elif opcode == "TUPLE":
            self.stack.append(tuple(self._marked()))
        elif opcode in ("SETITEM", "SETITEMS"):
            self._set_items(self._pop(2) if opcode == "SETITEM" else self._marked())
        elif opcode in ("APPEND", "APPENDS"):
            items = self._pop(1) if opcode == "APPEND" else self._marked()
            _expect(self.stack[-1], list).extend(items)
        elif opcode == "BINPERSID":
            self.stack.append(self._storage(self.stack.pop()))
        elif opcode == "REDUCE":
            self.stack.append(_call(*self._pop(2)))
        elif opcode == "BUILD":
            _expect(self.stack[-2], dict)
            self.stack.pop()  # attributes of an OrderedDict (`_metadata`): layer versions, no weights
        else:
            raise Refused(f"refused: its pickle uses {opcode}, which no state dict of tensors needs")

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _marked(self) -> list[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def _set_items(self, items: list[Any]) -> None:
        target = _expect(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=False):
            target[_expect(key, str)] = value

    def _storage(self, identity: Any) -> Storage:
        match identity:
            case ("storage", _Global(name), str(key), str(), int(size), None) if (
                name in STORAGES and 0 <= size <= MAX_BYTES
            ):
                storage = Storage(key, np.dtype(STORAGES[name]), size)
            case _:
                raise Refused("damaged: a storage is not described as torch does it")
        if self.storages.setdefault(key, storage) != storage:
            raise Refused("damaged: a storage is described in two ways")
        return storage


def _opcodes(stream: BytesIO) -> Iterator[tuple[str, Any]]:
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            yield opcode.name, argument
    except ValueError:
        raise Refused("damaged or truncated: its pickle cannot be read") from None


def _admit(argument: str) -> _Global:
    name = argument.replace(" ", ".")
    if name not in STORAGES and name not in (ORDERED_DICT, TENSOR):
        raise Refused(f"refused: its pickle asks for {name[:80]!a}; only tensors and OrderedDict are read")
    return _Global(name)


def _call(function: Any, arguments: Any) -> Any:
    match function, arguments:
        case _Global(name), () if name == ORDERED_DICT:
            return {}
        case _Global(name), (Storage() as storage, int(offset), tuple(shape), tuple(strides), *_) if name == TENSOR:
            return _tensor(storage, offset, shape, strides)
    raise Refused("refused: its pickle calls something other than an empty OrderedDict or a tensor")


def _tensor(storage: Storage, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]) -> Tensor:
    """A tensor whose every element lies within its storage."""
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > MAX_AXES or not all(type(n) is int and n >= 0 for n in numbers):
        raise Refused("damaged: a tensor's shape, strides or offset are no counts")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(max(size, 1) for size in shape) > MAX_BYTES or (0 not in shape and last >= storage.size):
        raise Refused(f"damaged: a tensor reaches beyond its storage of {storage.size} elements")
    return Tensor(storage, offset, shape, strides)


def _expect(value: Any, wanted: type[Any]) -> Any:
    if not isinstance(value, wanted):
        raise Refused(f"damaged: expected {wanted.__name__} in its pickle, received {kind(value)}")
    return value


def kind(value: Any) -> str:
    return type(value).__name__.lstrip("_").lower()
