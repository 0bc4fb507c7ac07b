"""The folder that results go to: made and tried before any work, filled only when all of it is done."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fieldmark.errors import OutputError

_LONGEST = 60  # characters of one part of a file name


class OutputFolder:
    """Files are written to a hidden folder inside `path` and moved to their names by `publish`, or never seen."""

    def __init__(self, path: Path, hidden: Path) -> None:
        self.path = path
        self.others = len([name for name in os.listdir(path) if name != hidden.name])
        self._hidden = hidden
        self._names: list[str] = []

    def write(self, name: str, writer: Callable[[Path], object]) -> Path:
        """Have `writer` make a file called `name`, made unique among this run's; returns where it will be."""
        unique = unique_name(name, self._names)
        writer(self._hidden / unique)
        self._names.append(unique)
        return self.path / unique

    def publish(self) -> list[Path]:
        """Move everything to its place. A file of the same name is replaced; others are left as they are."""
        for target in (self.path / name for name in self._names):
            if target.is_dir():
                raise OutputError(f"cannot write {target}: a folder has this name; choose another folder")
        for name in self._names:
            os.replace(self._hidden / name, self.path / name)
        return [self.path / name for name in self._names]


@contextmanager
def output_folder(path: Path) -> Iterator[OutputFolder]:
    """An OutputFolder at `path`, made where it is missing; taken away again where nothing came of it.

    Raises OutputError, one line, for what cannot be a folder or cannot be written to.
    """
    path = path.expanduser()
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".fieldmark-", dir=path))
    except OSError as error:
        _remove_empty(made)
        raise _refused(path, error) from None
    try:
        yield OutputFolder(path, hidden)
    except OSError as error:
        if error.filename is not None and str(hidden) not in str(error.filename):
            raise  # another file's trouble
        raise _refused(path, error) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        _remove_empty(made)


def check_file(path: Path) -> Path:
    """The path, if a file can be written there; raises OutputError, one line, before any work is done."""
    path = path.expanduser()
    if path.is_dir():
        raise OutputError(f"cannot write {path}: a folder has this name; give a file, such as {path / 'report.html'}")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}; choose a folder you can write to") from None


def unique_name(name: str, taken: list[str]) -> str:
    """`name`, or name-2, name-3, ... before its suffix; files whose names differ only in case are one on many disks."""
    folded = {each.casefold() for each in taken}
    stem, suffix = os.path.splitext(name)
    number, unique = 1, name
    while unique.casefold() in folded:
        number += 1
        unique = f"{stem}-{number}{suffix}"
    return unique


def safe_part(text: str) -> str:
    """`text` as a part of a file name: letters, digits, `-` and `_`; everything else becomes one `_`."""
    return re.sub(r"[^\w-]+", "_", text).strip("_")[:_LONGEST] or "_"


def _refused(path: Path, error: OSError) -> OutputError:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return OutputError(f"cannot write to {path}: a file is in the way; choose another folder")
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write to {path}: {reason}; choose a folder you can write to")


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or not made
