"""`module:name` of the user's own code, found from the current folder or among installed packages."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fieldmark.classifier.backend import first_installed
from fieldmark.errors import BackendError, FieldmarkError, ModelError, unknown

_PATTERN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def names_code(text: str) -> bool:
    """Whether `text` reads as `module:name`."""
    return _PATTERN.fullmatch(text) is not None


def find_object(reference: str) -> Any:
    """What `module:name` refers to. Raises ModelError, one line, where it cannot be imported or has no such name."""
    module_name, _, name = reference.partition(":")
    with current_folder_first(), backend_for_imports():
        value: Any = _module(module_name)
        for part in name.split("."):
            if not hasattr(value, part):
                public = [each for each in getattr(value, "__dict__", ()) if not each.startswith("_")]
                raise ModelError(unknown(f"name in {module_name}", part, public))
            value = getattr(value, part)
    return value


def call(reference: str, function: Any) -> Any:
    """`function()`, with what it raises turned into one line."""
    with current_folder_first(), backend_for_imports():
        try:
            return function()
        except FieldmarkError:
            raise
        except Exception as error:
            raise ModelError(f"{reference}() failed: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """The exception's type and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextmanager
def current_folder_first() -> Iterator[None]:
    """The current folder on the import path, as it is for `python -m`."""
    folder = os.getcwd()
    added = folder not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)


@contextmanager
def backend_for_imports() -> Iterator[None]:
    """Where the code imports Keras, it gets a backend that is installed; where it doesn't, nothing is decided yet."""
    decided = "keras" in sys.modules or bool(os.environ.get("KERAS_BACKEND"))
    if not decided:
        try:
            os.environ["KERAS_BACKEND"] = first_installed()
        except BackendError:
            decided = True  # code that needs none may still run; what needs one says so
    try:
        yield
    finally:
        if not decided and "keras" not in sys.modules:
            os.environ.pop("KERAS_BACKEND", None)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            here = sorted(path.stem for path in Path.cwd().glob("*.py"))
            raise ModelError(unknown("module", name, here) if here else _no_module(name)) from None
        raise ModelError(f"module {name!r} needs {error.name!r}, which is not installed") from error
    except Exception as error:
        raise ModelError(f"module {name!r} cannot be imported: {one_line(error)}") from error


def _no_module(name: str) -> str:
    return f"unknown module {name!r}: expected {name}.py in the current folder, or an installed package"
