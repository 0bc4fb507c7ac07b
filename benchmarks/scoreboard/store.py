"""What the scoreboard keeps in `.scoreboard/`: results by the code that made them, and what many networks share."""

from __future__ import annotations

import fcntl
import hashlib
import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scoreboard.nets import FOLDER
from fieldmark.guide.making import Seen

ROOT = FOLDER.parent
GUIDE = ROOT / "src" / "fieldmark" / "guide"
MEASURING = ("measure.py", "matching.py", "words.py", "truth.py")
SEEING = ("objects.py", "pose.py", "frame.py", "placing.py", "pictures.py")  # all that a frame depends on


@cache
def version() -> str:
    """A hash of the guide's code and of what measures it: results of other code are not mixed with these."""
    return _hash([*sorted(GUIDE.glob("*.py")), *(Path(__file__).with_name(name) for name in MEASURING)])


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:10]


def results(image_seed: int, code: str | None = None) -> Path:
    """The folder of the results on images of that seed."""
    return FOLDER / "results" / f"{image_seed}-{code or version()}"


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What is in a JSON file, made and written first where it is not there."""
    if not path.exists():
        with locked(path):
            if not path.exists():
                write(path, make())
    return json.loads(path.read_text())


def write(path: Path, value: Any) -> None:
    """A JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1))
    part.replace(path)


def seen(images: np.ndarray, rows: np.ndarray) -> Seen:
    """`Seen.of`, made once for the same images and rows: objects don't depend on the network."""
    digest = hashlib.sha256(images.tobytes() + rows.astype(np.int64).tobytes()).hexdigest()[:16]
    code = _hash([GUIDE / name for name in SEEING])
    path = FOLDER / "seen" / f"{digest}-{code}.pickle"
    with locked(path):
        if path.exists():
            found: Seen = pickle.loads(path.read_bytes())
            return found
        made = Seen.of(images, rows)
        part = path.with_suffix(".part")
        part.write_bytes(pickle.dumps(made, protocol=5))
        part.replace(path)
        return made


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time makes this file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock")
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
