"""Reach a layer of any model for the length of a call: replace its method on the instance, put it back after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

from fieldmark.errors import LayerError

_ABSENT = object()


class Surgery(Protocol):
    """A pass whose layers act otherwise, for methods with a backward rule of their own; hashable, equal by value."""

    def call(self, subject: Any, x: Any) -> Any:
        """`subject.call(x)` with layers `surrounded` for the length of this call."""
        ...


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute on this instance only, and leave its `__dict__` as it was, also after an exception.

    Framework bookkeeping in `__setattr__` is passed by on purpose: nothing about the model may change.
    """
    before = owner.__dict__.get(name, _ABSENT)
    object.__setattr__(owner, name, value)
    try:
        yield
    finally:
        if before is _ABSENT:
            object.__delattr__(owner, name)
        else:
            object.__setattr__(owner, name, before)


def split_call(name: str) -> tuple[str, int]:
    """`"conv#2"` -> `("conv", 2)`: the second call of a layer that is used twice; without a number, the first."""
    base, mark, number = name.rpartition("#")
    return (base, int(number)) if mark and number.isdigit() and int(number) > 0 else (name, 1)


@contextmanager
def tapped(layers: Mapping[str, Any], method: str, functions: Mapping[str, Callable[[Any], Any]]) -> Iterator[None]:
    """Within the context the output of each named layer (`"name"` or `"name#2"`) passes through its function.

    Raises LayerError at the end when a named call never happened.
    """
    wanted: dict[str, dict[int, Callable[[Any], Any]]] = {}
    for name, function in functions.items():
        base, number = split_call(name)
        wanted.setdefault(base, {})[number] = function
    counts = dict.fromkeys(wanted, 0)

    def wrap(base: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            output = original(*args, **kwargs)
            counts[base] += 1
            function = wanted[base].get(counts[base])
            return output if function is None else function(output)

        return wrapper

    with ExitStack() as stack:
        for base in wanted:
            layer = layers[base]
            stack.enter_context(patched(layer, method, wrap(base, getattr(layer, method))))
        yield
    for base, numbers in wanted.items():
        if counts[base] < max(numbers):
            raise LayerError(f"layer {base!r}: expected to be called {max(numbers)} time(s), received {counts[base]}")


@contextmanager
def surrounded(layers: Mapping[str, Any], method: str, functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Within the context every call of a named layer becomes function(original, *args, **kwargs)."""
    with ExitStack() as stack:
        for name, function in functions.items():
            layer = layers[name]
            stack.enter_context(patched(layer, method, partial(function, getattr(layer, method))))
        yield
