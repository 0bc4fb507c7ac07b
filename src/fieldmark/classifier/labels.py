"""Class names from files, JSON or a list with commas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fieldmark.errors import TargetError

_JSON = 'expected a list ["cat", ...], or a dict {"0": "cat", ...}, {"0": ["n02123045", "tabby"], ...}, {"cat": 0, ...}'


def read_labels(source: str) -> list[str]:
    """One label per class, in order, from the name of a file or a list with commas ("cat,dog").

    A text file has one label a line. A JSON file has a list, or a dict by index whose values are labels or
    [WordNet id, label] as in ImageNet's, or a dict from label to index as Keras's generators write it.
    Raises TargetError for a file that is missing or says something else.
    """
    path = Path(source).expanduser()
    if path.is_file():
        text = _read(path)
        return _from_json(text, source) if path.suffix.lower() == ".json" else _from_lines(text, source)
    names = [name.strip() for name in source.split(",")]
    if len(names) > 1 and all(names):
        return names
    raise TargetError(
        f"labels {source!r}: no such file; expected a text file with one label a line, a JSON file, or a list: cat,dog"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise TargetError(f"labels {str(path)!r}: cannot be read: {reason}") from None


def _from_lines(text: str, source: str) -> list[str]:
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not any(lines):
        raise TargetError(f"labels {source!r}: the file is empty; expected one label a line")
    if "" in lines:
        raise TargetError(f"labels {source!r}: line {lines.index('') + 1} is empty; expected one label a line")
    return lines


def _from_json(text: str, source: str) -> list[str]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise TargetError(f"labels {source!r}: not JSON, or damaged; {_JSON}") from None
    if isinstance(value, dict) and value and all(_is_index(entry) for entry in value.values()):
        by_index = {str(index): label for label, index in value.items()}
        value = by_index if len(by_index) == len(value) else None
    if isinstance(value, dict):
        missing = next((index for index in range(len(value)) if str(index) not in value), None)
        if missing is not None:
            raise TargetError(f"labels {source!r}: expected indices 0 to {len(value) - 1}; {missing} is missing")
        value = [value[str(index)] for index in range(len(value))]
    if not isinstance(value, list) or not value:
        raise TargetError(f"labels {source!r}: {_JSON}")
    names = [entry[-1] if isinstance(entry, list) and len(entry) == 2 else entry for entry in value]
    if not all(isinstance(name, str) for name in names):
        raise TargetError(f"labels {source!r}: {_JSON}")
    return names


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
